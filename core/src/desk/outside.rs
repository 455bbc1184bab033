//! What the desk knows of the world beyond its orders and accounts: names at the venue, reports
//! that wait for their order, who is frozen, and where our books and the venue's differ.

use std::collections::{BTreeMap, BTreeSet};

use super::Desk;
use crate::account::Line;
use crate::facts::{Epoch, ParkedReport};
use crate::instrument::InstrumentId;
use crate::order::OrderId;

/// Where an order comes from that this engine did not send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Origin {
    /// By hand, or by another program.
    Hand = 0,
    /// The venue liquidated a position.
    Liquidation = 1,
    /// The venue reduced a position against a bankrupt one.
    Deleveraging = 2,
    /// The venue closed a position at settlement or delivery.
    Settlement = 3,
}

impl Origin {
    /// The origin of a number, as stored.
    #[must_use]
    pub const fn of(number: u8) -> Option<Origin> {
        match number {
            0 => Some(Origin::Hand),
            1 => Some(Origin::Liquidation),
            2 => Some(Origin::Deleveraging),
            3 => Some(Origin::Settlement),
            _ => None,
        }
    }

    /// True if the venue itself made the order.
    #[must_use]
    pub const fn is_venue_made(self) -> bool {
        !matches!(self, Origin::Hand)
    }

    /// In words.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Origin::Hand => "external",
            Origin::Liquidation => "liquidation",
            Origin::Deleveraging => "deleveraging",
            Origin::Settlement => "settlement",
        }
    }
}

/// Why money moved without a trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum CashKind {
    /// Funding of a position.
    Funding = 0,
    /// Deposit, withdrawal, or transfer between wallets.
    Transfer = 1,
    /// A fee that belongs to no fill.
    Fee = 2,
    /// Interest on what is borrowed.
    Interest = 3,
    /// From or to an insurance fund.
    Insurance = 4,
    /// A rebate of fees.
    Rebate = 5,
    /// A gift: airdrop, bonus, distribution.
    Gift = 6,
    /// One side of a conversion.
    Conversion = 7,
    /// A clearance fee of a liquidation.
    Clearance = 8,
}

impl CashKind {
    /// The kind of a number, as stored.
    #[must_use]
    pub fn of(number: u8) -> Option<CashKind> {
        use CashKind::{
            Clearance, Conversion, Fee, Funding, Gift, Insurance, Interest, Rebate, Transfer,
        };
        let all =
            [Funding, Transfer, Fee, Interest, Insurance, Rebate, Gift, Conversion, Clearance];
        all.get(usize::from(number)).copied()
    }

    /// The line of the account that it stands on.
    #[must_use]
    pub const fn line(self) -> Line {
        match self {
            CashKind::Funding => Line::Funding,
            CashKind::Transfer | CashKind::Gift => Line::Deposits,
            CashKind::Fee | CashKind::Rebate => Line::Fees,
            CashKind::Interest => Line::Interest,
            CashKind::Insurance => Line::Insurance,
            CashKind::Conversion => Line::Converted,
            CashKind::Clearance => Line::Clearance,
        }
    }
}

/// In what our books and the venue's differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum DifferenceKind {
    /// A wallet balance.
    Balance = 0,
    /// A position.
    Position = 1,
}

/// One place where our books and the venue's differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Difference {
    /// Row of the account table.
    pub account: u16,
    /// What differs.
    pub kind: DifferenceKind,
    /// Row of the asset or instrument table, by kind.
    pub row: u32,
    /// Leg of a position; 0 for a balance.
    pub position_side: u8,
    /// Ours.
    pub ours: i128,
    /// The venue's.
    pub theirs: i128,
}

/// Every account, strategy or instrument.
pub const ANY_ACCOUNT: u16 = u16::MAX;
/// See [`ANY_ACCOUNT`].
pub const ANY_STRATEGY: u16 = u16::MAX;
/// See [`ANY_ACCOUNT`].
pub const ANY_INSTRUMENT: u32 = u32::MAX;

/// Who may not give orders: (account, strategy, instrument), each possibly any.
pub type Scope = (u16, u16, InstrumentId);

/// A report that waits for its order, and the client id that it named.
pub type Parked = (ParkedReport, Box<str>);

/// Whose client id it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WireOwner {
    /// Ours: the handle, and which of its legs.
    Ours(OrderId, u32),
    /// Another engine's, or of an epoch that this journal never saw.
    Foreign,
}

/// See the module.
#[derive(Debug, Default)]
pub struct Outside {
    /// Whether the journal declares the records of a live engine.
    pub(super) is_live: bool,
    pub(super) epochs: Vec<Epoch>,
    /// By order and leg.
    pub(super) venue_ids: BTreeMap<(OrderId, u32), u64>,
    pub(super) by_venue_id: BTreeMap<(u16, InstrumentId, u64), (OrderId, u32)>,
    /// Instruments whose venue changes an order by another one in its place.
    pub(super) replaced: BTreeSet<InstrumentId>,
    /// Origin of every order that is not ours, and the client id that the venue names.
    pub(super) origins: BTreeMap<OrderId, (Origin, Box<str>)>,
    /// Orders of which the venue counts more fills than we have.
    pub(super) missing: BTreeSet<OrderId>,
    /// Fills that were told without their fee, by order and trade: their prices.
    pub(super) fees_due: BTreeMap<(OrderId, u64), i64>,
    pub(super) parked: Vec<Parked>,
    pub(super) frozen: BTreeMap<Scope, Box<str>>,
    /// Entries of cash that were taken: (account, number).
    pub(super) cash_seen: BTreeSet<(u16, u64)>,
    /// The same with their times: (account, ns at the venue, number).
    pub(super) cash_times: BTreeSet<(u16, i64, u64)>,
    pub(super) differences: BTreeMap<(u16, DifferenceKind, u32, u8), (i128, i128)>,
    /// What each strategy saved last, and the batch of it: a snapshot stands for that batch too.
    pub(super) saved: BTreeMap<u16, (u64, Box<[u8]>)>,
}

/// For how long before the newest entry of cash an account's entries are known again, ns: more than
/// any listing goes back behind what was seen.
const CASH_REMEMBERED_NS: i64 = 32 * 24 * 3_600 * 1_000_000_000;

impl Outside {
    /// Notes an entry of cash, and forgets those of its account that are far older.
    pub(super) fn note_cash(&mut self, account: u16, ts_exchange: i64, entry_id: u64) {
        self.put_back_cash(account, ts_exchange, entry_id);
        let since = (account, ts_exchange.saturating_sub(CASH_REMEMBERED_NS), 0);
        while let Some(&old) = self.cash_times.range((account, i64::MIN, 0)..since).next() {
            self.cash_times.remove(&old);
            self.cash_seen.remove(&(old.0, old.2));
        }
    }

    /// Notes an entry of cash that was known, and forgets none: one that came late is older than
    /// others that are remembered.
    pub(super) fn put_back_cash(&mut self, account: u16, ts_exchange: i64, entry_id: u64) {
        self.cash_seen.insert((account, entry_id));
        self.cash_times.insert((account, ts_exchange, entry_id));
    }
}

/// The keys of all legs of an order.
fn legs_of(id: OrderId) -> std::ops::RangeInclusive<(OrderId, u32)> {
    (id, 0)..=(id, u32::MAX)
}

impl Desk {
    /// Notes that an order ended, and drops the names of those that nobody remembers any more.
    pub(super) fn note_end(&mut self, id: OrderId) {
        self.orders.note_end(id, self.now_ns);
        for (id, account, instrument) in self.orders.take_forgotten() {
            let outside = &mut self.outside;
            outside.origins.remove(&id);
            outside.missing.remove(&id);
            outside.fees_due.retain(|(of, _), _| *of != id);
            while let Some((&of, &number)) = outside.venue_ids.range(legs_of(id)).next() {
                outside.venue_ids.remove(&of);
                let key = (account, instrument, number);
                if outside.by_venue_id.get(&key) == Some(&of) {
                    outside.by_venue_id.remove(&key); // and not that of a later order (F-G03)
                }
            }
        }
    }

    /// Makes the desk one of a live or paper engine: ended orders are remembered, and the records
    /// of [`crate::facts::LIVE_RECORDS`] are written.
    pub fn go_live(&mut self, remembers_ns: i64) {
        self.outside.is_live = true;
        self.orders.remember(remembers_ns);
    }

    /// True if it is the desk of a live or paper engine.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.outside.is_live
    }

    /// Epoch and instance of an order's client id; the handle is its counter. `None` before the
    /// first epoch.
    #[must_use]
    pub fn wire_of(&self, id: OrderId) -> Option<(u32, u32)> {
        let epoch = self.outside.epochs.iter().rev().find(|epoch| epoch.first_order <= id)?;
        Some((epoch.epoch, epoch.instance))
    }

    /// Whose order a client id of our form names.
    #[must_use]
    pub fn owner_of(&self, epoch: u32, instance: u32, counter: u64, leg: u32) -> WireOwner {
        let is_begun = self.orders.get(counter).is_none_or(|order| leg <= order.last_leg());
        let is_ours = self.wire_of(counter) == Some((epoch, instance));
        if is_ours && is_begun && counter < self.orders.next_id() {
            WireOwner::Ours(counter, leg)
        } else {
            WireOwner::Foreign
        }
    }

    /// The order that an account's instrument has under a number of the venue.
    #[must_use]
    pub fn by_venue_id(
        &self,
        account: u16,
        instrument: InstrumentId,
        venue_order_id: u64,
    ) -> Option<OrderId> {
        self.leg_by_venue_id(account, instrument, venue_order_id).map(|(id, _)| id)
    }

    /// As [`by_venue_id`](Self::by_venue_id), with the leg of the order.
    #[must_use]
    pub fn leg_by_venue_id(
        &self,
        account: u16,
        instrument: InstrumentId,
        venue_order_id: u64,
    ) -> Option<(OrderId, u32)> {
        self.outside.by_venue_id.get(&(account, instrument, venue_order_id)).copied()
    }

    /// An order's number at the venue, if it is known; of its newest leg that has one.
    #[must_use]
    pub fn venue_id(&self, id: OrderId) -> Option<u64> {
        self.outside.venue_ids.range(legs_of(id)).next_back().map(|(_, number)| *number)
    }

    /// The number at the venue of one leg of an order, if it is known.
    #[must_use]
    pub fn venue_id_of(&self, id: OrderId, leg: u32) -> Option<u64> {
        self.outside.venue_ids.get(&(id, leg)).copied()
    }

    /// Says that the venue changes an order of an instrument in its place only by lowering its
    /// quantity: any other change cancels it and places another, under a client id of its own.
    pub fn replace_orders(&mut self, instrument: InstrumentId) {
        self.outside.replaced.insert(instrument);
    }

    /// Where an order comes from, and its client id, if this engine did not send it.
    #[must_use]
    pub fn origin(&self, id: OrderId) -> Option<(Origin, &str)> {
        self.outside.origins.get(&id).map(|(origin, text)| (*origin, &**text))
    }

    /// Orders whose trades the gateway has to fetch: fills are missing, or a fee.
    pub fn needs_trades(&self) -> impl Iterator<Item = OrderId> + '_ {
        let unpaid = self.outside.fees_due.keys().map(|(id, _)| *id);
        let unpaid = unpaid.filter(|id| !self.outside.missing.contains(id));
        self.outside.missing.iter().copied().chain(unpaid)
    }

    /// True if a fill is booked whose fee nobody has told yet.
    #[must_use]
    pub fn owes_fee(&self, id: OrderId, trade_id: u64) -> bool {
        !self.outside.fees_due.is_empty() && self.outside.fees_due.contains_key(&(id, trade_id))
    }

    /// Orders that the gateway has to query, oldest first.
    pub fn needs_query(&self) -> impl Iterator<Item = OrderId> + '_ {
        let open = self.orders.open().iter().copied();
        open.filter(|&id| self.orders.get(id).is_some_and(|order| order.needs_query()))
    }

    /// Reports that wait for their order.
    #[must_use]
    pub fn parked(&self) -> &[Parked] {
        &self.outside.parked
    }

    /// Who is frozen, and why.
    pub fn frozen(&self) -> impl Iterator<Item = (Scope, &str)> + '_ {
        self.outside.frozen.iter().map(|(scope, reason)| (*scope, &**reason))
    }

    /// Why a strategy may not give orders in an instrument; `None` if it may.
    #[must_use]
    pub fn frozen_by(&self, account: u16, strategy: u16, row: InstrumentId) -> Option<&str> {
        if self.outside.frozen.is_empty() {
            return None;
        }
        let hit = self.outside.frozen.iter().find(|((a, s, i), _)| {
            (*a == ANY_ACCOUNT || *a == account)
                && (*s == ANY_STRATEGY || *s == strategy)
                && (*i == ANY_INSTRUMENT || *i == row)
        });
        hit.map(|(_, reason)| &**reason)
    }

    /// Where our books and the venue's last statements differ.
    pub fn differences(&self) -> impl Iterator<Item = Difference> + '_ {
        self.outside.differences.iter().map(|(&(account, kind, row, position_side), &figures)| {
            let (ours, theirs) = figures;
            Difference { account, kind, row, position_side, ours, theirs }
        })
    }
}
