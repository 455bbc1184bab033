//! What a live engine does beyond a backtest's: inputs as values, saved states, restarts, and the
//! check that strategies give the same commands again.

use super::{Engine, EngineError, StopPolicy};
use crate::desk::input::{Deed, Layouts};
use crate::desk::{Input, InputError, Notice, RecoveredNotice, Recovery};
use crate::facts;
use crate::instrument::{InstrumentId, Kind};
use crate::journal::{first_difference, JournalError, Reader};
use crate::order::{OrderId, OrderSpec, OrderType, PositionSide, Side};
use crate::order_state::Pending;
use crate::strategy::{wants, Event, Fault, Port, Strategy, SystemEvent, SystemKind};

/// The state of a strategy that was stopped by its policy.
const WOUND_DOWN: u8 = 4;

/// State of a strategy that has left, and had to cancel or close once more.
const UNWOUND_AGAIN: u8 = 5;

/// Why a run does not verify.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VerifyError {
    /// The engine cannot go on.
    Engine(EngineError),
    /// The strategies gave other commands, or none, at this batch; in words.
    Differs(u64, String),
    /// A batch cannot be read.
    Input(u64, InputError),
    /// What was made cannot be read again.
    Journal(JournalError),
    /// The market stream failed.
    Market(String),
}

impl std::fmt::Display for VerifyError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            VerifyError::Engine(error) => write!(f, "{error}"),
            VerifyError::Differs(sequence, what) => {
                write!(f, "batch {sequence} of the journal does not come again: {what}")
            }
            VerifyError::Input(sequence, error) => write!(f, "batch {sequence}: {error}"),
            VerifyError::Journal(error) => write!(f, "{error}"),
            VerifyError::Market(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for VerifyError {}

impl From<EngineError> for VerifyError {
    fn from(error: EngineError) -> Self {
        VerifyError::Engine(error)
    }
}

impl<S: Strategy> Engine<S> {
    /// Applies an input and lets everything that it causes take its turn.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn input(&mut self, input: &Input, now_ns: i64) -> Result<(), EngineError> {
        self.desk.apply(input, now_ns)?;
        if let Input::Timer(due) = input {
            self.call(due.strategy, &Event::Timer(due.timer, due.due_ns));
        }
        self.settle()
    }

    /// Ends the run by the strategies' stop policies: each hears that it ends, then its orders are
    /// cancelled and its position is closed as its policy says. None is called again.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn wind_down(&mut self) -> Result<(), EngineError> {
        for row in 1..=self.seats.len() as u16 {
            self.call(row, &Event::Stop);
            let seat = &mut self.seats[usize::from(row) - 1];
            if seat.running {
                seat.running = false;
                self.note_state(row, WOUND_DOWN, "");
                self.leave(row);
            }
        }
        self.settle()
    }

    /// Strategies that have left and whose stop policy is not done: an order of theirs is open and
    /// nobody cancels it, or one that was under way has traded since and what it brought can be
    /// closed. While an order is open nothing is closed: what it comes to is not known yet.
    #[must_use]
    pub fn still_to_unwind(&mut self) -> Vec<u16> {
        let rows = 1..=self.seats.len() as u16;
        rows.filter(|row| !self.left_open(*row).is_empty() || !self.rest_of(*row).is_empty())
            .collect()
    }

    /// Cancels and closes what [`still_to_unwind`](Self::still_to_unwind) found of a strategy.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn unwind_rest(&mut self, row: u16) -> Result<(), EngineError> {
        let (open, rest) = (self.left_open(row), self.rest_of(row));
        if !open.is_empty() || !rest.is_empty() {
            self.note_state(row, UNWOUND_AGAIN, "");
            let seat = &self.seats[usize::from(row) - 1];
            let mut port = Port::new(&mut self.desk, row, seat.account, &seat.routes);
            for id in open {
                port.cancel(id);
            }
            for spec in rest {
                port.place(spec, Some(Box::from(&b"stop policy: flatten\0"[..])));
            }
        }
        self.settle()
    }

    /// Orders of a strategy that has left, which were to be cancelled and are not being cancelled:
    /// the venue did not know them yet when it was asked, or the cancel never left.
    fn left_open(&mut self, row: u16) -> Vec<OrderId> {
        let seat = &self.seats[usize::from(row) - 1];
        if seat.running || seat.stop_policy == StopPolicy::Hold {
            return Vec::new();
        }
        let port = Port::new(&mut self.desk, row, seat.account, &seat.routes);
        let orders = port.own_open(None).filter_map(|id| port.desk().orders.get(id));
        orders.filter(|order| order.cancel == Pending::None).map(|order| order.id).collect()
    }

    fn rest_of(&mut self, row: u16) -> Vec<OrderSpec> {
        let seat = &self.seats[usize::from(row) - 1];
        if seat.running || seat.stop_policy != StopPolicy::Flatten {
            return Vec::new();
        }
        let port = Port::new(&mut self.desk, row, seat.account, &seat.routes);
        if port.own_open(None).next().is_some() {
            return Vec::new();
        }
        let mut rest = Vec::new();
        for row in 0..port.desk().instruments.len() as InstrumentId {
            let instrument = &port.desk().instruments[row as usize];
            let is_spot = instrument.kind == Kind::Spot;
            for &leg in port.legs(row) {
                let held = port.leg(row, leg);
                // On spot the fees leave a crumb that nobody can sell.
                let step =
                    if is_spot { instrument.lot.max(instrument.filters.market_lot) } else { 1 };
                let qty = held.abs() / step * step;
                let price = port.desk().reference_price(row);
                let worth = instrument.notional(qty, price.max(1)).unwrap_or(0);
                let filters = &instrument.filters;
                let is_crumb = is_spot && price > 0 && worth < filters.min_notional;
                if qty < filters.min_qty.max(1) || is_crumb {
                    continue;
                }
                let side = if held > 0 { Side::Sell } else { Side::Buy };
                let mut spec = OrderSpec::new(row, side, OrderType::Market, qty, 0);
                spec.reduce_only = !is_spot;
                spec.position_side = leg;
                rest.push(spec);
            }
        }
        rest
    }

    /// Lets every strategy that runs save its state; each is a record of its own.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn save_states(&mut self, now_ns: i64) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        for row in 1..=self.seats.len() as u16 {
            // Each by itself, as `verify` does it: one that raises leaves at once.
            self.save_state(row);
            self.settle()?;
        }
        Ok(())
    }

    fn save_state(&mut self, row: u16) {
        let seat = &mut self.seats[usize::from(row) - 1];
        if !seat.running {
            return;
        }
        match seat.strategy.save() {
            Ok(Some(state)) => {
                self.desk.note_saved(row, &state);
            }
            Ok(None) => {}
            Err(fault) => {
                let message = format!("save raised {}", fault.message);
                self.fail(row, Fault { message }, 2);
            }
        }
    }

    /// Begins an epoch, before [`Engine::start`]. After a recovery what was under way is doubted,
    /// saved states are loaded, and each own notice since is told, marked recovered; what was found
    /// out before comes behind it. Gives the fault of a strategy that did not load, if one did not:
    /// the engine is then not to be started.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn begin(
        &mut self,
        epoch: (u32, u32),
        recovery: Option<&Recovery>,
        now_ns: i64,
    ) -> Result<Option<Fault>, EngineError> {
        let (epoch, instance) = epoch;
        self.input(&Input::Epoch { epoch, instance }, now_ns)?;
        let Some(recovery) = recovery else { return Ok(None) };
        self.desk.doubt_all("the engine was restarted");
        for row in 1..=self.seats.len() as u16 {
            let Some((_, state)) = recovery.saved_state(row) else { continue };
            if let Err(fault) = self.load_state(row, state) {
                let message = format!("load of strategy {row} raised {}", fault.message);
                return Ok(Some(Fault { message }));
            }
        }
        self.holds = false;
        let waiting = std::mem::take(&mut self.desk.outbox.turns);
        self.tell_recovered(&recovery.notices)?;
        self.desk.outbox.turns.extend(waiting);
        Ok(None)
    }

    /// Gives a strategy back what it saved, before the engine starts.
    ///
    /// # Errors
    ///
    /// What the strategy raised.
    pub fn load_state(&mut self, row: u16, state: &[u8]) -> Result<(), Fault> {
        self.seats[usize::from(row) - 1].strategy.load(state)
    }

    /// Tells strategies what happened to their orders after their saved states. Orders that they
    /// give meanwhile are refused by the rule `recovering`: what they answer was answered once.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn tell_recovered(&mut self, notices: &[RecoveredNotice]) -> Result<(), EngineError> {
        self.desk.is_recovering = true;
        for told in notices {
            if usize::from(told.strategy) > self.seats.len() {
                continue;
            }
            self.deliver(told.notice.clone());
        }
        let result = self.settle();
        self.desk.is_recovering = false;
        result
    }

    /// Hands one notice to whom it concerns.
    #[inline]
    pub(super) fn deliver(&mut self, notice: Notice) {
        match notice {
            Notice::Order { id, strategy } => {
                if strategy != super::EXTERNAL
                    && self.seats[strategy as usize - 1].own & wants::ORDERS != 0
                    && self.desk.orders.get(id).is_some()
                {
                    self.call(strategy, &Event::Order(id));
                }
                self.desk.orders.forget(id);
            }
            Notice::Fill(fill) => {
                if fill.strategy == super::EXTERNAL {
                    return;
                }
                let own = self.seats[fill.strategy as usize - 1].own;
                if own & wants::FILLS != 0 {
                    self.call(fill.strategy, &Event::Fill(&fill));
                }
                if own & wants::POSITIONS != 0 {
                    let order = self.desk.orders.get(fill.order);
                    let leg = order.map_or(PositionSide::Both, |order| order.spec.position_side);
                    self.call(fill.strategy, &Event::Position(fill.instrument, leg));
                }
                if own & wants::ACCOUNTS != 0 {
                    self.call(fill.strategy, &Event::Account(fill.account));
                }
            }
            Notice::Funding(account) => {
                for row in 1..=self.seats.len() as u16 {
                    let seat = &self.seats[row as usize - 1];
                    let is_its = seat.account == account || seat.routes.contains(&account);
                    if is_its && seat.own & wants::ACCOUNTS != 0 {
                        self.call(row, &Event::Account(account));
                    }
                }
            }
            Notice::Frozen(fact, reason) => self.tell_frozen(&fact, &reason),
        }
    }

    /// Tells whom it concerns that a scope is frozen or released.
    fn tell_frozen(&mut self, fact: &facts::Frozen, reason: &str) {
        let kind = if fact.on { SystemKind::Frozen } else { SystemKind::Released };
        let instrument = (fact.instrument != u32::MAX).then_some(fact.instrument);
        let event = SystemEvent { kind, instrument, reason };
        for row in 1..=self.seats.len() as u16 {
            let seat = &self.seats[usize::from(row) - 1];
            let is_its = (fact.strategy == u16::MAX || fact.strategy == row)
                && (fact.account == u16::MAX
                    || seat.account == fact.account
                    || seat.routes.contains(&fact.account));
            if is_its && seat.own & wants::SYSTEM != 0 {
                self.call(row, &Event::System(&event));
            }
        }
    }

    /// From here on a market is to be believed, or is not, and why. Who listens to it is told
    /// when that changes.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    #[inline]
    pub fn market_state(
        &mut self,
        instrument: InstrumentId,
        stale: Option<&str>,
        now_ns: i64,
    ) -> Result<(), EngineError> {
        if self.desk.markets[instrument as usize].is_stale == stale.is_some() {
            return Ok(());
        }
        self.market_changed(instrument, stale, now_ns)
    }

    #[cold]
    fn market_changed(
        &mut self,
        instrument: InstrumentId,
        stale: Option<&str>,
        now_ns: i64,
    ) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        self.desk.markets[instrument as usize].is_stale = stale.is_some();
        let kind = if stale.is_some() { SystemKind::MarketStale } else { SystemKind::MarketReady };
        let reason = stale.unwrap_or_default();
        let event = SystemEvent { kind, instrument: Some(instrument), reason };
        for row in 1..=self.seats.len() as u16 {
            let listens = &self.listeners[instrument as usize];
            let is_wanted = self.seats[usize::from(row) - 1].own & wants::SYSTEM != 0;
            if is_wanted && listens.iter().any(|listener| listener.seat == row) {
                self.call(row, &Event::System(&event));
            }
        }
        self.settle()
    }

    /// Runs the strategies again on the inputs of a segment, and compares what they do: every
    /// batch must come again, byte for byte.
    ///
    /// The engine is fresh, with the strategies seated and not started, or has just verified the
    /// segment before. `recovery` is what it was recovered with, if the run went on from another.
    /// `market` applies the events of the market stream up to and with a sequence.
    ///
    /// # Errors
    ///
    /// [`VerifyError`] names the first batch that does not come again.
    pub fn verify<B: AsRef<[u8]>>(
        &mut self,
        segment: &Reader<B>,
        recovery: Option<&Recovery>,
        mut market: impl FnMut(&mut Self, u64) -> Result<(), String>,
    ) -> Result<u64, VerifyError> {
        let mut made = Vec::new();
        let committed_ns = self.desk.journal.committed_ns();
        self.desk.journal = crate::journal::Journal::new(segment.header());
        self.desk.journal.resume_clock(committed_ns);
        let layouts = Layouts::of(segment.header());
        for batch in segment.batches() {
            let sequence = batch.sequence;
            if self.desk.journal.sequence() < sequence {
                market(self, batch.market_sequence).map_err(VerifyError::Market)?;
            }
            if self.desk.journal.sequence() < sequence {
                self.desk.pin_market(batch.market_sequence);
                let deed = layouts.deed(&batch);
                let deed = deed.map_err(|error| VerifyError::Input(sequence, error))?;
                let Deed::Input(input) = deed else {
                    let what = "a strategy gave a command there that it does not give now";
                    return Err(VerifyError::Differs(sequence, what.to_owned()));
                };
                self.again(&input, recovery, batch.now_ns)?;
            }
            self.desk.outbox.requests.clear();
            self.desk.outbox.timers.clear();
            if self.desk.journal.sequence() < sequence {
                let what = "the input that it starts with does nothing now".to_owned();
                return Err(VerifyError::Differs(sequence, what));
            }
            self.desk.journal.drain_into(&mut made);
        }
        let last = self.desk.journal.sequence();
        if segment.check().is_sealed {
            self.desk.journal.close();
            self.desk.journal.drain_into(&mut made);
        }
        let made = Reader::new(made).map_err(VerifyError::Journal)?;
        match first_difference(&made, segment) {
            None => Ok(last),
            Some(what) => Err(VerifyError::Differs(last, what)),
        }
    }

    /// An input as its shell gave it.
    fn again(
        &mut self,
        input: &Input,
        recovery: Option<&Recovery>,
        now_ns: i64,
    ) -> Result<(), EngineError> {
        self.desk.now_ns = now_ns;
        match input {
            Input::Epoch { epoch, instance } => {
                self.begin((*epoch, *instance), recovery, now_ns).map(|_| ())
            }
            Input::State { fact, .. } if fact.state == 0 => self.start(),
            Input::State { fact, .. } if fact.state == 1 => self.stop(),
            Input::State { fact, .. } if fact.state == WOUND_DOWN => self.wind_down(),
            Input::State { fact, .. } if fact.state == UNWOUND_AGAIN => {
                self.unwind_rest(fact.strategy)
            }
            // A fault that no event explains: the strategy raised when it was to save its state.
            Input::State { fact, .. } if fact.state == 2 => {
                self.save_state(fact.strategy);
                self.settle()
            }
            Input::Saved { strategy, .. } => {
                self.save_state(*strategy);
                self.settle()
            }
            _ => self.input(input, now_ns),
        }
    }
}
