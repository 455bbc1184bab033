//! The engine: the loop around the desk, and the only one who calls strategies.
//!
//! ```text
//!  input ─► desk ─► notices ─► strategies ─► commands ─► desk ─► …   until nothing waits
//! ```
//!
//! Commands and notices take turns in one queue, first in first out, so that what a strategy
//! causes happens after its callback has returned, in one order, in every environment.

mod live;

pub use crate::market::trade_of;
pub use live::VerifyError;

use crate::book::PriceLevel;
use crate::desk::{Command, Desk, DeskError, Turn};
use crate::facts::{self, number};
use crate::instrument::{InstrumentId, Kind};
use crate::market::{
    Bar, Funding, MarkPrice, Published, Quote, Tick, Trade, TICK_LAST, TICK_TRADE,
};
use crate::order::{OrderSpec, OrderType, Report, Side};
use crate::strategy::{wants, Event, Fault, ListenRequest, Port, Strategy};

/// Commands that strategies may cause without an input from outside before a breaker trips.
const MAX_COMMANDS_PER_INPUT: u32 = 1_000;

/// What happens to a strategy's orders and position when it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopPolicy {
    /// Open orders are cancelled.
    Cancel,
    /// Nothing is touched.
    Hold,
    /// Open orders are cancelled and the position is closed at the market.
    Flatten,
}

/// Why an engine cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EngineError {
    /// The desk refused an input.
    Desk(DeskError),
}

impl std::fmt::Display for EngineError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            EngineError::Desk(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for EngineError {}

impl From<DeskError> for EngineError {
    fn from(error: DeskError) -> Self {
        EngineError::Desk(error)
    }
}

/// A strategy and what it listens to.
struct Seat<S> {
    strategy: S,
    /// Where it trades what has no other account.
    account: u16,
    /// Where it trades, by row of the instrument table.
    routes: Box<[u16]>,
    /// `wants` bits for its own orders, fills and so on.
    own: u32,
    stop_policy: StopPolicy,
    running: bool,
    /// Commands that it gave since the last input from outside.
    commands: u32,
    fault: Option<Fault>,
}

/// Who listens to an instrument's market events.
#[derive(Clone, Copy, Debug)]
struct Listener {
    seat: u16,
    wants: u32,
    /// Length of the bars wanted, ns; 0 for any.
    interval_ns: i64,
}

/// Best bid and best offer; zeros where a side is empty.
type Best = (PriceLevel, PriceLevel);

/// The loop around one desk and its strategies.
pub struct Engine<S> {
    /// The pure part.
    pub desk: Desk,
    seats: Vec<Seat<S>>,
    listeners: Vec<Vec<Listener>>,
    /// True once a strategy was stopped by a fault or a breaker.
    pub has_fault: bool,
    /// Subscriptions that strategies began or ended, for whoever fetches the data; oldest first.
    pub listens: Vec<ListenRequest>,
    /// True while no strategy is called: what concerns them waits until [`Engine::start`].
    pub holds: bool,
    /// By instrument: whether quotes are told from the book, because nothing else brings any.
    pub quotes_of_books: Vec<bool>,
    /// Raised when a strategy began or ceased to listen while it runs; the shell lowers it.
    pub listeners_changed: bool,
}

/// Row of the strategy table that stands for orders placed by hand on the venue.
pub const EXTERNAL: u16 = 0;

impl<S: Strategy> Engine<S> {
    /// An engine without strategies.
    #[must_use]
    pub fn new(desk: Desk) -> Self {
        let listeners = desk.instruments.iter().map(|_| Vec::new()).collect();
        let quotes_of_books = vec![false; desk.instruments.len()];
        Engine {
            desk,
            seats: Vec::new(),
            listeners,
            has_fault: false,
            listens: Vec::new(),
            holds: false,
            quotes_of_books,
            listeners_changed: false,
        }
    }

    /// Seats a strategy on an account; gives its row of the strategy table, from 1.
    pub fn add(&mut self, strategy: S, account: u16, own: u32, stop_policy: StopPolicy) -> u16 {
        let routes = vec![account; self.desk.instruments.len()].into();
        let (running, commands, fault) = (true, 0, None);
        let seat = Seat { strategy, account, routes, own, stop_policy, running, commands, fault };
        self.seats.push(seat);
        self.seats.len() as u16
    }

    /// Makes a strategy trade an instrument on another account than its first: one market of
    /// several has an account of its own.
    pub fn route(&mut self, strategy: u16, instrument: InstrumentId, account: u16) {
        self.seats[strategy as usize - 1].routes[instrument as usize] = account;
    }

    /// Makes a strategy hear an instrument's market events.
    pub fn listen(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        wants: u32,
        interval_ns: i64,
    ) {
        self.listeners[instrument as usize].push(Listener { seat: strategy, wants, interval_ns });
    }

    /// Stops a strategy hearing them.
    pub fn unlisten(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        wants: u32,
        interval_ns: i64,
    ) {
        self.listeners[instrument as usize]
            .retain(|l| !(l.seat == strategy && l.wants == wants && l.interval_ns == interval_ns));
    }

    /// True if some strategy is called for each book message or print of an instrument.
    #[must_use]
    pub fn is_watched(&self, instrument: InstrumentId, bits: u32) -> bool {
        self.listeners[instrument as usize].iter().any(|listener| listener.wants & bits != 0)
    }

    /// The strategy of a row, to change it between inputs.
    pub fn strategy_mut(&mut self, row: u16) -> &mut S {
        &mut self.seats[row as usize - 1].strategy
    }

    /// All strategies, in the order of their rows.
    pub fn strategies(&self) -> impl Iterator<Item = &S> {
        self.seats.iter().map(|seat| &seat.strategy)
    }

    /// The strategy of a row.
    #[must_use]
    pub fn strategy(&self, row: u16) -> &S {
        &self.seats[row as usize - 1].strategy
    }

    /// The fault that stopped a strategy, if one did.
    #[must_use]
    pub fn fault(&self, row: u16) -> Option<&Fault> {
        self.seats[row as usize - 1].fault.as_ref()
    }

    /// True while at least one strategy runs.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.seats.iter().any(|seat| seat.running)
    }

    /// Number of strategies.
    #[must_use]
    pub fn len(&self) -> usize {
        self.seats.len()
    }

    /// True without strategies.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    /// Tells all strategies that the run begins.
    ///
    /// # Errors
    ///
    /// As every input: [`EngineError`] if the desk cannot go on.
    pub fn start(&mut self) -> Result<(), EngineError> {
        self.holds = false;
        for row in 1..=self.seats.len() as u16 {
            self.note_state(row, 0, "");
            self.call(row, &Event::Start);
        }
        self.settle()
    }

    /// Tells all strategies that the run ends.
    ///
    /// # Errors
    ///
    /// As every input.
    pub fn stop(&mut self) -> Result<(), EngineError> {
        for row in 1..=self.seats.len() as u16 {
            if self.seats[row as usize - 1].running {
                self.call(row, &Event::Stop);
                self.note_state(row, 1, "");
            }
        }
        self.settle()
    }

    fn note_state(&mut self, strategy: u16, state: u8, text: &str) {
        let now = self.desk.now_ns;
        self.desk.journal.begin(self.desk.market_seq(), now);
        let fact = facts::StrategyState { strategy, state };
        self.desk.journal.record_with_text(number::STRATEGY_STATE, &fact, text.as_bytes());
        self.desk.journal.commit();
    }

    /// Calls one strategy; a fault stops it and runs its stop policy.
    #[inline]
    fn call(&mut self, row: u16, event: &Event<'_>) {
        let seat = &mut self.seats[row as usize - 1];
        if !seat.running || self.holds {
            return;
        }
        let mut port = Port::new(&mut self.desk, row, seat.account, &seat.routes);
        if let Err(fault) = seat.strategy.on_event(event, &mut port) {
            let message = format!("{} raised {}", event.callback(), fault.message);
            self.fail(row, Fault { message }, 2);
        }
    }

    #[cold]
    fn fail(&mut self, row: u16, fault: Fault, state: u8) {
        self.note_state(row, state, &fault.message);
        self.has_fault = true;
        let seat = &mut self.seats[row as usize - 1];
        seat.running = false;
        seat.fault = Some(fault);
        self.leave(row);
    }

    /// Runs the stop policy of a strategy that is not called any more.
    #[cold]
    fn leave(&mut self, row: u16) {
        let seat = &self.seats[row as usize - 1];
        let policy = seat.stop_policy;
        if policy == StopPolicy::Hold {
            return;
        }
        let mut port = Port::new(&mut self.desk, row, seat.account, &seat.routes);
        port.cancel_all(None);
        if policy == StopPolicy::Flatten {
            for instrument in 0..port.desk().instruments.len() as InstrumentId {
                for &leg in port.legs(instrument) {
                    let held = port.leg(instrument, leg);
                    if held == 0 {
                        continue;
                    }
                    let side = if held > 0 { Side::Sell } else { Side::Buy };
                    let kind = OrderType::Market;
                    let mut spec = OrderSpec::new(instrument, side, kind, held.abs(), 0);
                    // Spot knows no reduce-only; there a strategy holds what it has.
                    spec.reduce_only =
                        port.desk().instruments[instrument as usize].kind != Kind::Spot;
                    spec.position_side = leg;
                    port.place(spec, Some(Box::from(&b"stop policy: flatten\0"[..])));
                }
            }
        }
    }

    /// Lets everything that waits take its turn.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    #[inline]
    pub fn settle(&mut self) -> Result<(), EngineError> {
        if self.holds {
            return Ok(());
        }
        if !self.desk.outbox.turns.is_empty() {
            self.settle_turns()?;
        }
        if self.desk.outbox.listens.is_empty() {
            return Ok(());
        }
        self.listeners_changed = true;
        for change in std::mem::take(&mut self.desk.outbox.listens) {
            self.listens.push(change);
            let ListenRequest { strategy, instrument, wants, interval_ns, on } = change;
            self.unlisten(strategy, instrument, wants, interval_ns);
            if on {
                self.listen(strategy, instrument, wants, interval_ns);
            }
        }
        Ok(())
    }

    fn settle_turns(&mut self) -> Result<(), EngineError> {
        for seat in &mut self.seats {
            seat.commands = 0;
        }
        while let Some(turn) = self.desk.outbox.turns.pop_front() {
            match turn {
                Turn::Command(command) => {
                    let strategy = self.desk.strategy_of(&command);
                    if let Some(seat) = self.seats.get_mut((strategy as usize).wrapping_sub(1)) {
                        seat.commands += 1;
                        if seat.commands > MAX_COMMANDS_PER_INPUT && seat.running {
                            self.trip(strategy, command)?;
                            continue;
                        }
                    }
                    self.desk.apply_command(command)?;
                }
                Turn::Notice(notice) => self.deliver(notice),
            }
        }
        Ok(())
    }

    /// Stops a strategy whose commands flood the desk, and refuses what it still asks.
    #[cold]
    fn trip(&mut self, strategy: u16, command: Command) -> Result<(), EngineError> {
        let reason = format!("breaker: more than {MAX_COMMANDS_PER_INPUT} commands in a row");
        let mut dropped = vec![command];
        for turn in std::mem::take(&mut self.desk.outbox.turns) {
            match turn {
                Turn::Command(command) if self.desk.strategy_of(&command) == strategy => {
                    dropped.push(command);
                }
                other => self.desk.outbox.turns.push_back(other),
            }
        }
        for command in dropped {
            // Cancels and amendments are simply not sent; the stop policy cancels what is open.
            if let Command::Place { id, text } = command {
                self.desk.refuse(id, text.as_deref().unwrap_or_default(), &reason)?;
            }
        }
        let message = format!(
            "gave more than {MAX_COMMANDS_PER_INPUT} commands without any event in between; \
             look for a loop that places orders in answer to its own orders"
        );
        let seat = &mut self.seats[strategy as usize - 1];
        let mut port = Port::new(&mut self.desk, strategy, seat.account, &seat.routes);
        seat.strategy.on_breaker(&message, &mut port);
        self.fail(strategy, Fault { message }, 3);
        Ok(())
    }

    // ---- inputs ---------------------------------------------------------------------------

    /// A finished bar.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    #[inline]
    pub fn bar(&mut self, bar: &Bar, now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        self.desk.bar(bar)?;
        for at in 0..self.listeners[bar.instrument as usize].len() {
            let Some(&l) = self.listeners[bar.instrument as usize].get(at) else { break };
            let fits = l.interval_ns == 0 || l.interval_ns == bar.ts_close - bar.ts_open;
            if l.wants & wants::BARS != 0 && fits {
                self.call(l.seat, &Event::Bar(bar));
            }
        }
        self.settle()
    }

    /// Whole messages of a book feed that nobody watches, up to an arrival; says how many rows.
    #[inline]
    pub fn ticks_before(&mut self, rows: &[Tick], before_ns: i64) -> usize {
        let count = self.desk.ticks_before(rows, before_ns);
        if count > 0 {
            self.desk.now_ns = rows[count - 1].ts_recv;
        }
        count
    }

    /// One message of a watched book feed: the desk learns it, then its listeners hear of it.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn watched_ticks(&mut self, rows: &[Tick], now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        let Some(first) = rows.first() else { return Ok(()) };
        let instrument = first.instrument;
        let before = self.best_to_tell(instrument);
        self.desk.ticks(rows);
        if self.quotes_of_books[instrument as usize] {
            self.tell_best(instrument, before, rows)?;
        }
        for at in 0..self.listeners[instrument as usize].len() {
            let Some(&l) = self.listeners[instrument as usize].get(at) else { break };
            if l.wants & wants::TRADES != 0 {
                for row in rows.iter().filter(|row| row.flags & TICK_TRADE != 0) {
                    self.call(l.seat, &Event::Trade(&trade_of(row)));
                }
            }
            let is_book = rows.iter().any(|row| row.flags & (TICK_TRADE | TICK_LAST) == TICK_LAST);
            if l.wants & wants::BOOKS != 0 && is_book {
                self.call(l.seat, &Event::Book(instrument));
            }
        }
        self.settle()
    }

    /// The book's best levels, if they are told as quotes and somebody listens.
    fn best_to_tell(&self, instrument: InstrumentId) -> Option<Best> {
        if !self.quotes_of_books[instrument as usize] || !self.is_watched(instrument, wants::QUOTES)
        {
            return None;
        }
        let book = &self.desk.markets[instrument as usize].book;
        Some(book.best().unwrap_or_default())
    }

    /// Tells the best levels as a quote, if a message changed them.
    fn tell_best(
        &mut self,
        instrument: InstrumentId,
        before: Option<Best>,
        rows: &[Tick],
    ) -> Result<(), EngineError> {
        let (Some(before), Some(last)) = (before, rows.last()) else { return Ok(()) };
        let Some(now) = self.best_to_tell(instrument) else { return Ok(()) };
        let (bid, ask) = now;
        if now == before || bid.qty == 0 {
            return Ok(());
        }
        let quote = Quote {
            ts_exchange: last.ts_exchange,
            ts_recv: last.ts_recv,
            instrument,
            bid_price: bid.price,
            bid_qty: bid.qty,
            ask_price: ask.price,
            ask_qty: ask.qty,
            update_id: 0,
        };
        self.tell(instrument, wants::QUOTES, &Event::Quote(&quote))
    }

    /// A public trade outside a book feed.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn trade(&mut self, trade: &Trade, now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        self.desk.trade(trade);
        self.tell(trade.instrument, wants::TRADES, &Event::Trade(trade))
    }

    /// A best bid and offer outside a book feed.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn quote(&mut self, quote: &Quote, now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        self.desk.quote(quote);
        self.tell(quote.instrument, wants::QUOTES, &Event::Quote(quote))
    }

    /// A mark price.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn mark(&mut self, mark: &MarkPrice, now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        self.desk.mark(mark)?;
        self.tell(mark.instrument, wants::MARKS, &Event::Mark(mark))
    }

    /// A funding settlement was published.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn funding(&mut self, funding: &Funding, now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        self.tell(funding.instrument, wants::FUNDING, &Event::Funding(funding))
    }

    /// What a venue publishes beside prices, trades and books.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn published(&mut self, row: &Published, now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        let bit = match row {
            Published::Index(_) => wants::INDEXES,
            Published::OpenInterest(_) => wants::INTEREST,
            Published::Liquidation(_) => wants::LIQUIDATIONS,
            Published::Ticker(_) => wants::TICKERS,
        };
        self.tell(row.instrument(), bit, &Event::Published(row))
    }

    /// Funding was exchanged on an account's position.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn funding_paid(
        &mut self,
        account: u16,
        funding: &Funding,
        now_ns: i64,
    ) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        self.desk.funding(account, funding)?;
        self.settle()
    }

    fn tell(
        &mut self,
        instrument: InstrumentId,
        bit: u32,
        event: &Event<'_>,
    ) -> Result<(), EngineError> {
        for at in 0..self.listeners[instrument as usize].len() {
            let Some(&l) = self.listeners[instrument as usize].get(at) else { break };
            if l.wants & bit != 0 {
                self.call(l.seat, event);
            }
        }
        self.settle()
    }

    /// What the venue says about one of our orders.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    #[inline]
    pub fn report(&mut self, report: &Report, now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        self.desk.report(report)?;
        self.settle()
    }

    /// A timer of a strategy is due.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    #[inline]
    pub fn timer(&mut self, strategy: u16, timer: u32, due_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = due_ns;
        self.call(strategy, &Event::Timer(timer, due_ns));
        self.settle()
    }
}
