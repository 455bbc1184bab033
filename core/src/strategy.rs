//! The strategy's side of the engine: what it is told, and the port it trades through.
//!
//! Neither needs a Python object: events are passed by reference, orders are 64-bit handles. The
//! Python strategy is one implementation of [`Strategy`]; a compiled one may be another.

use crate::desk::{Command, Desk, Turn};
use crate::engine::MAX_COMMANDS_PER_CALL;
use crate::facts;
use crate::instrument::{InstrumentId, Kind};
use crate::market::{Bar, Funding, MarkPrice, Published, Quote, Trade};
use crate::order::{OrderId, OrderSpec, OrderType, PositionSide, Side};
use crate::order_state::Status;

/// What a strategy asks to be told, as bits; what nobody wants is never dispatched.
pub mod wants {
    /// Finished bars.
    pub const BARS: u32 = 1;
    /// Public trades.
    pub const TRADES: u32 = 2;
    /// Best bid and offer.
    pub const QUOTES: u32 = 4;
    /// Book changes, once per venue message.
    pub const BOOKS: u32 = 8;
    /// Mark prices.
    pub const MARKS: u32 = 16;
    /// Funding settlements.
    pub const FUNDING: u32 = 32;
    /// Changes of own orders.
    pub const ORDERS: u32 = 64;
    /// Own fills.
    pub const FILLS: u32 = 128;
    /// Own position after it changed.
    pub const POSITIONS: u32 = 256;
    /// The account after it changed.
    pub const ACCOUNTS: u32 = 512;
    /// Index prices.
    pub const INDEXES: u32 = 1024;
    /// Open interest.
    pub const INTEREST: u32 = 2048;
    /// Public notices of forced orders.
    pub const LIQUIDATIONS: u32 = 4096;
    /// Statistics of a rolling window.
    pub const TICKERS: u32 = 8192;
    /// Changes around it: [`super::SystemEvent`].
    pub const SYSTEM: u32 = 16384;
}

/// Something around a strategy changed: what it may believe, or whether it may trade.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SystemEvent<'a> {
    /// What.
    pub kind: SystemKind,
    /// Where; none for every instrument.
    pub instrument: Option<InstrumentId>,
    /// Why, in words.
    pub reason: &'a str,
}

/// The kinds of [`SystemEvent`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemKind {
    /// Market data is not to be believed: a stream is silent, a book has a hole or is crossed.
    MarketStale,
    /// Market data is to be believed (again).
    MarketReady,
    /// New orders are refused by the rule `frozen`; cancels still pass.
    Frozen,
    /// What was frozen may trade again.
    Released,
}

/// What a strategy is told.
#[derive(Clone, Copy, Debug)]
pub enum Event<'a> {
    /// The run begins.
    Start,
    /// A bar is finished.
    Bar(&'a Bar),
    /// A public trade.
    Trade(&'a Trade),
    /// A new best bid or offer.
    Quote(&'a Quote),
    /// The book of an instrument changed; read it through the port.
    Book(InstrumentId),
    /// A mark price.
    Mark(&'a MarkPrice),
    /// A funding settlement.
    Funding(&'a Funding),
    /// What a venue publishes beside.
    Published(&'a Published),
    /// One of its orders changed.
    Order(OrderId),
    /// One of its orders traded.
    Fill(&'a facts::Fill),
    /// Its own position in an instrument changed.
    Position(InstrumentId, PositionSide),
    /// The account changed.
    Account(u16),
    /// Something around it changed.
    System(&'a SystemEvent<'a>),
    /// A timer it set is due; its number and the time it was due.
    Timer(u32, i64),
    /// The run ends.
    Stop,
}

impl Event<'_> {
    /// The name of the callback that is told of it, for messages.
    #[must_use]
    pub const fn callback(&self) -> &'static str {
        match self {
            Event::Start => "on_start",
            Event::Bar(_) => "on_bar",
            Event::Trade(_) => "on_trade",
            Event::Quote(_) => "on_quote",
            Event::Book(_) => "on_book",
            Event::Mark(_) => "on_mark",
            Event::Funding(_) => "on_funding",
            Event::Published(Published::Index(_)) => "on_index",
            Event::Published(Published::OpenInterest(_)) => "on_open_interest",
            Event::Published(Published::Liquidation(_)) => "on_liquidation",
            Event::Published(Published::Ticker(_)) => "on_ticker",
            Event::Order(_) => "on_order",
            Event::Fill(_) => "on_fill",
            Event::Position(..) => "on_position",
            Event::Account(_) => "on_account",
            Event::System(_) => "on_system",
            Event::Timer(..) => "a timer",
            Event::Stop => "on_stop",
        }
    }
}

/// A strategy failed inside a callback.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What went wrong and where, in words.
    pub message: String,
}

/// What the engine calls.
pub trait Strategy {
    /// Tells the strategy something; it answers through `port` before it returns.
    ///
    /// # Errors
    ///
    /// A [`Fault`] stops the strategy; commands it gave before stand.
    fn on_event(&mut self, event: &Event<'_>, port: &mut Port<'_>) -> Result<(), Fault>;

    /// Tells the strategy that a breaker stops it, as a fault of its own would be told.
    fn on_breaker(&mut self, message: &str, port: &mut Port<'_>) {
        let _ = (message, port);
    }

    /// State that a restart should find again; `None` for nothing.
    ///
    /// # Errors
    ///
    /// A [`Fault`] stops the strategy.
    fn save(&mut self) -> Result<Option<Vec<u8>>, Fault> {
        Ok(None)
    }

    /// Takes back what [`save`](Self::save) gave; called before [`Event::Start`].
    ///
    /// # Errors
    ///
    /// A [`Fault`] if the state cannot be taken.
    fn load(&mut self, state: &[u8]) -> Result<(), Fault> {
        let _ = state;
        Ok(())
    }
}

/// The port a strategy trades and reads through, open only during a callback.
pub struct Port<'a> {
    desk: &'a mut Desk,
    /// Row of the strategy table.
    strategy: u16,
    account: u16,
    /// Accounts by row of the instrument table.
    routes: &'a [u16],
}

impl<'a> Port<'a> {
    pub(crate) fn new(desk: &'a mut Desk, strategy: u16, account: u16, routes: &'a [u16]) -> Self {
        Port { desk, strategy, account, routes }
    }

    /// All that can be read: markets, accounts, orders.
    #[inline]
    #[must_use]
    pub fn desk(&self) -> &Desk {
        self.desk
    }

    /// The orders, for keeping count of handles outside.
    #[inline]
    pub fn desk_mut(&mut self) -> &mut Desk {
        self.desk
    }

    /// Row of the strategy table.
    #[must_use]
    pub fn strategy(&self) -> u16 {
        self.strategy
    }

    /// Row of the account table, of the strategy's first account.
    #[must_use]
    pub fn account(&self) -> u16 {
        self.account
    }

    /// Row of the account table, of the account on which the strategy trades an instrument.
    #[inline]
    #[must_use]
    pub fn account_of(&self, instrument: InstrumentId) -> u16 {
        self.routes.get(instrument as usize).copied().unwrap_or(self.account)
    }

    /// The legs that a position in an instrument has there: one, or two in hedge mode.
    #[must_use]
    pub fn legs(&self, instrument: InstrumentId) -> &'static [PositionSide] {
        let is_contract = self.desk.instruments[instrument as usize].kind != Kind::Spot;
        if is_contract && self.desk.accounts.is_hedge(self.account_of(instrument)) {
            &[PositionSide::Long, PositionSide::Short]
        } else {
            &[PositionSide::Both]
        }
    }

    /// The strategy's own signed quantity in one leg, in quantity units.
    #[must_use]
    pub fn leg(&self, instrument: InstrumentId, leg: PositionSide) -> i64 {
        let account = self.account_of(instrument);
        self.desk.accounts.position(account, self.strategy, instrument, leg).qty
    }

    /// Whether one callback has given far more commands than the breaker lets an input cause.
    ///
    /// A loop that never ends would fill the memory before the breaker could see it: whoever calls
    /// the strategy asks here, and makes the call that goes too far fail.
    #[inline]
    #[must_use]
    pub fn is_flooded(&self) -> bool {
        self.desk.outbox.turns.len() > MAX_COMMANDS_PER_CALL && self.has_given_too_many()
    }

    #[cold]
    fn has_given_too_many(&self) -> bool {
        let own = self.desk.outbox.turns.iter().filter(|turn| {
            matches!(turn, Turn::Command(command) if self.desk.strategy_of(command) == self.strategy)
        });
        own.count() > MAX_COMMANDS_PER_CALL
    }

    /// Gives an order; it is in state New and its verdict comes as a later event.
    ///
    /// `text` is the reason, a zero byte and the tag; it goes to the journal.
    #[inline]
    pub fn place(&mut self, spec: OrderSpec, text: Option<Box<[u8]>>) -> OrderId {
        let (account, strategy) = (self.account_of(spec.instrument), self.strategy);
        let id = self.desk.orders.insert(account, strategy, spec, self.desk.now_ns);
        let mid2 = self.desk.mid2(spec.instrument);
        if let Some(order) = self.desk.orders.get_mut(id) {
            order.arrival_mid2 = mid2;
        }
        self.desk.command(Command::Place { id, text });
        id
    }

    /// Asks to end an order. Asking twice, or for an ended one, does nothing.
    #[inline]
    pub fn cancel(&mut self, id: OrderId) {
        self.desk.command(Command::Cancel { id, strategy: self.strategy });
    }

    /// Asks for another total quantity and price.
    #[inline]
    pub fn amend(&mut self, id: OrderId, qty: i64, price: i64) {
        self.desk.command(Command::Amend { id, strategy: self.strategy, qty, price });
    }

    /// Asks to end all of the strategy's open orders, in one instrument or in all; oldest first.
    pub fn cancel_all(&mut self, instrument: Option<InstrumentId>) -> usize {
        let ids: Vec<OrderId> = self.own_open(instrument).collect();
        for &id in &ids {
            self.cancel(id);
        }
        ids.len()
    }

    /// The strategy's open orders, oldest first.
    pub fn own_open(&self, instrument: Option<InstrumentId>) -> impl Iterator<Item = OrderId> + '_ {
        let desk = &*self.desk;
        desk.orders.open().iter().copied().filter(move |&id| {
            desk.orders.get(id).is_some_and(|order| {
                order.strategy == self.strategy
                    && instrument.is_none_or(|wanted| wanted == order.spec.instrument)
            })
        })
    }

    /// The strategy's own signed position, in quantity units.
    #[inline]
    #[must_use]
    pub fn position(&self, instrument: InstrumentId) -> i64 {
        self.desk.strategy_position(self.strategy, instrument)
    }

    /// The position once the strategy's open market orders have traded, in quantity units.
    #[must_use]
    pub fn expected_position(&self, instrument: InstrumentId) -> i64 {
        let orders = self.own_open(Some(instrument)).filter_map(|id| self.desk.orders.get(id));
        orders
            .filter(|order| order.spec.kind == OrderType::Market)
            .map(|order| order.spec.side.sign() * order.leaves_qty())
            .sum::<i64>()
            + self.position(instrument)
    }

    /// The same of one leg.
    #[must_use]
    pub fn expected_leg(&self, instrument: InstrumentId, leg: PositionSide) -> i64 {
        let orders = self.own_open(Some(instrument)).filter_map(|id| self.desk.orders.get(id));
        orders
            .filter(|order| order.spec.kind == OrderType::Market && order.spec.position_side == leg)
            .map(|order| order.spec.side.sign() * order.leaves_qty())
            .sum::<i64>()
            + self.leg(instrument, leg)
    }

    /// Wakes the strategy at a time; `every_ns` above zero repeats it.
    pub fn set_timer(&mut self, timer: u32, at_ns: i64, every_ns: i64) {
        let strategy = self.strategy;
        self.desk.outbox.timers.push(TimerRequest { strategy, timer, at_ns, every_ns });
    }

    /// Forgets a timer.
    pub fn stop_timer(&mut self, timer: u32) {
        let strategy = self.strategy;
        let never = TimerRequest { strategy, timer, at_ns: i64::MAX, every_ns: 0 };
        self.desk.outbox.timers.push(never);
    }

    /// Starts or stops hearing an instrument's market events from the next input on.
    pub fn listen(&mut self, instrument: InstrumentId, wants: u32, interval_ns: i64, on: bool) {
        let strategy = self.strategy;
        let change = ListenRequest { strategy, instrument, wants, interval_ns, on };
        self.desk.outbox.listens.push(change);
    }

    /// Makes the strategy's resting post-only limit orders in an instrument be exactly these.
    ///
    /// An order that already stands at a wanted price with the wanted quantity left keeps its
    /// place in the queue; others are cancelled, missing ones are placed. Prices and quantities
    /// are `(price, qty)` in the instrument's units, at most 64 a side. Orders on their way out are
    /// left alone.
    pub fn quote(&mut self, instrument: InstrumentId, bids: &[(i64, i64)], asks: &[(i64, i64)]) {
        let mut kept = [0_u64; 2];
        for at in (0..self.desk.orders.open().len()).rev() {
            let id = self.desk.orders.open()[at];
            let Some(order) = self.desk.orders.get(id) else { continue };
            let ours = order.strategy == self.strategy && order.spec.instrument == instrument;
            // Orders that are not post-only were placed otherwise, and are not quotes.
            let is_quote = order.spec.kind == OrderType::Limit && order.spec.post_only;
            if !ours || !is_quote || order.cancel_asked() {
                continue;
            }
            let (wanted, bits) = match order.spec.side {
                Side::Buy => (bids, &mut kept[0]),
                Side::Sell => (asks, &mut kept[1]),
            };
            let level = (order.spec.price, order.leaves_qty());
            let hit = wanted.iter().enumerate().position(|(at, &(price, qty))| {
                // A partial fill keeps its place in the queue: less than wanted is left alone.
                *bits & (1 << (at & 63)) == 0 && price == level.0 && level.1 <= qty
            });
            match hit {
                Some(at) => *bits |= 1 << (at & 63),
                None => self.cancel(id),
            }
        }
        for (side, wanted, kept) in [(Side::Buy, bids, kept[0]), (Side::Sell, asks, kept[1])] {
            for (at, &(price, qty)) in wanted.iter().enumerate() {
                if kept & (1 << (at & 63)) == 0 {
                    let mut spec = OrderSpec::new(instrument, side, OrderType::Limit, qty, price);
                    spec.post_only = true;
                    self.place(spec, None);
                }
            }
        }
    }
}

/// A subscription that a strategy made or ended while it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListenRequest {
    /// Row of the strategy table.
    pub strategy: u16,
    /// Row of the instrument table.
    pub instrument: InstrumentId,
    /// Bits of [`wants`].
    pub wants: u32,
    /// Length of the bars wanted, ns; 0 for any.
    pub interval_ns: i64,
    /// Whether it begins or ends.
    pub on: bool,
}

/// A wake-up that a strategy asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimerRequest {
    /// Row of the strategy table.
    pub strategy: u16,
    /// The strategy's own number of the timer.
    pub timer: u32,
    /// When, ns; the far end of time forgets the timer.
    pub at_ns: i64,
    /// Period, ns; 0 for once.
    pub every_ns: i64,
}

impl crate::order_state::Order {
    /// True if a cancel was asked for and not refused, or if the order ended.
    #[inline]
    #[must_use]
    pub fn cancel_asked(&self) -> bool {
        self.cancel != crate::order_state::Pending::None || self.status() >= Status::Filled
    }
}
