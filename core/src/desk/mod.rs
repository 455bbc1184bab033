//! The desk: one input in, its effects out; it calls nobody and reads no clock.
//!
//! ```text
//!  market ──► view of the market ─┐
//!  command ─► risk ─► order ──────┼─► requests ─► gateway
//!  report ──► order ─► account ───┴─► notices ─► strategies
//!                  every arrow ─► journal
//! ```
//!
//! All trading state is here, on one thread. A strategy's calls are inputs like any other, so the
//! journal of a run holds all that is needed to rebuild the desk.

mod amend;
mod doubt;
mod external;
pub(crate) mod input;
mod judge;
mod market;
mod money;
mod outside;
mod recover;
mod reports;
mod snapshot;
mod statement;
mod worth;

pub use external::ExternalSpec;
pub use input::{Input, InputError};
pub use outside::{
    CashKind, Difference, DifferenceKind, Origin, Parked, Scope, WireOwner, ANY_ACCOUNT,
    ANY_INSTRUMENT, ANY_STRATEGY,
};
pub use recover::{RecoveredNotice, Recovery, RecoveryError};
pub use worth::Worth;

use std::collections::VecDeque;

use crate::account::Accounts;
use crate::book::Book;
use crate::facts::{self, number};
use crate::instrument::{Asset, Instrument, InstrumentId};
use crate::journal::Journal;
use crate::market::Quote;
use crate::order::{OrderId, Request, RequestKind};
use crate::order_state::{Ending, OrderTable, Pending};
use crate::risk::{Gate, Limits, RateWindow};
use crate::strategy::{ListenRequest, TimerRequest};
use crate::units::{rescale, Rounding, MARK_SCALE};

/// What a strategy asked for, waiting for its turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Judge and send an order that stands in state New.
    Place {
        /// Handle of the order.
        id: OrderId,
        /// Reason, zero byte, tag.
        text: Option<Box<[u8]>>,
    },
    /// End an order.
    Cancel {
        /// Handle of the order.
        id: OrderId,
        /// Who asked.
        strategy: u16,
    },
    /// Change an order.
    Amend {
        /// Handle of the order.
        id: OrderId,
        /// Who asked.
        strategy: u16,
        /// New total quantity.
        qty: i64,
        /// New price.
        price: i64,
    },
}

/// What strategies are to be told after an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// An order changed.
    Order {
        /// Handle of the order.
        id: OrderId,
        /// Whose it is.
        strategy: u16,
    },
    /// An order traded.
    Fill(Box<facts::Fill>),
    /// Funding was exchanged on an account's position.
    Funding(u16),
    /// A scope was frozen, or released; and why.
    Frozen(Box<facts::Frozen>, Box<str>),
}

/// Something that waits for its turn behind the input that caused it.
#[derive(Clone, Debug)]
pub enum Turn {
    /// A command to apply.
    Command(Command),
    /// A notice to deliver.
    Notice(Notice),
}

/// What leaves the desk.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Requests for the gateway; each was journalled before.
    pub requests: Vec<Request>,
    /// Wake-ups asked for.
    pub timers: Vec<TimerRequest>,
    /// Subscriptions made or ended.
    pub listens: Vec<ListenRequest>,
    /// Commands and notices, first in first out.
    pub turns: VecDeque<Turn>,
}

/// What the desk knows of one instrument's market.
#[derive(Debug)]
pub struct MarketView {
    /// Levels by price, if the run has a book feed.
    pub book: Book,
    /// Best bid and offer from quotes, where no book is kept.
    pub quote: Option<Quote>,
    /// True while the levels are not to be believed: nothing may be priced from them.
    pub is_stale: bool,
    /// Last traded price, or close of the last bar; 0 before the first.
    pub last: i64,
    /// Mark price at mark scale; 0 where the run has none.
    pub mark: i64,
    /// Prints and levels seen.
    pub events: u64,
    /// What positions were last valued at, at mark scale.
    valued: i64,
    /// All ones for a print, zero for a level: looked up, since a compiler makes a branch of what
    /// it can see, and which row comes next nobody can guess.
    prints: [i64; 2],
}

impl MarketView {
    fn new(tick: i64) -> Self {
        MarketView {
            book: Book::new(tick),
            quote: None,
            is_stale: false,
            last: 0,
            mark: 0,
            events: 0,
            valued: 0,
            prints: [0, -1],
        }
    }

    /// Best bid and best offer prices, if both sides are there.
    #[inline]
    #[must_use]
    pub fn touch(&self) -> Option<(i64, i64)> {
        self.book.touch().or_else(|| self.quote.map(|quote| (quote.bid_price, quote.ask_price)))
    }
}

/// An input that the desk cannot take: the run must end, nothing was half done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeskError(pub String);

impl std::fmt::Display for DeskError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for DeskError {}

/// Counts of what happened, for the report and for `explain`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Orders given by strategies.
    pub orders: u64,
    /// Refused by a risk rule.
    pub refused: u64,
    /// Refused by the venue.
    pub rejected: u64,
    /// Fills.
    pub fills: u64,
    /// Cancels asked for.
    pub cancels: u64,
}

/// All trading state of one engine.
pub struct Desk {
    /// Assets by row.
    pub assets: Vec<Asset>,
    /// Instrument versions by row.
    pub instruments: Vec<Instrument>,
    /// Market views by row of the instrument table.
    pub markets: Vec<MarketView>,
    /// Own orders.
    pub orders: OrderTable,
    /// Balances and positions.
    pub accounts: Accounts,
    /// The trading journal.
    pub journal: Journal,
    /// What is to leave.
    pub outbox: Outbox,
    /// Event time, ns.
    pub now_ns: i64,
    /// What happened so far.
    pub counts: Counts,
    gate: Gate,
    limits: Limits,
    rate: Vec<RateWindow>,
    /// Signed strategy positions, by strategy × instrument.
    positions: Vec<i64>,
    /// Leverage by account × instrument, at least 1.
    leverage: Vec<i64>,
    /// Market inputs applied so far: the market sequence of the next trading batch.
    market_seq: u64,
    /// Whether `market_seq` is set from outside, by a market journal, and not counted here.
    market_is_pinned: bool,
    outside: outside::Outside,
    /// Which leg of its order the input at hand is about; see [`Input::Leg`].
    leg: u32,
    /// What `worth` need not work out again while no money moves.
    settled: Option<worth::Settled>,
    /// Changes of money so far.
    money_moves: u64,
    /// When the last fill happened at the venue, ns.
    filled_ns: i64,
    /// Whether the money identity is checked after every change of money.
    pub check_identity: bool,
    /// True while strategies are told what happened before a restart: their orders are refused.
    pub is_recovering: bool,
}

impl Desk {
    /// A desk with nothing done yet.
    #[must_use]
    pub fn new(
        assets: Vec<Asset>,
        instruments: Vec<Instrument>,
        accounts: Accounts,
        journal: Journal,
        limits: Limits,
    ) -> Self {
        let markets = instruments.iter().map(|i| MarketView::new(i.tick)).collect();
        Desk {
            assets,
            instruments,
            markets,
            orders: OrderTable::new(),
            accounts,
            journal,
            outbox: Outbox::default(),
            now_ns: 0,
            counts: Counts::default(),
            gate: Gate::new(&limits),
            limits,
            rate: Vec::new(),
            positions: Vec::new(),
            leverage: Vec::new(),
            market_seq: 0,
            market_is_pinned: false,
            outside: outside::Outside::default(),
            leg: 0,
            settled: None,
            money_moves: 0,
            filled_ns: i64::MIN,
            check_identity: false,
            is_recovering: false,
        }
    }

    /// Sets the leverage that an account's orders in an instrument are judged with.
    pub fn set_leverage(&mut self, account: u16, instrument: InstrumentId, leverage: i64) {
        let at = account as usize * self.instruments.len() + instrument as usize;
        if self.leverage.len() <= at {
            self.leverage.resize(at + 1, 1);
        }
        self.leverage[at] = leverage.max(1);
    }

    /// The leverage that an account's orders in an instrument are judged with.
    #[must_use]
    pub fn leverage(&self, account: u16, instrument: InstrumentId) -> i64 {
        let at = account as usize * self.instruments.len() + instrument as usize;
        self.leverage.get(at).copied().unwrap_or(1)
    }

    /// Queues a command behind what already waits.
    #[inline]
    pub fn command(&mut self, command: Command) {
        self.outbox.turns.push_back(Turn::Command(command));
    }

    /// A strategy's own signed position, in quantity units.
    #[inline]
    #[must_use]
    pub fn strategy_position(&self, strategy: u16, instrument: InstrumentId) -> i64 {
        let at = strategy as usize * self.instruments.len() + instrument as usize;
        self.positions.get(at).copied().unwrap_or(0)
    }

    /// Mid price in half price units; the last price doubled where there is no touch; 0 if neither.
    #[inline]
    #[must_use]
    pub fn mid2(&self, instrument: InstrumentId) -> i64 {
        let market = &self.markets[instrument as usize];
        match market.touch() {
            Some((bid, ask)) => bid + ask,
            None => market.last * 2,
        }
    }

    /// The price that limits and values go by, in price units: mark, else mid, else last.
    #[must_use]
    pub fn reference_price(&self, instrument: InstrumentId) -> i64 {
        let market = &self.markets[instrument as usize];
        if market.mark > 0 {
            let scale = self.instruments[instrument as usize].price_scale;
            let price = rescale(i128::from(market.mark), MARK_SCALE, scale, Rounding::HalfEven);
            return price.ok().and_then(|price| i64::try_from(price).ok()).unwrap_or(0);
        }
        self.mid2(instrument) / 2
    }

    /// Sets the market sequence, which is not counted here from then on: a market journal has it.
    pub fn pin_market(&mut self, sequence: u64) {
        (self.market_is_pinned, self.market_seq) = (true, sequence);
    }

    /// Counts market inputs here again, from where the sequence stands.
    pub fn unpin_market(&mut self) {
        self.market_is_pinned = false;
    }

    #[inline]
    fn count_market(&mut self, inputs: usize) {
        if !self.market_is_pinned {
            self.market_seq += inputs as u64;
        }
    }

    /// Changes of money so far: what is worked out of balances and positions holds until the next.
    #[inline]
    #[must_use]
    pub fn money_moves(&self) -> u64 {
        self.money_moves
    }

    /// When the last fill happened at the venue, ns.
    #[inline]
    #[must_use]
    pub fn filled_ns(&self) -> i64 {
        self.filled_ns
    }

    /// Market inputs applied so far.
    #[inline]
    #[must_use]
    pub fn market_seq(&self) -> u64 {
        self.market_seq
    }

    #[cold]
    pub(super) fn broken(&self, instrument: InstrumentId, what: &str) -> DeskError {
        DeskError(format!("{}: {what}", self.instruments[instrument as usize].symbol))
    }

    // ---- commands -------------------------------------------------------------------------

    /// Applies a command that waited for its turn.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a value does not fit.
    pub fn apply_command(&mut self, command: Command) -> Result<(), DeskError> {
        match command {
            Command::Place { id, text } => self.place(id, text.as_deref().unwrap_or_default()),
            Command::Cancel { id, strategy } => {
                self.cancel(id, strategy);
                Ok(())
            }
            Command::Amend { id, strategy, qty, price } => self.amend(id, strategy, qty, price),
        }
    }

    fn place(&mut self, id: OrderId, text: &[u8]) -> Result<(), DeskError> {
        self.counts.orders += 1;
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        let (account, strategy, spec) = (order.account, order.strategy, order.spec);
        let fact = facts::PlaceCommand::of(id, account, strategy, &spec, order.arrival_mid2);
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number::PLACE, &fact, text);
        let verdict = self.judge(id, &spec)?;
        let Some(order) = self.orders.get_mut(id) else { return Ok(()) };
        match verdict {
            Ok(()) => {
                order.place = Pending::Sent;
                self.journal.commit();
                let kind = RequestKind::Place(spec);
                let ts_sent = self.now_ns;
                self.outbox.requests.push(Request { order: id, account, ts_sent, kind, leg: 0 });
            }
            Err(refusal) => self.end_refused(id, &format!("{}: {}", refusal.rule, refusal.detail)),
        }
        Ok(())
    }

    /// Refuses an order that waited for its turn, without asking the gate.
    ///
    /// # Errors
    ///
    /// None today; a command that cannot be applied would be one.
    pub fn refuse(&mut self, id: OrderId, text: &[u8], reason: &str) -> Result<(), DeskError> {
        let Some(order) = self.orders.get(id) else { return Ok(()) };
        let fact = facts::PlaceCommand::of(
            id,
            order.account,
            order.strategy,
            &order.spec,
            order.arrival_mid2,
        );
        self.counts.orders += 1;
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record_with_text(number::PLACE, &fact, text);
        self.end_refused(id, reason);
        Ok(())
    }

    /// Ends an order that never leaves; commits the batch that was begun.
    fn end_refused(&mut self, id: OrderId, reason: &str) {
        let Some(order) = self.orders.get_mut(id) else { return };
        let strategy = order.strategy;
        order.ending = Some(Ending::Refused);
        order.ts_closed = self.now_ns;
        order.refusal = Some(reason.into());
        self.counts.refused += 1;
        let fact = facts::Refused { order: id, strategy, request: 0 };
        self.journal.record_with_text(number::REFUSED, &fact, reason.as_bytes());
        self.journal.commit();
        self.orders.close(id);
        self.note_end(id);
        self.tell_order(id, strategy);
    }

    /// Whose command it is.
    #[inline]
    #[must_use]
    pub fn strategy_of(&self, command: &Command) -> u16 {
        match command {
            Command::Place { id, .. } => self.orders.get(*id).map_or(0, |order| order.strategy),
            Command::Cancel { strategy, .. } | Command::Amend { strategy, .. } => *strategy,
        }
    }

    fn cancel(&mut self, id: OrderId, strategy: u16) {
        let Some(order) = self.orders.get_mut(id) else { return };
        // A cancel whose outcome is not known may be asked for again: twice is no harm.
        if order.status().is_final() || order.cancel == Pending::Sent {
            return;
        }
        self.counts.cancels += 1;
        let account = order.account;
        let legs = order.ask_cancel();
        self.journal.begin(self.market_seq, self.now_ns);
        self.journal.record(number::CANCEL, &facts::CancelCommand { order: id, strategy });
        self.journal.commit();
        let ts_sent = self.now_ns;
        for leg in legs.into_iter().flatten() {
            let kind = RequestKind::Cancel;
            self.outbox.requests.push(Request { order: id, account, ts_sent, kind, leg });
        }
    }

    #[inline]
    pub(super) fn tell_order(&mut self, id: OrderId, strategy: u16) {
        self.outbox.turns.push_back(Turn::Notice(Notice::Order { id, strategy }));
    }
}
