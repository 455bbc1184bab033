//! The simulated venue: market items and requests in, reports out, all in exchange time.
//!
//! ```text
//!  ticks, quote, bar, mark … ─┐
//!  advance (clock, bar path) ─┼─► markets, own orders ─► reports, in the order of events
//!  place, amend, cancel ──────┘
//! ```
//!
//! The caller keeps the order of `timeline`: before each of its own items it runs [`Venue::advance`]
//! up to that item's key, because expiries, funding and the path inside bars are the venue's own.
//! Nothing here knows when a strategy hears of anything.

use std::collections::BTreeMap;

use super::funds::Fund;
use super::market::{Last, Market};
use super::report::{AccountReport, EvidenceCounts, VenueEvent};
use super::settings::{Consumed, Level, VenueSettings};
use super::slab::{Orders, Slot};
use super::timeline::{Key, Timeline, CLOCK, MARKET};
use crate::instrument::{Asset, AssetId, Instrument, Status};
use crate::market::{
    Quote, Tick, Trade, TICK_BUY, TICK_CLEAR, TICK_EMPTY, TICK_LAST, TICK_TRADE, TICK_UNKNOWN_TAKER,
};
use crate::order::{Expiry, OrderId, Report, ReportKind, Side, TriggerBy};

/// What the venue's own clock will do.
#[derive(Clone, Copy, Debug)]
pub(super) enum ClockItem {
    Expire { slot: Slot, birth: u64 },
    Fund { market: usize, rate: i64, mark: Option<i64> },
}

/// Who took liquidity in a print: +1 the buyer, -1 the seller, 0 unknown.
fn taker_of(flags: u32) -> i8 {
    match (flags & TICK_UNKNOWN_TAKER, flags & TICK_BUY) {
        (0, 0) => -1,
        (0, _) => 1,
        _ => 0,
    }
}

/// A simulated exchange with all its instruments and accounts.
#[derive(Clone, Debug)]
pub struct Venue {
    pub(super) settings: VenueSettings,
    pub(super) instruments: Vec<Instrument>,
    pub(super) assets: Vec<Asset>,
    pub(super) markets: Vec<Market>,
    pub(super) orders: Orders,
    /// What has happened since the caller last drained it, in the order of events.
    pub reports: Vec<AccountReport>,
    pub(super) clock: Timeline<ClockItem>,
    pub(super) seq: u64,
    pub(super) funds: BTreeMap<(u16, AssetId), Fund>,
    pub(super) evidence: EvidenceCounts,
    /// Re-used list of orders to visit.
    pub(super) scratch: Vec<(Slot, u64)>,
    /// Rows of bar markets that have a path to walk.
    pub(super) walking: Vec<usize>,
}

impl Venue {
    /// A venue with no orders, positions or market data yet.
    #[must_use]
    pub fn new(settings: VenueSettings, instruments: &[Instrument], assets: &[Asset]) -> Venue {
        let market = |(row, instrument): (usize, &Instrument)| {
            Market::new(instrument, *settings.of(row as u32))
        };
        Venue {
            markets: instruments.iter().enumerate().map(market).collect(),
            settings,
            instruments: instruments.to_vec(),
            assets: assets.to_vec(),
            orders: Orders::new(),
            reports: Vec::new(),
            clock: Timeline::default(),
            seq: 0,
            funds: BTreeMap::new(),
            evidence: EvidenceCounts::default(),
            scratch: Vec::new(),
            walking: Vec::new(),
        }
    }

    /// Judges orders by another version of an instrument from now on. Its units are the same.
    pub fn renew(&mut self, row: usize, version: &Instrument) {
        if let Some(own) = self.instruments.get_mut(row) {
            own.clone_from(version);
            let market = &mut self.markets[row];
            (market.tick, market.lot) = (version.tick.max(1), version.lot.max(1));
        }
    }

    /// Applies rows of L2 data with `ts_exchange` below `before_ns`, in order; returns how many.
    ///
    /// Stops early after a row that produced reports, so that the caller can schedule them, and
    /// before a row that the venue's own clock precedes ([`Venue::next_key`]): run
    /// [`Venue::advance`] first. Rows of one instant have prints first
    /// ([`prints_first`](super::timeline::prints_first)). Rows that an instrument's level does
    /// not use are passed over.
    #[inline]
    pub fn ticks(&mut self, rows: &[Tick], before_ns: i64) -> usize {
        let clock = self.clock.next_key();
        let limit = if clock == Key::MAX { before_ns } else { before_ns.min(clock.time_ns()) };
        let said = self.reports.len();
        for (place, tick) in rows.iter().enumerate() {
            if tick.ts_exchange >= limit {
                return place;
            }
            if self.tick(tick) && self.reports.len() != said {
                return place + 1;
            }
        }
        rows.len()
    }

    /// Applies one row; true if own orders may have been concerned.
    ///
    /// Whether a print or a level comes next, and of which side, nobody can guess: rows that
    /// concern no own order take one way, with choices of values in it and no branches.
    #[inline(always)]
    fn tick(&mut self, tick: &Tick) -> bool {
        const UNUSUAL: u32 = TICK_CLEAR | TICK_EMPTY | TICK_UNKNOWN_TAKER;
        let at = tick.instrument as usize;
        let market = &mut self.markets[at];
        let (price, qty, flags) = (tick.price, tick.qty, tick.flags);
        if !market.plain || flags & UNUSUAL != 0 {
            return self.unusual_row(at, tick);
        }
        let Some(ghosts) = market.ghosts.as_deref_mut() else { return false };
        let (is_print, is_buy) = (flags & TICK_TRADE != 0, flags & TICK_BUY != 0);
        let kind = market.kinds[(flags & (TICK_TRADE | TICK_BUY)) as usize];
        if kind.concerns(price) {
            return self.concerning_row(at, tick);
        }
        market.last = market.last.masked(price, kind.print);
        // A buyer took from the asks.
        let side = is_buy != is_print;
        let moved = ghosts.sides.replace(side, price, |old| old.after_row(kind.print, qty));
        if moved | market.is_stirred {
            market.is_stirred = ghosts.reach(market.own_best);
            if market.is_stirred {
                return self.reached(at, tick);
            }
        }
        false
    }

    /// A row after which the book meets own orders: at the end of a message that is evidence.
    #[inline(never)]
    fn reached(&mut self, at: usize, tick: &Tick) -> bool {
        if tick.flags & (TICK_LAST | TICK_TRADE) == TICK_LAST {
            self.crossing(at, tick.ts_exchange);
        }
        true
    }

    /// A plain row at a price that own orders or triggers stand at, or that meets them.
    #[inline(never)]
    fn concerning_row(&mut self, at: usize, tick: &Tick) -> bool {
        let (price, qty, flags) = (tick.price, tick.qty, tick.flags);
        if flags & TICK_TRADE != 0 {
            self.print(at, tick.ts_exchange, price, qty, taker_of(flags));
            return true;
        }
        let market = &mut self.markets[at];
        let Some(ghosts) = market.ghosts.as_deref_mut() else { return false };
        let side = if flags & TICK_BUY != 0 { Side::Buy } else { Side::Sell };
        let old = ghosts.get(side, price);
        ghosts.set(side, price, old.updated(qty));
        let is_crossed = ghosts.reach(market.own_best);
        market.is_stirred = true;
        self.move_queue(at, side, price, old, qty);
        if flags & TICK_LAST != 0 && is_crossed {
            self.crossing(at, tick.ts_exchange);
        }
        true
    }

    /// A row that the short way is not for; true if own orders may have been concerned.
    #[inline(never)]
    fn unusual_row(&mut self, at: usize, tick: &Tick) -> bool {
        let (price, qty, flags) = (tick.price, tick.qty, tick.flags);
        self.markets[at].is_stirred = true;
        if flags & TICK_TRADE == 0 {
            self.level_row(at, tick);
            return true;
        }
        let market = &mut self.markets[at];
        let is_met = price <= market.print_low || price >= market.print_high;
        if !market.plain_prints || is_met || market.trails || flags & TICK_UNKNOWN_TAKER != 0 {
            self.print(at, tick.ts_exchange, price, qty, taker_of(flags));
            return true;
        }
        market.last = Last::at(price);
        if let Some(ghosts) = market.ghosts.as_deref_mut() {
            ghosts.sides.alter(flags & TICK_BUY == 0, price, |ghost| ghost.printed += qty);
        }
        false
    }

    /// Applies one level row by the long path: snapshots, other memories, diffs before prints.
    #[inline(never)]
    fn level_row(&mut self, at: usize, tick: &Tick) {
        let now = tick.ts_exchange;
        self.release_held(at, now);
        let market = &mut self.markets[at];
        if !matches!(market.set.level, Level::Book) {
            return;
        }
        let Some(ghosts) = market.ghosts.as_deref_mut() else { return };
        if tick.flags & TICK_CLEAR != 0 {
            ghosts.begin_snapshot();
            market.refresh_plain();
        }
        if tick.flags & TICK_EMPTY == 0 {
            let side = if tick.flags & TICK_BUY != 0 { Side::Buy } else { Side::Sell };
            self.set_level(at, now, side, tick.price, tick.qty);
        }
        if tick.flags & TICK_LAST != 0 {
            self.finish_snapshot(at);
            self.crossing(at, now);
            self.check_margin(at, now);
        }
    }

    /// Gives a level its new quantity, and those who wait there their new place.
    pub(super) fn set_level(&mut self, at: usize, now: i64, side: Side, price: i64, qty: i64) {
        let market = &mut self.markets[at];
        let (lot, consumed) = (market.lot, market.set.book.consumed);
        let Some(ghosts) = market.ghosts.as_deref_mut() else { return };
        let old = ghosts.old(side, price);
        let mut new = old.updated(qty);
        match consumed {
            Consumed::Delta | Consumed::None => {}
            Consumed::Reset if old.qty != qty => new.taken = 0,
            Consumed::Reset => {}
            Consumed::Refill(_) => {
                new.taken = super::ghosts::taken_now(old, consumed, lot, now).min(qty);
                new.since_ns = now;
            }
        }
        ghosts.set(side, price, new);
        self.hold_or_move(at, now, side, price, old, qty);
    }

    /// Ends a snapshot: levels that it did not name are gone.
    fn finish_snapshot(&mut self, at: usize) {
        let Some(ghosts) = self.markets[at].ghosts.as_deref_mut() else { return };
        if !std::mem::take(&mut ghosts.in_snapshot) {
            return;
        }
        let was_stale = std::mem::take(&mut ghosts.stale);
        let old = std::mem::take(&mut ghosts.before_snapshot);
        for (side, price, ghost) in old {
            let market = &self.markets[at];
            let named = market.ghosts.as_ref().is_some_and(|g| g.get(side, price).qty > 0);
            if !named {
                self.move_queue(at, side, price, ghost, 0);
            }
        }
        if was_stale {
            self.cap_all_queues(at);
        }
        self.markets[at].refresh_plain();
    }

    /// Tells the venue that the book of an instrument is no longer to be trusted.
    ///
    /// Until a snapshot is complete only prints fill; what resting orders had before them is then
    /// cut to what is shown, without evidence of cancellation.
    pub fn gap(&mut self, instrument: u32) {
        let market = &mut self.markets[instrument as usize];
        if let Some(ghosts) = market.ghosts.as_deref_mut() {
            ghosts.stale = true;
        }
        market.refresh_plain();
    }

    /// Applies a public trade; for markets whose prints do not come as ticks.
    pub fn trade(&mut self, trade: &Trade) {
        let at = trade.instrument as usize;
        self.print(at, trade.ts_exchange, trade.price, trade.qty, trade.taker);
    }

    /// Applies a print: memory, own orders, waiting takers, triggers, liquidation, in this order.
    fn print(&mut self, at: usize, now: i64, price: i64, qty: i64, taker: i8) {
        self.release_held(at, now);
        let market = &mut self.markets[at];
        if matches!(market.set.level, Level::Bar | Level::True) {
            return;
        }
        let before = std::mem::replace(&mut market.last, Last::at(price)).get();
        match market.ghosts.as_deref_mut() {
            Some(ghosts) => ghosts.mark_print(taker, price, qty),
            None => self.estimate_quote(at, price, taker),
        }
        if self.markets[at].status != Status::Trading {
            return;
        }
        let rest = self.print_fills(at, now, price, qty, taker);
        self.serve_waiting(at, now, price, rest, taker);
        self.fire_triggers(at, now, TriggerBy::Last, before, price);
        self.check_margin(at, now);
    }

    /// Applies a best bid and ask to a market of level `quote`.
    pub fn quote(&mut self, quote: &Quote) {
        let (at, now) = (quote.instrument as usize, quote.ts_exchange);
        self.release_held(at, now);
        if self.markets[at].set.level != Level::Quote {
            return;
        }
        self.set_best(at, now, Side::Buy, quote.bid_price, quote.bid_qty);
        self.set_best(at, now, Side::Sell, quote.ask_price, quote.ask_qty);
        self.crossing(at, now);
        self.check_margin(at, now);
    }

    /// Applies a mark price (at mark scale): triggers, then liquidation.
    pub fn mark(&mut self, now: i64, instrument: u32, mark: i64) {
        let at = instrument as usize;
        let before = self.markets[at].watched(TriggerBy::Mark);
        self.markets[at].mark = Some(mark);
        let price = self.markets[at].cut(mark);
        self.fire_triggers(at, now, TriggerBy::Mark, before, price);
        self.check_margin(at, now);
    }

    /// Applies an index price (at mark scale).
    pub fn index(&mut self, now: i64, instrument: u32, index: i64) {
        let at = instrument as usize;
        let before = self.markets[at].watched(TriggerBy::Index);
        self.markets[at].index = Some(index);
        let price = self.markets[at].cut(index);
        self.fire_triggers(at, now, TriggerBy::Index, before, price);
    }

    /// Announces the funding rate (at rate scale) of the settlement at `at_ns`.
    ///
    /// `mark` (at mark scale) is used where the venue's last mark notice is missing or the source
    /// states the settlement's own mark.
    pub fn rate(&mut self, instrument: u32, rate: i64, at_ns: i64, mark: Option<i64>) {
        let item = ClockItem::Fund { market: instrument as usize, rate, mark };
        self.clock.push(at_ns, CLOCK, 0, item);
    }

    /// Changes whether an instrument trades; on `Closed` all its orders expire, oldest first.
    pub fn status(&mut self, now: i64, instrument: u32, status: Status) {
        let at = instrument as usize;
        self.sync_bar(at, now);
        self.markets[at].status = status;
        if status != Status::Closed {
            return;
        }
        for (slot, birth) in self.open_orders(None, Some(instrument)) {
            self.expire(slot, birth, now, Expiry::Delisted);
        }
    }

    /// The place of the venue's own next item: funding, expiry, or a point of a bar's path.
    #[inline]
    #[must_use]
    pub fn next_key(&self) -> Key {
        let mut next = self.clock.next_key();
        for at in &self.walking {
            if let Some(time) = self.markets[*at].bar.next_time() {
                next = next.min(Key::new(time, MARKET, 0).with_sequence(*at as u64));
            }
        }
        next
    }

    /// True if no bar has a path to walk and nothing is on the clock: bars change nothing then.
    #[inline]
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.walking.is_empty() && self.clock.is_empty()
    }

    /// Runs the venue's own items before `before`; false if it stopped after one that produced
    /// reports, in which case the caller schedules them and asks again.
    pub fn advance(&mut self, before: Key) -> bool {
        let said = self.reports.len();
        loop {
            let next = self.next_key();
            if next >= before {
                return true;
            }
            if next.rank() == CLOCK {
                self.run_clock();
            } else {
                self.walk_point(next);
            }
            if self.reports.len() != said {
                return false;
            }
        }
    }

    fn run_clock(&mut self) {
        let Some((key, item)) = self.clock.pop() else { return };
        let now = key.time_ns();
        match item {
            ClockItem::Expire { slot, birth } => self.expire(slot, birth, now, Expiry::Gtd),
            ClockItem::Fund { market, rate, mark } => self.settle_funding(market, now, rate, mark),
        }
    }

    /// How fills came about so far.
    #[must_use]
    pub fn evidence(&self) -> EvidenceCounts {
        self.evidence
    }

    /// Settings of this venue.
    #[must_use]
    pub fn settings(&self) -> &VenueSettings {
        &self.settings
    }

    /// Net position of an account in an instrument as the venue sees it, over all legs.
    #[must_use]
    pub fn position(&self, account: u16, instrument: u32) -> i64 {
        let legs = self.markets[instrument as usize].legs.get(usize::from(account));
        legs.map_or(0, |legs| legs.iter().map(|leg| leg.qty).sum())
    }

    /// Number of open orders, armed and waiting ones included.
    #[must_use]
    pub fn open_order_count(&self) -> usize {
        self.markets.iter().map(Market::live).sum()
    }

    /// Says something about an order that states what is left of it, or after which nothing is.
    #[inline]
    pub(super) fn say(&mut self, account: u16, order: OrderId, now: i64, kind: ReportKind) {
        let left = match kind {
            ReportKind::Accepted { qty } => qty,
            ReportKind::Canceled { left, .. }
            | ReportKind::Expired { left, .. }
            | ReportKind::Reduced { left }
            | ReportKind::Prevented { left, .. } => left,
            _ => 0,
        };
        self.say_left(account, order, now, kind, left);
    }

    /// Says something about an order of which `left` is open.
    #[inline]
    pub(super) fn say_left(
        &mut self,
        account: u16,
        order: OrderId,
        now: i64,
        kind: ReportKind,
        left: i64,
    ) {
        let report = Report { order, ts_exchange: now, kind };
        self.reports.push(AccountReport { account, left, event: VenueEvent::Order(report) });
    }

    pub(super) fn next_seq(&mut self) -> u64 {
        self.seq += 1;
        self.seq
    }
}

const _: () = assert!(TICK_BUY == 1 && TICK_TRADE == 2); // they number a market's kinds of rows
const _: () = assert!(std::mem::size_of::<super::ghosts::Ghost>() == 32); // four levels share two cache lines
