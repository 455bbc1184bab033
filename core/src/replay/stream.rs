//! Feeds: rows that two readers pass, the venue first and the engine later.

use std::collections::VecDeque;

use super::ReplayError;
use crate::instrument::InstrumentId;
use crate::market::{
    Bar, Funding, MarkPrice, Published, Quote, Tick, Trade, TICK_LAST, TICK_TRADE,
};
use crate::matching::timeline::{Key, MARKET, NOTICE};

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
    /// True if it goes before `before`, behind which it stands in the data.
    #[inline]
    fn overtakes(&self, before: &Self) -> bool {
        let _ = before;
        false
    }
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

impl Row for Published {
    #[inline]
    fn ts_exchange(&self) -> i64 {
        self.ts_exchange()
    }
    #[inline]
    fn ts_recv(&self) -> i64 {
        self.ts_recv()
    }
    fn set_ts_recv(&mut self, ts: i64) {
        self.set_ts_recv(ts);
    }
    #[inline]
    fn instrument(&self) -> InstrumentId {
        self.instrument()
    }
    #[inline]
    fn place(&self) -> (u8, u8) {
        (NOTICE, 2)
    }
}

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
    #[inline]
    fn overtakes(&self, before: &Self) -> bool {
        let follows_level = self.flags & !before.flags & TICK_TRADE != 0;
        follows_level & (self.ts_exchange == before.ts_exchange)
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

/// Puts the next rows of a feed into an empty buffer; false at the feed's end.
///
/// Rows of one instant at the venue come together, since prints of an instant go before its levels.
pub type Fetch<T> = Box<dyn FnMut(&mut Vec<T>) -> Result<bool, String>>;

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
    pub(super) rows: u64,
    /// Refuses rows that would reach the strategy before they happened.
    refuse_early: bool,
    /// A buffer that both have read, to be filled again.
    spare: Vec<T>,
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
            spare: Vec::new(),
        }
    }

    /// Makes sure that the venue's next row is there, unless the feed has ended.
    pub(super) fn fill(&mut self, tidy: impl Fn(&mut Vec<T>)) -> Result<(), ReplayError> {
        while !self.ended && self.venue.0 >= self.chunks.len() {
            let mut rows = std::mem::take(&mut self.spare);
            rows.clear();
            self.ended = !(self.fetch)(&mut rows).map_err(ReplayError::Source)?;
            if rows.is_empty() {
                self.spare = rows;
                continue;
            }
            let (mut is_sound, is_placed) = self.look_over(&rows);
            if !is_placed {
                tidy(&mut rows);
                is_sound = self.look_over(&rows).0;
            }
            if !is_sound {
                self.mend(&mut rows)?;
            }
            if let Some(last) = rows.last() {
                (self.last_exchange, self.last_recv) = (last.ts_exchange(), last.ts_recv());
            }
            self.rows += rows.len() as u64;
            self.chunks.push_back(rows);
        }
        Ok(())
    }

    /// Whether rows are in time order, and a connection delivers in the order of sending (FIFO);
    /// whether those of an instant stand as they go. Nearly all data do both, so one pass without
    /// a way out finds it.
    fn look_over(&self, rows: &[T]) -> (bool, bool) {
        let (mut exchange, mut recv) = (self.last_exchange, self.last_recv);
        let (mut is_sound, mut is_placed) = (true, true);
        let Some(mut before) = rows.first() else { return (true, true) };
        for row in rows {
            let (sent, heard) = (row.ts_exchange(), row.ts_recv());
            is_sound &= (sent >= exchange) & (heard >= recv) & (heard >= sent);
            is_placed &= !row.overtakes(before);
            (exchange, recv, before) = (sent, heard, row);
        }
        (is_sound, is_placed)
    }

    /// Delays rows that would overtake others; refuses what cannot be mended.
    #[cold]
    fn mend(&mut self, rows: &mut [T]) -> Result<(), ReplayError> {
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
        Ok(())
    }

    #[cold]
    fn bad(&self, at: usize, what: &str) -> ReplayError {
        ReplayError::Data(format!("row {} of {} {what}", self.rows + at as u64, self.name))
    }

    #[inline]
    pub(super) fn venue_rows(&self) -> &[T] {
        self.chunks.get(self.venue.0).map_or(&[], |chunk| &chunk[self.venue.1..])
    }

    #[inline]
    pub(super) fn local_rows(&self) -> &[T] {
        match self.chunks.front() {
            // The engine never overtakes the venue within a chunk that both read.
            Some(chunk) => &chunk[self.local..],
            None => &[],
        }
    }

    #[inline]
    pub(super) fn venue_passed(&mut self, count: usize) {
        self.venue.1 += count;
        if self.venue.1 == self.chunks[self.venue.0].len() {
            self.venue = (self.venue.0 + 1, 0);
        }
    }

    #[inline]
    pub(super) fn local_passed(&mut self, count: usize) {
        self.local += count;
        if self.local == self.chunks[0].len() && self.venue.0 > 0 {
            if let Some(read) = self.chunks.pop_front() {
                self.spare = read;
            }
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
    /// Index prices, open interest, liquidations, tickers.
    Published(Stream<Published>),
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
            Source::Published($stream) => $body,
        }
    };
}

/// Rows of the first message: one print, or the levels up to the last of their message.
pub(super) fn message_len(rows: &[Tick]) -> usize {
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

/// A source and where it stands.
pub(super) struct Lane {
    pub(super) source: Source,
    /// Place of the row that the venue sees next.
    pub(super) venue_head: Key,
    /// Place of the row that the engine sees next.
    pub(super) local_head: Key,
    /// Which callbacks make the engine see each row at its own time; 0 applies rows lazily.
    pub(super) watched: u32,
}

pub(super) use each;
