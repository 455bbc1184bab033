//! An engine that is driven by events as they come: live, or on paper.
//!
//! ```text
//!  market event ─► [paper venue] ─► engine ─► requests ─► gateway, or the paper venue
//!  input, timer ───────────────────►│  │ └──► journal: before any request leaves
//!                                   paper venue's reports come back as inputs
//! ```
//!
//! The shell calls these methods, sends what [`Live::take_requests`] gives once the journal is as
//! durable as its policy says, and calls [`Live::advance`] at [`Live::next_ns`]. Events are told
//! inside [`Live::hear`]: one message is one instant.

use crate::desk::Input;
use crate::engine::{Engine, EngineError};
use crate::facts;
use crate::instrument::InstrumentId;
use crate::liquidation::insured;
use crate::market::{Bar, Funding, MarkPrice, Published, Quote, Tick, Trade};
use crate::order::Request;
use crate::paper::Paper;
use crate::strategy::Strategy;
use crate::timers::Timers;

/// An engine, its timers, what waits to be sent, and the paper venue if it trades on paper.
pub struct Live<S> {
    /// The engine.
    pub engine: Engine<S>,
    /// The venue of a paper run.
    pub paper: Option<Paper>,
    timers: Timers,
    requests: Vec<Request>,
}

impl<S: Strategy> Live<S> {
    /// A live engine, or with a venue a paper one. Its desk must be live as well.
    #[must_use]
    pub fn new(engine: Engine<S>, paper: Option<Paper>) -> Self {
        Live { engine, paper, timers: Timers::default(), requests: Vec::new() }
    }

    /// Tells the strategies that the run begins.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn start(&mut self, now_ns: i64) -> Result<(), EngineError> {
        self.engine.desk.now_ns = now_ns;
        self.engine.start()?;
        self.collect();
        Ok(())
    }

    /// Tells the strategies that the run ends.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn stop(&mut self, now_ns: i64) -> Result<(), EngineError> {
        self.engine.desk.now_ns = now_ns;
        self.engine.stop()?;
        self.collect();
        Ok(())
    }

    /// Ends the run by the strategies' stop policies.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn wind_down(&mut self, now_ns: i64) -> Result<(), EngineError> {
        self.engine.desk.now_ns = now_ns;
        self.engine.wind_down()?;
        self.collect();
        if self.paper.is_some() {
            self.advance(now_ns)?;
        }
        Ok(())
    }

    /// Cancels and closes what is left of a strategy that has left; see [`Engine::unwind_rest`].
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn unwind_rest(&mut self, row: u16, now_ns: i64) -> Result<(), EngineError> {
        self.engine.desk.now_ns = now_ns;
        self.engine.unwind_rest(row)?;
        self.collect();
        if self.paper.is_some() {
            self.advance(now_ns)?;
        }
        Ok(())
    }

    /// Applies an input.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn input(&mut self, input: &Input, now_ns: i64) -> Result<(), EngineError> {
        self.engine.input(input, now_ns)?;
        self.collect();
        Ok(())
    }

    /// Something is heard at `now_ns`, all of it at once: what was due before happens first, then
    /// `sequence` is the market's, `tell` gives the events, and what is due with them comes last.
    ///
    /// A batch says by its market sequence behind which message it stands, and no more. So nothing
    /// may happen between the events of one message, nor under its number before the first.
    ///
    /// # Errors
    ///
    /// What `tell` gives, or [`EngineError`] if the desk cannot go on.
    #[inline]
    pub fn hear<R, E: From<EngineError>>(
        &mut self,
        now_ns: i64,
        sequence: Option<u64>,
        tell: impl FnOnce(&mut Hearing<'_, S>) -> Result<R, E>,
    ) -> Result<R, E> {
        if self.paper.is_some() {
            self.advance(now_ns - 1)?;
        }
        if let Some(sequence) = sequence {
            self.engine.desk.pin_market(sequence);
        }
        if let Some(paper) = &mut self.paper {
            paper.heard_ns = now_ns;
        }
        let told = tell(&mut Hearing { live: self, now_ns })?;
        if let Some(paper) = &mut self.paper {
            paper.liquidate(&mut self.engine.desk).map_err(EngineError::from)?;
            self.advance(now_ns)?;
        }
        Ok(told)
    }

    /// When something is due by itself, ns: a timer, or a report of the paper venue.
    pub fn next_ns(&mut self) -> Option<i64> {
        let timer = self.timers.next_ns();
        let report = self.paper.as_ref().and_then(Paper::next_ns);
        [timer, report].into_iter().flatten().min()
    }

    /// Lets everything happen that is due at or before `now_ns`. Returns how many things were.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn advance(&mut self, now_ns: i64) -> Result<usize, EngineError> {
        let mut happened = 0;
        loop {
            let timer = self.timers.next_ns().unwrap_or(i64::MAX);
            let report = self.paper.as_ref().and_then(Paper::next_ns).unwrap_or(i64::MAX);
            if timer.min(report) > now_ns {
                return Ok(happened);
            }
            happened += 1;
            if report <= timer {
                let heard = self.paper.as_mut().and_then(|paper| paper.next(report));
                if let Some(input) = heard {
                    let at = report.max(self.engine.desk.now_ns);
                    self.input(&input, at)?;
                    self.insure(&input, at)?;
                }
            } else if let Some((strategy, timer, due_ns)) = self.timers.pop_due(now_ns) {
                let due = facts::TimerDue { strategy, timer, due_ns };
                let at = if self.paper.is_some() { due_ns } else { now_ns };
                self.input(&Input::Timer(due), at.max(self.engine.desk.now_ns))?;
            }
        }
    }

    /// Behind a liquidation on paper, the insurance fund covers what the account would owe.
    fn insure(&mut self, heard: &Input, at_ns: i64) -> Result<(), EngineError> {
        let Input::External { fact, .. } = heard else { return Ok(()) };
        let covered = insured(&self.engine.desk, fact.account, fact.instrument, fact.ts_exchange);
        covered.map_or(Ok(()), |covered| self.input(&covered, at_ns))
    }

    /// True if some request is to leave.
    #[must_use]
    pub fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Takes the requests that are to leave, oldest first.
    pub fn take_requests(&mut self) -> Vec<Request> {
        std::mem::take(&mut self.requests)
    }

    /// Sets the timers that strategies asked for, and puts requests on their way.
    #[inline]
    fn collect(&mut self) {
        let desk = &mut self.engine.desk;
        for timer in desk.outbox.timers.drain(..) {
            self.timers.set(&timer, desk.now_ns);
        }
        match &mut self.paper {
            Some(paper) => desk.outbox.requests.drain(..).for_each(|request| paper.take(request)),
            None => self.requests.append(&mut desk.outbox.requests),
        }
    }
}

/// The instant at which a message is heard: its events, in order. See [`Live::hear`].
pub struct Hearing<'a, S> {
    live: &'a mut Live<S>,
    now_ns: i64,
}

impl<S: Strategy> Hearing<'_, S> {
    /// The engine, for what is heard and is no event.
    pub fn engine(&mut self) -> &mut Engine<S> {
        &mut self.live.engine
    }

    /// Rows of one message of a book feed.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn ticks(&mut self, rows: &[Tick]) -> Result<(), EngineError> {
        self.see(|paper| paper.ticks(rows));
        self.live.engine.watched_ticks(rows, self.now_ns)?;
        self.live.collect();
        Ok(())
    }

    /// What the venue publishes beside prices, trades and books.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn published(&mut self, row: &Published) -> Result<(), EngineError> {
        self.live.engine.published(row, self.now_ns)?;
        self.live.collect();
        Ok(())
    }

    /// A market is to be believed, or is not and why.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    #[inline]
    pub fn market_state(
        &mut self,
        instrument: InstrumentId,
        stale: Option<&str>,
    ) -> Result<(), EngineError> {
        self.live.engine.market_state(instrument, stale, self.now_ns)?;
        self.live.collect();
        Ok(())
    }

    /// A public trade.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn trade(&mut self, trade: &Trade) -> Result<(), EngineError> {
        self.see(|paper| paper.trade(trade));
        self.live.engine.trade(trade, self.now_ns)?;
        self.live.collect();
        Ok(())
    }

    /// A best bid and offer.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn quote(&mut self, quote: &Quote) -> Result<(), EngineError> {
        self.see(|paper| paper.quote(quote));
        self.live.engine.quote(quote, self.now_ns)?;
        self.live.collect();
        Ok(())
    }

    /// A finished bar.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn bar(&mut self, bar: &Bar) -> Result<(), EngineError> {
        self.see(|paper| paper.bar(bar));
        self.live.engine.bar(bar, self.now_ns)?;
        self.live.collect();
        Ok(())
    }

    /// A mark price.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn mark(&mut self, mark: &MarkPrice) -> Result<(), EngineError> {
        self.see(|paper| paper.mark(mark));
        self.live.engine.mark(mark, self.now_ns)?;
        self.live.collect();
        Ok(())
    }

    /// A funding settlement was published.
    ///
    /// # Errors
    ///
    /// [`EngineError`] if the desk cannot go on.
    pub fn funding(&mut self, funding: &Funding) -> Result<(), EngineError> {
        self.see(|paper| paper.funding(funding));
        self.live.engine.funding(funding, self.now_ns)?;
        self.live.collect();
        Ok(())
    }

    /// On paper the venue sees an event before the engine.
    #[inline]
    fn see(&mut self, see: impl FnOnce(&mut Paper)) {
        if let Some(paper) = &mut self.live.paper {
            see(paper);
        }
    }
}
