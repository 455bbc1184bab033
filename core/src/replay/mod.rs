//! The backtest's loop: an engine and a simulated venue on one timeline.
//!
//! ```text
//!  rows ──► venue at ts_exchange ──► reports ─┐ report latency
//!    └────► engine at ts_recv ──► requests ─┐ │
//!                  ▲                        │ │ entry latency
//!                  └──── timeline ◄─────────┴─┘
//! ```
//!
//! There are two clocks. The venue sees an event when it happened, the strategy when it arrives.
//! One order of (time, rank, sub-rank, sequence) decides everything ([`timeline`]). Feeds that no
//! callback watches are applied lazily, just before something that could read them.
//!
//! [`timeline`]: crate::matching::timeline

mod later;
mod quiet;
mod sampling;
mod stream;
mod watching;

use later::{DueTimer, Later};
pub use sampling::Sample;
use stream::{each, message_len, Lane};
pub use stream::{Fetch, Row, Source, Stream, TimedBar};

use std::collections::BTreeMap;

use crate::engine::{Engine, EngineError};
use crate::instrument::InstrumentId;
use crate::liquidation::Liquidation;
use crate::market::Funding;
use crate::matching::timeline::{prints_first, Key, Timeline, FEED, LATE_OPEN, MARKET, TIMER};
use crate::matching::Channel;
use crate::matching::Venue;
use crate::strategy::Strategy;

/// Why a replay cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// The engine refused an input.
    Engine(EngineError),
    /// The data cannot be replayed.
    Data(String),
    /// The source of the data failed; the caller knows why.
    Source(String),
}

impl std::fmt::Display for ReplayError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReplayError::Engine(error) => write!(f, "{error}"),
            ReplayError::Data(text) | ReplayError::Source(text) => f.write_str(text),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<EngineError> for ReplayError {
    fn from(error: EngineError) -> Self {
        ReplayError::Engine(error)
    }
}

/// Takes journal bytes off the engine's hands, in order; it copies what it wants to keep.
pub type JournalSink = Box<dyn FnMut(&[u8]) -> Result<(), String>>;

/// Journal bytes that may wait before the sink gets them.
const SINK_BYTES: usize = 1 << 18;

/// How a replay runs.
pub struct ReplaySettings {
    /// From sending to arrival at the venue.
    pub entry: Channel,
    /// From the venue to the strategy.
    pub report: Channel,
    /// Account whose equity is sampled, and the asset that it is told in.
    pub sampled: (u16, u16),
    /// Distance of equity samples, ns; 0 takes none.
    pub sample_every_ns: i64,
    /// Bars' first points come after all else of their instant (`tie=before_open`).
    pub open_last: bool,
}

/// An engine and a venue on one timeline.
pub struct Replay<S> {
    /// The engine.
    pub engine: Engine<S>,
    /// The simulated venue.
    pub venue: Venue,
    /// The equity curve.
    pub samples: Vec<Sample>,
    /// Event time of the last row that the engine saw.
    pub ended_ns: i64,
    /// Where journal bytes go while the run goes on; without one they wait in the engine.
    pub sink: Option<JournalSink>,
    settings: ReplaySettings,
    lanes: Vec<Lane>,
    later: Later,
    next_sample_ns: i64,
    liquidation: Liquidation,
    /// Positions that the venue took over so far.
    liquidations: u64,
    fundings: BTreeMap<(InstrumentId, i64), Funding>,
    marks: Vec<i64>,
    /// Length of the shortest bars of each instrument, ns.
    shortest: Vec<i64>,
    timers: BTreeMap<(u16, u32), u32>,
    /// Time of the first row, known once the lanes are primed.
    first_ns: i64,
}

impl<S: Strategy> Replay<S> {
    /// A replay that has not begun.
    #[must_use]
    pub fn new(engine: Engine<S>, venue: Venue, settings: ReplaySettings) -> Self {
        let marks = vec![0; engine.desk.instruments.len()];
        let shortest = vec![i64::MAX; marks.len()];
        Replay {
            engine,
            venue,
            samples: Vec::new(),
            ended_ns: 0,
            sink: None,
            settings,
            lanes: Vec::new(),
            later: Later::default(),
            next_sample_ns: i64::MAX,
            liquidation: Liquidation::default(),
            liquidations: 0,
            fundings: BTreeMap::new(),
            marks,
            shortest,
            timers: BTreeMap::new(),
            first_ns: i64::MAX,
        }
    }

    /// Adds a feed; feeds of one instant come in the order of adding.
    pub fn add(&mut self, source: Source) {
        let (venue_head, local_head) = (Key::MAX, Key::MAX);
        self.lanes.push(Lane { source, venue_head, local_head, watched: 0 });
    }

    /// Rows replayed so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.lanes.iter().map(|lane| each!(&lane.source, stream => stream.rows)).sum()
    }

    /// Runs from the first row to the last.
    ///
    /// # Errors
    ///
    /// [`ReplayError`] if the data or the engine cannot go on.
    pub fn run(&mut self) -> Result<(), ReplayError> {
        for lane in 0..self.lanes.len() {
            self.prime(lane)?;
            self.first_ns = self.first_ns.min(self.lanes[lane].local_head.time_ns());
            if let Source::Bars(stream) = &self.lanes[lane].source {
                if let Some(TimedBar { bar, .. }) = stream.venue_rows().first() {
                    let shortest = &mut self.shortest[bar.instrument as usize];
                    *shortest = (*shortest).min(bar.ts_close - bar.ts_open);
                }
            }
        }
        if self.first_ns == i64::MAX {
            return Err(ReplayError::Data("there is no row of data in the range".to_owned()));
        }
        self.engine.desk.now_ns = self.first_ns;
        self.ended_ns = self.first_ns;
        self.engine.start()?;
        if self.settings.sample_every_ns > 0 {
            let every = self.settings.sample_every_ns;
            self.next_sample_ns = (self.first_ns.div_euclid(every)) * every;
            if self.next_sample_ns < self.first_ns {
                self.next_sample_ns += every;
            }
        }
        self.choose_quotes();
        self.watch();
        self.collect();
        while !self.engine.has_fault {
            self.walk_quiet_bars()?;
            self.act_until_rows()?;
            if self.engine.has_fault || !self.step()? {
                break;
            }
            if self.engine.desk.journal.pending().len() > SINK_BYTES {
                self.pour()?;
            }
        }
        self.finish()?;
        self.engine.desk.journal.close();
        self.pour()
    }

    /// Gives the sink what the journal holds.
    #[cold]
    fn pour(&mut self) -> Result<(), ReplayError> {
        if let Some(sink) = &mut self.sink {
            let journal = &mut self.engine.desk.journal;
            sink(journal.pending()).map_err(ReplayError::Source)?;
            journal.discard();
        }
        Ok(())
    }

    /// What follows the last row: reports on their way, the strategies' farewell, a last sample.
    fn finish(&mut self) -> Result<(), ReplayError> {
        self.engine.stop()?;
        self.collect();
        self.later.timers = Timeline::default();
        loop {
            let key = self.later.next_key();
            if key == Key::MAX {
                break;
            }
            self.venue_until(key)?;
            self.schedule();
            self.act(self.later.next())?;
            self.collect();
            self.later.timers = Timeline::default();
        }
        let now = self.ended_ns.max(self.engine.desk.now_ns);
        if self.samples.last().is_none_or(|sample| sample.ts_ns < now) {
            self.sample(now)?;
        }
        Ok(())
    }

    /// One thing that the engine sees; false when nothing is left.
    #[inline]
    fn step(&mut self) -> Result<bool, ReplayError> {
        let generated = self.later.next();
        let (mut bound, mut lane, mut feeds_left) = (generated.0, usize::MAX, false);
        for (at, candidate) in self.lanes.iter().enumerate() {
            feeds_left |= candidate.local_head != Key::MAX;
            if candidate.watched != 0 && candidate.local_head < bound {
                (bound, lane) = (candidate.local_head, at);
            }
        }
        if !feeds_left {
            return Ok(false);
        }
        let sample = self.next_sample();
        let sampling = sample < bound;
        if sampling {
            bound = sample;
        }
        if self.venue_until(bound)? {
            self.schedule();
            return Ok(true);
        }
        self.catch_up(bound);
        if lane == usize::MAX && self.lanes.iter().all(|lane| lane.local_head == Key::MAX) {
            // The run ends with its data, also where the last rows were applied lazily.
            return Ok(false);
        }
        if sampling {
            if self.liquidates()? {
                return Ok(true); // what the venue says of it comes before the sample
            }
            self.sample(self.next_sample_ns)?;
            self.next_sample_ns += self.settings.sample_every_ns;
        } else if lane != usize::MAX {
            self.deliver(lane)?;
            self.collect();
        } else if generated.0 != Key::MAX {
            self.act(generated)?;
            self.collect();
        }
        Ok(true)
    }

    // ---- the venue's side -----------------------------------------------------------------

    /// Lets the venue see everything before `bound`; true if it stopped at reports.
    #[inline]
    fn venue_until(&mut self, bound: Key) -> Result<bool, ReplayError> {
        loop {
            let own = self.venue.next_key();
            let (mut head, mut lane, mut second) = (own, usize::MAX, bound);
            for (at, candidate) in self.lanes.iter().enumerate() {
                if candidate.venue_head < head {
                    second = second.min(head);
                    (head, lane) = (candidate.venue_head, at);
                } else {
                    second = second.min(candidate.venue_head);
                }
            }
            if head >= bound {
                return Ok(false);
            }
            let spoke = if lane == usize::MAX {
                !self.venue.advance(second)
            } else {
                self.venue_sees(lane, second)?
            };
            if spoke {
                return Ok(true);
            }
        }
    }

    /// Gives the venue the next rows of a lane, up to `limit`; true if it spoke.
    #[inline]
    fn venue_sees(&mut self, at: usize, limit: Key) -> Result<bool, ReplayError> {
        let lane = &mut self.lanes[at];
        let head = lane.venue_head;
        match &mut lane.source {
            Source::Ticks(stream) => {
                let rows = stream.venue_rows();
                // Strictly before the other's instant all rows go; at it, only this row's kind.
                let before = if limit.time_ns() > head.time_ns() || limit.rank() > MARKET {
                    limit.time_ns().saturating_add(i64::from(limit.rank() > MARKET))
                } else {
                    head.time_ns().saturating_add(1)
                };
                let tied = limit.time_ns() == head.time_ns() && limit.rank() <= MARKET;
                let rows = if tied {
                    let kind = rows[0].place();
                    let same = rows
                        .iter()
                        .take_while(|r| r.ts_exchange == head.time_ns() && r.place() == kind);
                    &rows[..same.count()]
                } else {
                    rows
                };
                let said = self.venue.reports.len();
                let count = self.venue.ticks(rows, before);
                let spoke = self.venue.reports.len() != said;
                if count > 0 {
                    stream.venue_passed(count);
                    self.prime_venue(at)?;
                } else if !spoke {
                    // The venue's own clock comes first.
                    return Ok(!self.venue.advance(head));
                }
                return Ok(spoke);
            }
            Source::Bars(stream) => {
                let bar = stream.venue_rows()[0].bar;
                stream.venue_passed(1);
                // Longer bars repeat the same trades: the venue's path is made of the shortest.
                if bar.ts_close - bar.ts_open <= self.shortest[bar.instrument as usize] {
                    self.venue.bar(&bar);
                }
            }
            Source::Trades(stream) => {
                let trade = stream.venue_rows()[0];
                stream.venue_passed(1);
                self.venue.trade(&trade);
            }
            Source::Quotes(stream) => {
                let quote = stream.venue_rows()[0];
                stream.venue_passed(1);
                self.venue.quote(&quote);
            }
            Source::Marks(stream) => {
                let mark = stream.venue_rows()[0];
                stream.venue_passed(1);
                self.marks[mark.instrument as usize] = mark.mark;
                self.venue.mark(mark.ts_exchange, mark.instrument, mark.mark);
                if mark.index > 0 {
                    self.venue.index(mark.ts_exchange, mark.instrument, mark.index);
                }
            }
            Source::Fundings(stream) => {
                let funding = stream.venue_rows()[0];
                stream.venue_passed(1);
                let known = (funding.mark > 0).then_some(funding.mark);
                self.venue.rate(funding.instrument, funding.rate, funding.ts_exchange, known);
                self.fundings.insert((funding.instrument, funding.ts_exchange), funding);
            }
            // Nothing at the venue follows from it.
            Source::Published(stream) => stream.venue_passed(1),
        }
        let spoke = !self.venue.reports.is_empty();
        self.prime_venue(at)?;
        Ok(spoke)
    }

    fn prime(&mut self, at: usize) -> Result<(), ReplayError> {
        self.prime_venue(at)?;
        self.prime_local(at);
        Ok(())
    }

    /// Finds the venue's next row of a lane.
    #[inline]
    fn prime_venue(&mut self, at: usize) -> Result<(), ReplayError> {
        let open_last = self.settings.open_last;
        let lane = &mut self.lanes[at];
        if let Source::Ticks(stream) = &mut lane.source {
            if stream.venue_rows().is_empty() {
                stream.fill(|rows| {
                    prints_first(rows);
                })?;
            }
        } else {
            each!(&mut lane.source, stream => if stream.venue_rows().is_empty() {
                stream.fill(|_| ())?;
            });
        }
        let was_empty = lane.local_head == Key::MAX;
        lane.venue_head = each!(&lane.source, stream => match stream.venue_rows().first() {
            Some(row) => {
                let (rank, sub) = row.place();
                Key::new(row.ts_exchange(), rank, sub).with_sequence(at as u64)
            }
            None => Key::MAX,
        });
        if open_last && matches!(lane.source, Source::Bars(_)) && lane.venue_head != Key::MAX {
            let time = lane.venue_head.time_ns();
            lane.venue_head = Key::new(time, LATE_OPEN, 0).with_sequence(at as u64);
        }
        if was_empty {
            self.prime_local(at);
        }
        Ok(())
    }

    /// Finds the engine's next row of a lane.
    #[inline]
    fn prime_local(&mut self, at: usize) {
        let lane = &mut self.lanes[at];
        lane.local_head = each!(&lane.source, stream => match stream.local_rows().first() {
            Some(row) => Key::new(row.ts_recv(), FEED, 0).with_sequence(at as u64),
            None => Key::MAX,
        });
    }

    /// Puts what the venue said on its way to the strategy.
    #[inline]
    fn schedule(&mut self) {
        for report in &self.venue.reports {
            let arrival = self.settings.report.arrival(report.event.ts_exchange());
            self.later.say(arrival, report);
        }
        self.venue.reports.clear();
    }

    // ---- the engine's side ----------------------------------------------------------------

    /// Puts what the engine sent on its way to the venue, and sets its timers.
    #[inline]
    fn collect(&mut self) {
        let outbox = &mut self.engine.desk.outbox;
        if !outbox.requests.is_empty() {
            for request in &outbox.requests {
                let arrival = self.settings.entry.arrival(request.ts_sent);
                self.later.send(arrival, request);
            }
            outbox.requests.clear();
        }
        if !outbox.timers.is_empty() {
            self.set_timers();
        }
        if !self.venue.reports.is_empty() {
            self.schedule();
        }
        if self.engine.listeners_changed {
            self.engine.listeners_changed = false;
            self.watch();
        }
    }

    fn set_timers(&mut self) {
        for timer in self.engine.desk.outbox.timers.drain(..) {
            let version = self.timers.entry((timer.strategy, timer.timer)).or_insert(0);
            *version += 1;
            if timer.at_ns != i64::MAX {
                let due = DueTimer {
                    strategy: timer.strategy,
                    timer: timer.timer,
                    every_ns: timer.every_ns,
                    version: *version,
                };
                let at = timer.at_ns.max(self.engine.desk.now_ns);
                self.later.timers.push(at, TIMER, 0, due);
            }
        }
    }

    /// Lets the engine learn the rows of unwatched feeds that arrived before `bound`.
    #[inline]
    fn catch_up(&mut self, bound: Key) {
        for at in 0..self.lanes.len() {
            let lane = &mut self.lanes[at];
            if lane.watched != 0 || lane.local_head >= bound {
                continue;
            }
            let Source::Ticks(stream) = &mut lane.source else { continue };
            let before = bound.time_ns().saturating_add(i64::from(bound.rank() > FEED));
            loop {
                let rows = stream.local_rows();
                let count = self.engine.ticks_before(rows, before);
                if count == 0 {
                    break;
                }
                self.ended_ns = self.ended_ns.max(rows[count - 1].ts_recv);
                let all = count == rows.len();
                stream.local_passed(count);
                if !all || stream.local_rows().is_empty() {
                    break;
                }
            }
            self.prime_local(at);
        }
    }

    /// Delivers the next row, or message, of a watched lane.
    #[inline]
    fn deliver(&mut self, at: usize) -> Result<(), ReplayError> {
        let lane = &mut self.lanes[at];
        let now = lane.local_head.time_ns();
        self.ended_ns = now;
        match &mut lane.source {
            Source::Bars(stream) => {
                let bar = stream.local_rows()[0].bar;
                let desk = &mut self.engine.desk;
                if self.liquidation.bar(desk, &mut self.venue, &bar).map_err(EngineError::from)? {
                    return Ok(()); // what happened within the bar is heard before its end
                }
                stream.local_passed(1);
                self.engine.bar(&bar, now)?;
            }
            Source::Ticks(stream) => {
                let rows = stream.local_rows();
                let count = message_len(rows);
                self.engine.watched_ticks(&rows[..count], now)?;
                stream.local_passed(count);
            }
            Source::Trades(stream) => {
                let trade = stream.local_rows()[0];
                stream.local_passed(1);
                self.engine.trade(&trade, now)?;
            }
            Source::Quotes(stream) => {
                let quote = stream.local_rows()[0];
                stream.local_passed(1);
                self.engine.quote(&quote, now)?;
            }
            Source::Marks(stream) => {
                let mark = stream.local_rows()[0];
                stream.local_passed(1);
                self.engine.mark(&mark, now)?;
                self.liquidates()?;
            }
            Source::Fundings(stream) => {
                let funding = stream.local_rows()[0];
                stream.local_passed(1);
                self.engine.funding(&funding, now)?;
            }
            Source::Published(stream) => {
                let row = stream.local_rows()[0];
                stream.local_passed(1);
                self.engine.published(&row, now)?;
            }
        }
        self.prime_local(at);
        Ok(())
    }
}
