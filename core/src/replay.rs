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

use std::collections::{BTreeMap, VecDeque};

use crate::engine::{Engine, EngineError};
use crate::instrument::InstrumentId;
use crate::market::{Bar, Funding, MarkPrice, Quote, Tick, Trade, TICK_LAST, TICK_TRADE};
use crate::matching::timeline::{
    prints_first, Key, Timeline, FEED, LATE_OPEN, MARKET, NOTICE, REPORT, REQUEST, TIMER,
};
use crate::matching::Channel;
use crate::matching::{AccountReport, Venue, VenueEvent};
use crate::order::{Request, RequestKind};
use crate::strategy::{wants, Strategy};
use crate::units::{rescale, to_f64, Rounding, COST_SCALE};

/// Rank of equity samples: after all else of an instant but late bar openings.
const SAMPLE: u8 = 8;

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

/// A row that can be replayed.
pub trait Row: Copy {
    /// When the venue sees it.
    fn ts_exchange(&self) -> i64;
    /// When the strategy sees it.
    fn ts_recv(&self) -> i64;
    /// Moves its arrival.
    fn set_ts_recv(&mut self, ts: i64);
    /// Row of the instrument table.
    fn instrument(&self) -> InstrumentId;
    /// Rank and sub-rank at the venue.
    fn place(&self) -> (u8, u8);
}

macro_rules! row {
    ($ty:ty, $rank:expr, $sub:expr) => {
        impl Row for $ty {
            #[inline]
            fn ts_exchange(&self) -> i64 {
                self.ts_exchange
            }
            #[inline]
            fn ts_recv(&self) -> i64 {
                self.ts_recv
            }
            fn set_ts_recv(&mut self, ts: i64) {
                self.ts_recv = ts;
            }
            #[inline]
            fn instrument(&self) -> InstrumentId {
                self.instrument
            }
            #[inline]
            fn place(&self) -> (u8, u8) {
                ($rank, $sub)
            }
        }
    };
}
row!(Trade, MARKET, 0);
row!(Quote, MARKET, 1);
row!(MarkPrice, NOTICE, 0);
row!(Funding, NOTICE, 1);

impl Row for Tick {
    #[inline]
    fn ts_exchange(&self) -> i64 {
        self.ts_exchange
    }
    #[inline]
    fn ts_recv(&self) -> i64 {
        self.ts_recv
    }
    fn set_ts_recv(&mut self, ts: i64) {
        self.ts_recv = ts;
    }
    #[inline]
    fn instrument(&self) -> InstrumentId {
        self.instrument
    }
    #[inline]
    fn place(&self) -> (u8, u8) {
        (MARKET, u8::from(self.flags & TICK_TRADE == 0))
    }
}

/// A bar with its arrival: its venue time is its opening, when its first point happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimedBar {
    /// The bar.
    pub bar: Bar,
    /// When the strategy sees it: its close and the feed's latency.
    pub ts_recv: i64,
}

impl Row for TimedBar {
    #[inline]
    fn ts_exchange(&self) -> i64 {
        self.bar.ts_open
    }
    #[inline]
    fn ts_recv(&self) -> i64 {
        self.ts_recv
    }
    fn set_ts_recv(&mut self, ts: i64) {
        self.ts_recv = ts;
    }
    #[inline]
    fn instrument(&self) -> InstrumentId {
        self.bar.instrument
    }
    #[inline]
    fn place(&self) -> (u8, u8) {
        (MARKET, 1)
    }
}

/// Gives the next rows of a feed; `None` at its end.
pub type Fetch<T> = Box<dyn FnMut() -> Result<Option<Vec<T>>, String>>;

/// One feed, read twice: by the venue, and later by the engine.
pub struct Stream<T> {
    fetch: Fetch<T>,
    /// Rows that the engine has not seen; the venue may be several chunks ahead.
    chunks: VecDeque<Vec<T>>,
    /// Chunk and row that the venue reads next.
    venue: (usize, usize),
    /// Row of the front chunk that the engine reads next.
    local: usize,
    ended: bool,
    last_exchange: i64,
    last_recv: i64,
    name: String,
    /// Rows so far.
    rows: u64,
    /// Refuses rows that would reach the strategy before they happened.
    refuse_early: bool,
}

impl<T: Row> Stream<T> {
    /// A feed; `name` is for messages.
    #[must_use]
    pub fn new(name: String, fetch: Fetch<T>, refuse_early: bool) -> Self {
        Stream {
            fetch,
            chunks: VecDeque::new(),
            venue: (0, 0),
            local: 0,
            ended: false,
            last_exchange: i64::MIN,
            last_recv: i64::MIN,
            name,
            rows: 0,
            refuse_early,
        }
    }

    /// Makes sure that the venue's next row is there, unless the feed has ended.
    fn fill(&mut self, tidy: impl Fn(&mut Vec<T>)) -> Result<(), ReplayError> {
        while !self.ended && self.venue.0 >= self.chunks.len() {
            let rows = (self.fetch)().map_err(ReplayError::Source)?;
            let Some(mut rows) = rows else {
                self.ended = true;
                break;
            };
            if rows.is_empty() {
                continue;
            }
            tidy(&mut rows);
            self.check(&mut rows)?;
            self.rows += rows.len() as u64;
            self.chunks.push_back(rows);
        }
        Ok(())
    }

    /// Rows are in time order, and a connection delivers in the order of sending (FIFO).
    fn check(&mut self, rows: &mut [T]) -> Result<(), ReplayError> {
        let (mut exchange, mut recv) = (self.last_exchange, self.last_recv);
        for (at, row) in rows.iter_mut().enumerate() {
            if row.ts_exchange() < exchange {
                return Err(self.bad(at, "is earlier than the row before it; sort the data"));
            }
            exchange = row.ts_exchange();
            if row.ts_recv() < exchange && self.refuse_early {
                let text = "would reach the strategy before the exchange had it; import the data \
                            with a clock correction, or waive the check";
                return Err(self.bad(at, text));
            }
            if row.ts_recv() < recv {
                row.set_ts_recv(recv);
            }
            recv = row.ts_recv();
        }
        (self.last_exchange, self.last_recv) = (exchange, recv);
        Ok(())
    }

    #[cold]
    fn bad(&self, at: usize, what: &str) -> ReplayError {
        ReplayError::Data(format!("row {} of {} {what}", self.rows + at as u64, self.name))
    }

    #[inline]
    fn venue_rows(&self) -> &[T] {
        self.chunks.get(self.venue.0).map_or(&[], |chunk| &chunk[self.venue.1..])
    }

    #[inline]
    fn local_rows(&self) -> &[T] {
        match self.chunks.front() {
            // The engine never overtakes the venue within a chunk that both read.
            Some(chunk) => &chunk[self.local..],
            None => &[],
        }
    }

    #[inline]
    fn venue_passed(&mut self, count: usize) {
        self.venue.1 += count;
        if self.venue.1 == self.chunks[self.venue.0].len() {
            self.venue = (self.venue.0 + 1, 0);
        }
    }

    #[inline]
    fn local_passed(&mut self, count: usize) {
        self.local += count;
        if self.local == self.chunks[0].len() && self.venue.0 > 0 {
            self.chunks.pop_front();
            self.venue.0 -= 1;
            self.local = 0;
        }
    }
}

/// One feed of a replay.
pub enum Source {
    /// Finished bars.
    Bars(Stream<TimedBar>),
    /// Book levels and prints.
    Ticks(Stream<Tick>),
    /// Public trades.
    Trades(Stream<Trade>),
    /// Best bid and offer.
    Quotes(Stream<Quote>),
    /// Mark prices.
    Marks(Stream<MarkPrice>),
    /// Funding settlements.
    Fundings(Stream<Funding>),
}

macro_rules! each {
    ($source:expr, $stream:ident => $body:expr) => {
        match $source {
            Source::Bars($stream) => $body,
            Source::Ticks($stream) => $body,
            Source::Trades($stream) => $body,
            Source::Quotes($stream) => $body,
            Source::Marks($stream) => $body,
            Source::Fundings($stream) => $body,
        }
    };
}

/// A source and where it stands.
struct Lane {
    source: Source,
    /// Place of the row that the venue sees next.
    venue_head: Key,
    /// Place of the row that the engine sees next.
    local_head: Key,
    /// Which callbacks make the engine see each row at its own time; 0 applies rows lazily.
    watched: u32,
}

/// Something that the replay itself made happen later.
enum Item {
    Request(Request),
    Report(AccountReport),
    Timer { strategy: u16, timer: u32, every_ns: i64, version: u32 },
}

/// One point of the equity curve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sample {
    /// Event time, ns.
    pub ts_ns: i64,
    /// Equity in the report currency; NaN where a rate is missing.
    pub equity: f64,
    /// Signed value of all positions in the report currency.
    pub net_exposure: f64,
    /// Absolute value of all positions in the report currency.
    pub gross_exposure: f64,
}

/// Takes journal bytes off the engine's hands, in order.
pub type JournalSink = Box<dyn FnMut(Vec<u8>) -> Result<(), String>>;

/// Journal bytes that may wait before the sink gets them.
const SINK_BYTES: usize = 1 << 20;

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
    /// Number of accounts.
    pub accounts: u16,
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
    timeline: Timeline<Item>,
    next_sample_ns: i64,
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
            timeline: Timeline::default(),
            next_sample_ns: i64::MAX,
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
        self.watch();
        self.collect();
        while !self.engine.has_fault {
            if !self.step()? {
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
            sink(self.engine.desk.journal.drain()).map_err(ReplayError::Source)?;
        }
        Ok(())
    }

    /// What follows the last row: reports on their way, the strategies' farewell, a last sample.
    fn finish(&mut self) -> Result<(), ReplayError> {
        self.engine.stop()?;
        self.collect();
        while let Some((key, item)) = self.timeline.pop() {
            if !matches!(item, Item::Timer { .. }) {
                self.venue_until(key)?;
                self.schedule();
                self.act(key, item)?;
                self.collect();
            }
        }
        let now = self.ended_ns.max(self.engine.desk.now_ns);
        if self.samples.last().is_none_or(|sample| sample.ts_ns < now) {
            self.sample(now)?;
        }
        Ok(())
    }

    /// Which lanes the engine must see row by row.
    fn watch(&mut self) {
        for lane in &mut self.lanes {
            let (bits, instrument) = match &lane.source {
                Source::Ticks(s) => {
                    (wants::BOOKS | wants::TRADES, s.venue_rows().first().map(Row::instrument))
                }
                // Bars drive indicators, marks drive equity: they are seen at their own time.
                _ => (u32::MAX, None),
            };
            lane.watched = match instrument {
                Some(instrument) if !self.engine.is_watched(instrument, bits) => 0,
                Some(_) => bits,
                None if bits == u32::MAX => bits,
                None => 0,
            };
        }
    }

    /// One thing that the engine sees; false when nothing is left.
    #[inline]
    fn step(&mut self) -> Result<bool, ReplayError> {
        let generated = self.timeline.next_key();
        let (mut bound, mut lane) = (generated, usize::MAX);
        let mut feeds_left = false;
        for (at, candidate) in self.lanes.iter().enumerate() {
            feeds_left |= candidate.local_head != Key::MAX;
            if candidate.watched != 0 && candidate.local_head < bound {
                (bound, lane) = (candidate.local_head, at);
            }
        }
        if !feeds_left {
            return Ok(false);
        }
        let mut sampling = false;
        if self.next_sample_ns != i64::MAX {
            let key = Key::new(self.next_sample_ns, SAMPLE, 0);
            if key < bound && bound != Key::MAX || bound == Key::MAX {
                (bound, sampling) = (key.min(bound), true);
            }
        }
        if self.venue_until(bound)? {
            self.schedule();
            return Ok(true);
        }
        self.catch_up(bound)?;
        if sampling {
            let left = self.lanes.iter().any(|lane| lane.local_head != Key::MAX);
            if !left && self.timeline.is_empty() {
                return Ok(false);
            }
            self.sample(self.next_sample_ns)?;
            self.next_sample_ns += self.settings.sample_every_ns;
        } else if lane != usize::MAX {
            self.deliver(lane)?;
            self.collect();
        } else if let Some((key, item)) = self.timeline.pop() {
            self.act(key, item)?;
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
        for report in self.venue.reports.drain(..) {
            let arrival = self.settings.report.arrival(report.event.ts_exchange());
            self.timeline.push(arrival, REPORT, 0, Item::Report(report));
        }
    }

    // ---- the engine's side ----------------------------------------------------------------

    /// Puts what the engine sent on its way to the venue, and sets its timers.
    #[inline]
    fn collect(&mut self) {
        let outbox = &mut self.engine.desk.outbox;
        for request in outbox.requests.drain(..) {
            let arrival = self.settings.entry.arrival(request.ts_sent);
            self.timeline.push(arrival, REQUEST, 0, Item::Request(request));
        }
        for timer in outbox.timers.drain(..) {
            let version = self.timers.entry((timer.strategy, timer.timer)).or_insert(0);
            *version += 1;
            if timer.at_ns != i64::MAX {
                let item = Item::Timer {
                    strategy: timer.strategy,
                    timer: timer.timer,
                    every_ns: timer.every_ns,
                    version: *version,
                };
                let at = timer.at_ns.max(self.engine.desk.now_ns);
                self.timeline.push(at, TIMER, 0, item);
            }
        }
        if !self.venue.reports.is_empty() {
            self.schedule();
        }
    }

    /// Lets the engine learn the rows of unwatched feeds that arrived before `bound`.
    #[inline]
    fn catch_up(&mut self, bound: Key) -> Result<(), ReplayError> {
        for at in 0..self.lanes.len() {
            let lane = &mut self.lanes[at];
            if lane.watched != 0 || lane.local_head >= bound {
                continue;
            }
            let Source::Ticks(stream) = &mut lane.source else { continue };
            let before = bound.time_ns().saturating_add(i64::from(bound.rank() > FEED));
            loop {
                let rows = stream.local_rows();
                // Arrivals never go back, so the end of the batch is found by stepping over it.
                let mut count = 0;
                for row in rows {
                    if row.ts_recv >= before {
                        break;
                    }
                    count += 1;
                }
                if count == 0 {
                    break;
                }
                let last = rows[count - 1].ts_recv;
                self.engine.ticks(&rows[..count], last)?;
                self.ended_ns = self.ended_ns.max(last);
                let all = count == rows.len();
                stream.local_passed(count);
                if !all || stream.local_rows().is_empty() {
                    break;
                }
            }
            self.prime_local(at);
        }
        Ok(())
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
            }
            Source::Fundings(stream) => {
                let funding = stream.local_rows()[0];
                stream.local_passed(1);
                self.engine.funding(&funding, now)?;
            }
        }
        self.prime_local(at);
        Ok(())
    }

    /// Lets one generated item happen.
    #[inline]
    fn act(&mut self, key: Key, item: Item) -> Result<(), ReplayError> {
        let now = key.time_ns();
        match item {
            Item::Request(request) => {
                let (account, id) = (request.account, request.order);
                match request.kind {
                    RequestKind::Place(spec) => self.venue.place(now, account, id, &spec),
                    RequestKind::Amend { qty, price } => {
                        self.venue.amend(now, account, id, qty, price);
                    }
                    RequestKind::Cancel => self.venue.cancel(now, account, id),
                    RequestKind::CancelAll { instrument } => {
                        self.venue.cancel_all(now, account, Some(instrument));
                    }
                }
                self.schedule();
            }
            Item::Report(report) => match report.event {
                VenueEvent::Order(order_report) => self.engine.report(&order_report, now)?,
                VenueEvent::Funding { instrument, ts_exchange, .. } => {
                    self.funding(report.account, instrument, ts_exchange, now)?;
                }
                VenueEvent::MarkMissing { instrument, .. } => {
                    let symbol = &self.engine.desk.instruments[instrument as usize].symbol;
                    return Err(ReplayError::Data(format!(
                        "funding of {symbol} is due and no mark price is known; add mark prices to \
                         the data, or a mark column to the funding series"
                    )));
                }
                VenueEvent::Liquidated { instrument, .. } => {
                    let symbol = &self.engine.desk.instruments[instrument as usize].symbol;
                    return Err(ReplayError::Data(format!(
                        "the position in {symbol} was liquidated; liquidation is not booked in \
                         backtests yet: lower the leverage or the size"
                    )));
                }
            },
            Item::Timer { strategy, timer, every_ns, version } => {
                if self.timers.get(&(strategy, timer)) != Some(&version) {
                    return Ok(());
                }
                if every_ns > 0 {
                    let next = Item::Timer { strategy, timer, every_ns, version };
                    self.timeline.push(now.saturating_add(every_ns), TIMER, 0, next);
                }
                self.engine.timer(strategy, timer, now)?;
            }
        }
        Ok(())
    }

    fn funding(
        &mut self,
        account: u16,
        instrument: InstrumentId,
        ts_exchange: i64,
        now: i64,
    ) -> Result<(), ReplayError> {
        let Some(mut funding) = self.fundings.get(&(instrument, ts_exchange)).copied() else {
            return Ok(());
        };
        if funding.mark == 0 {
            funding.mark = self.marks[instrument as usize];
        }
        self.engine.funding_paid(account, &funding, now)?;
        Ok(())
    }

    /// Takes a point of the equity curve.
    fn sample(&mut self, ts_ns: i64) -> Result<(), ReplayError> {
        let (account, asset) = self.settings.sampled;
        let worth = self.engine.desk.worth(account, asset).map_err(EngineError::from)?;
        let float = |value: Option<i128>| value.map_or(f64::NAN, |value| to_f64(value, COST_SCALE));
        self.samples.push(Sample {
            ts_ns,
            equity: float(worth.equity),
            net_exposure: float(worth.net_exposure),
            gross_exposure: float(worth.gross_exposure),
        });
        Ok(())
    }
}

/// Rows of the first message: one print, or the levels up to the last of their message.
fn message_len(rows: &[Tick]) -> usize {
    if rows[0].flags & TICK_TRADE != 0 {
        return 1;
    }
    let ts = rows[0].ts_recv;
    let ends =
        rows.iter().position(|row| row.flags & (TICK_LAST | TICK_TRADE) != 0 || row.ts_recv != ts);
    match ends {
        Some(end) if rows[end].flags & TICK_TRADE == 0 && rows[end].ts_recv == ts => end + 1,
        Some(end) => end.max(1),
        None => rows.len(),
    }
}

/// An amount at an asset's scale, at cost scale.
///
/// # Errors
///
/// [`Overflow`](crate::units::Overflow) if it does not fit.
pub fn at_cost_scale(amount: i128, scale: u8) -> Result<i128, crate::units::Overflow> {
    rescale(amount, scale, COST_SCALE, Rounding::TowardZero)
}
