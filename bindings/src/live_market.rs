//! What a live engine hears of markets: frames and bodies to the desk and the strategies, with no
//! Python object in between; and the journal of them.

use std::collections::BTreeSet;

use veloz_core::book::SyncState;
use veloz_core::engine::{Engine, EngineError};
use veloz_core::facts::{market_number, BodyHeard, FrameHeard, StreamsMarked};
use veloz_core::instrument::{Asset, Instrument};
use veloz_core::journal::{Batch, Header, Journal, Reader};
use veloz_core::live::Hearing;
use veloz_core::market::{
    Bar, Funding, IndexPrice, Liquidation, MarkPrice, OpenInterest, Published, Quote, Tick, Ticker,
    Trade, TICK_LAST, TICK_TRADE,
};
use veloz_core::record::Record;
use veloz_venues::binance::decode::MessageKind;
use veloz_venues::binance::feed::{Columns, Feed};
use veloz_venues::binance::json::DecodeError;
use veloz_venues::binance::listing::Listing;
use veloz_venues::binance::Market;

use crate::adapter::PyStrategy;

/// Who hears decoded events at one instant: a live engine, or one that is verified.
pub trait Hears {
    /// The desk's market views.
    fn engine(&mut self) -> &mut Engine<PyStrategy>;
    fn ticks(&mut self, rows: &[Tick]) -> Result<(), EngineError>;
    fn trade(&mut self, trade: &Trade) -> Result<(), EngineError>;
    fn quote(&mut self, quote: &Quote) -> Result<(), EngineError>;
    fn bar(&mut self, bar: &Bar) -> Result<(), EngineError>;
    fn mark(&mut self, mark: &MarkPrice) -> Result<(), EngineError>;
    fn funding(&mut self, funding: &Funding) -> Result<(), EngineError>;
    fn published(&mut self, row: &Published) -> Result<(), EngineError>;
    /// A market is to be believed, or is not and why.
    fn market_state(&mut self, row: u32, stale: Option<&str>) -> Result<(), EngineError>;
}

/// An engine that hears again what was heard at an instant.
pub struct Again<'a> {
    engine: &'a mut Engine<PyStrategy>,
    now_ns: i64,
}

macro_rules! hears {
    ($who:ty, $self:ident => $engine:expr, $row:ident $stale:ident => $state:expr,
     $($method:ident $event:ident: $kind:ty => $call:expr),*) => {
        impl Hears for $who {
            fn engine(&mut $self) -> &mut Engine<PyStrategy> {
                $engine
            }
            fn market_state(
                &mut $self,
                $row: u32,
                $stale: Option<&str>,
            ) -> Result<(), EngineError> {
                $state
            }
            $(fn $method(&mut $self, $event: &$kind) -> Result<(), EngineError> {
                $call
            })*
        }
    };
}
hears!(Hearing<'_, PyStrategy>, self => Hearing::engine(self),
    row stale => Hearing::market_state(self, row, stale),
    ticks rows: [Tick] => Hearing::ticks(self, rows),
    trade trade: Trade => Hearing::trade(self, trade),
    quote quote: Quote => Hearing::quote(self, quote),
    bar bar: Bar => Hearing::bar(self, bar),
    mark mark: MarkPrice => Hearing::mark(self, mark),
    funding funding: Funding => Hearing::funding(self, funding),
    published row: Published => Hearing::published(self, row));
hears!(Again<'_>, self => self.engine,
    row stale => self.engine.market_state(row, stale, self.now_ns),
    ticks rows: [Tick] => self.engine.watched_ticks(rows, self.now_ns),
    trade trade: Trade => self.engine.trade(trade, self.now_ns),
    quote quote: Quote => self.engine.quote(quote, self.now_ns),
    bar bar: Bar => self.engine.bar(bar, self.now_ns),
    mark mark: MarkPrice => self.engine.mark(mark, self.now_ns),
    funding funding: Funding => self.engine.funding(funding, self.now_ns),
    published row: Published => self.engine.published(row, self.now_ns));

/// Why something that was heard could not be taken.
pub enum Fault {
    Decode(DecodeError),
    Engine(EngineError),
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        Fault::Engine(error)
    }
}

/// One feed of a live engine.
pub struct FeedSeat {
    feed: Feed,
    /// The engine's row of each row of the feed.
    rows: Vec<u32>,
    /// Streams that the shell does not trust, by row of the feed.
    stale: Vec<BTreeSet<String>>,
    /// Messages after which the book of a row was crossed, in a row; and all of them so far.
    crossed: Vec<(u64, u64)>,
    /// How often the price of a row has left what its snapshot told, in quick succession; and when
    /// it did last, ns.
    left: Vec<(u32, i64)>,
    /// The settlement that a row's mark prices announce, with the last of them.
    coming: Vec<Option<MarkPrice>>,
}

/// After so many messages a book that stays crossed is built anew.
const CROSSED_MOST: u64 = 3;

/// A price that leaves new snapshots so often, each so soon behind the last, ns, shows that they are
/// not cut off but whole: there are no more levels.
const LEFT_MOST: u32 = 3;
const LEFT_SOON_NS: i64 = 5_000_000_000;

impl FeedSeat {
    /// A feed of some of the engine's instruments.
    pub fn new(market: Market, assets: &[Asset], all: &[Instrument], rows: Vec<u32>) -> Self {
        let mut feed = Feed::new(market, true);
        let instruments = rows.iter().map(|row| all[*row as usize].clone()).collect();
        feed.add(&Listing { assets: assets.to_vec(), instruments });
        let (stale, crossed) = (vec![BTreeSet::new(); rows.len()], vec![(0, 0); rows.len()]);
        let coming = vec![None; rows.len()];
        let left = vec![(0, i64::MIN); rows.len()];
        FeedSeat { feed, rows, stale, crossed, left, coming }
    }

    /// Venue symbols whose book has had an update and is not live.
    pub fn books_to_rebuild(&self) -> Vec<String> {
        let waiting = |row: &u32| {
            let sync = self.feed.sync(*row);
            sync.is_some_and(|s| s.state() != SyncState::Live && s.counts().diffs > 0)
        };
        (0..self.rows.len() as u32)
            .filter(waiting)
            .map(|row| self.feed.instruments()[row as usize].venue_symbol.clone())
            .collect()
    }

    /// Decodes a frame and lets it be heard; the message's kind, -1 for an unknown symbol.
    pub fn frame(
        &mut self,
        hears: &mut impl Hears,
        bytes: &[u8],
        now_ns: i64,
    ) -> Result<i64, Fault> {
        let kind = self.feed.frame(bytes, now_ns).map_err(Fault::Decode)?;
        self.tell(hears, now_ns)?;
        Ok(kind.map_or(-1, |kind: MessageKind| kind as i64))
    }

    /// The same of the body of an answer.
    pub fn body(
        &mut self,
        hears: &mut impl Hears,
        url: &str,
        bytes: &[u8],
        now_ns: i64,
    ) -> Result<i64, Fault> {
        let kind = self.feed.rest(url, bytes, now_ns).map_err(Fault::Decode)?;
        self.tell(hears, now_ns)?;
        Ok(kind.map_or(-1, |kind| kind as i64))
    }

    /// The same of rows from before the start: indicators warm up, nobody is told.
    pub fn history(
        &mut self,
        hears: &mut impl Hears,
        url: &str,
        bytes: &[u8],
        now_ns: i64,
    ) -> Result<i64, Fault> {
        let kind = self.feed.rest(url, bytes, now_ns).map_err(Fault::Decode)?;
        for bar in self.feed.take_columns().bars {
            let bar = Bar { instrument: self.rows[bar.instrument as usize], ..bar };
            let engine = hears.engine();
            engine.desk.now_ns = now_ns;
            engine.desk.bar(&bar).map_err(EngineError::from)?;
            for row in 1..=engine.len() as u16 {
                engine.strategy(row).warm_up(&bar);
            }
        }
        Ok(kind.map_or(-1, |kind| kind as i64))
    }

    /// Marks streams as not to be trusted, or as trusted again.
    pub fn mark(
        &mut self,
        hears: &mut impl Hears,
        streams: &str,
        is_stale: bool,
    ) -> Result<(), EngineError> {
        for stream in streams.lines() {
            let symbol = stream.split('@').next().unwrap_or_default().to_ascii_uppercase();
            let Some(row) = self.feed.find(&symbol) else { continue };
            let marks = &mut self.stale[row as usize];
            if is_stale {
                marks.insert(stream.to_owned());
            } else {
                marks.remove(stream);
            }
            self.show_state(hears, row)?;
        }
        Ok(())
    }

    /// Lets a book that stays crossed be built anew, and one whose price has left what is known.
    fn watch_book(&mut self, row: u32, now_ns: i64) {
        let Some(sync) = self.feed.sync(row) else { return };
        if sync.state() == SyncState::Live && sync.is_beyond_known() {
            let (often, last_ns) = &mut self.left[row as usize];
            *often = if now_ns.saturating_sub(*last_ns) < LEFT_SOON_NS { *often + 1 } else { 1 };
            *last_ns = now_ns;
            if *often < LEFT_MOST {
                self.feed.distrust(row);
                return;
            }
            self.feed.believe_whole(row);
        }
        let Some(sync) = self.feed.sync(row) else { return };
        let (in_a_row, known) = &mut self.crossed[row as usize];
        let total = sync.counts().crossed;
        *in_a_row = if sync.book().is_crossed() { *in_a_row + total - *known } else { 0 };
        *known = total;
        if *in_a_row >= CROSSED_MOST {
            *in_a_row = 0;
            self.feed.distrust(row);
        }
    }

    /// Shows whether a row's market is to be believed; who listens to it hears of a change.
    fn show_state(&self, hears: &mut impl Hears, row: u32) -> Result<(), EngineError> {
        let silent = &self.stale[row as usize];
        let at = self.rows[row as usize];
        if let Some(stream) = silent.first() {
            return hears.market_state(at, Some(&format!("the stream {stream} is silent")));
        }
        let stale = self.feed.sync(row).and_then(|sync| match sync.state() {
            // Of a crossed or locked book nobody knows which side is wrong.
            SyncState::Live => {
                sync.book().is_crossed().then_some("the best bid is not below the best offer")
            }
            SyncState::Stale => Some("the book has a hole and is built anew"),
            _ => Some("the book is being built"),
        });
        hears.market_state(at, stale)
    }

    /// Lets the events of the last message be heard.
    fn tell(&mut self, hears: &mut impl Hears, now_ns: i64) -> Result<(), Fault> {
        let mut columns = self.feed.take_columns();
        for row in 0..self.rows.len() as u32 {
            if self.feed.sync(row).is_some() {
                self.watch_book(row, now_ns);
                self.show_state(hears, row)?;
            }
        }
        let settling: Vec<u32> = columns.mark_prices.iter().map(|mark| mark.instrument).collect();
        self.rename(&mut columns);
        let mut prints = columns.trades.iter();
        let by_aggregate = columns.trades.is_empty();
        let mut rows = &columns.ticks[..];
        while !rows.is_empty() {
            let end = rows.iter().position(|row| row.flags & TICK_LAST != 0);
            let (message, rest) = rows.split_at(end.map_or(rows.len(), |at| at + 1));
            rows = rest;
            if message[0].flags & TICK_TRADE == 0 {
                hears.ticks(message)?;
                continue;
            }
            let mut trade = veloz_core::engine::trade_of(&message[0]);
            // A row of a book feed has no number; its trade has.
            if by_aggregate {
                trade.trade_id = columns.agg_trades.first().map_or(0, |t| t.last_trade_id);
            } else if let Some(print) = prints.next() {
                trade = *print;
            }
            hears.trade(&trade)?;
        }
        columns.quotes.iter().try_for_each(|quote| hears.quote(quote))?;
        for (mark, row) in columns.mark_prices.iter().zip(&settling) {
            hears.mark(mark)?;
            if let Some(funding) = self.settled(*row, mark) {
                hears.funding(&funding)?;
            }
        }
        columns.bars.iter().try_for_each(|bar| hears.bar(bar))?;
        columns.fundings.iter().try_for_each(|funding| hears.funding(funding))?;
        self.tell_published(hears, &columns)
    }

    /// What a venue publishes beside: one message holds one kind of it.
    fn tell_published(&self, hears: &mut impl Hears, columns: &Columns) -> Result<(), Fault> {
        // A mark's message brings the index as well, and USDT-M has no other of it. Marks have the
        // engine's rows already.
        let indexes = columns.mark_prices.iter().filter(|mark| mark.index > 0).map(|mark| {
            let MarkPrice { ts_exchange, ts_recv, instrument, index, .. } = *mark;
            Published::Index(IndexPrice { ts_exchange, ts_recv, instrument, index })
        });
        let rows = columns.index_prices.iter().map(|row| Published::Index(*row));
        let rows = rows.chain(columns.open_interests.iter().map(|r| Published::OpenInterest(*r)));
        let rows = rows.chain(columns.liquidations.iter().map(|r| Published::Liquidation(*r)));
        for mut row in rows.chain(columns.tickers.iter().map(|r| Published::Ticker(*r))) {
            row.set_instrument(self.rows[row.instrument() as usize]);
            hears.published(&row)?;
        }
        for row in indexes {
            hears.published(&row)?;
        }
        Ok(())
    }

    /// The settlement that has happened by a mark price, with the last rate that was told of it;
    /// the mark of its instant is the last one at or before it.
    fn settled(&mut self, row: u32, mark: &MarkPrice) -> Option<Funding> {
        let known = &mut self.coming[row as usize];
        let due = known.filter(|last| last.next_funding_ns <= mark.ts_exchange);
        if mark.next_funding_ns > mark.ts_exchange {
            *known = Some(*mark);
        } else if due.is_some() {
            *known = None;
        }
        let last = due?;
        let at_it = mark.ts_exchange == last.next_funding_ns;
        Some(Funding {
            ts_exchange: last.next_funding_ns,
            ts_recv: mark.ts_recv,
            instrument: mark.instrument,
            rate: last.funding_rate,
            mark: if at_it { mark.mark } else { last.mark },
        })
    }

    /// The feed's rows by the engine's numbers.
    fn rename(&self, columns: &mut Columns) {
        let to = |row: &mut u32| *row = self.rows[*row as usize];
        columns.ticks.iter_mut().for_each(|r| to(&mut r.instrument));
        columns.trades.iter_mut().for_each(|r| to(&mut r.instrument));
        columns.quotes.iter_mut().for_each(|r| to(&mut r.instrument));
        columns.bars.iter_mut().for_each(|r| to(&mut r.instrument));
        columns.mark_prices.iter_mut().for_each(|r| to(&mut r.instrument));
        columns.fundings.iter_mut().for_each(|r| to(&mut r.instrument));
    }
}

/// The journal of what was heard.
pub struct MarketJournal(pub Journal);

impl MarketJournal {
    pub fn new(header: &Header) -> Self {
        MarketJournal(Journal::new(header))
    }

    /// Notes one thing that was heard; its sequence is the market sequence from then on.
    pub fn note<R: Record>(&mut self, number: u16, fact: &R, text: Option<&[u8]>, now: i64) -> u64 {
        self.0.begin(0, now);
        match text {
            Some(text) => self.0.record_with_text(number, fact, text),
            None => self.0.record(number, fact),
        }
        self.0.commit()
    }
}

/// Reads a market journal again, event by event.
pub struct MarketReplay<'a> {
    header: Header,
    last_sequence: u64,
    batches: std::iter::Peekable<Box<dyn Iterator<Item = Batch<'a>> + 'a>>,
}

impl<'a> MarketReplay<'a> {
    pub fn new<B: AsRef<[u8]>>(reader: &'a Reader<B>) -> Self {
        let batches: Box<dyn Iterator<Item = Batch<'a>> + 'a> = Box::new(reader.batches());
        let (header, last_sequence) = (reader.header().clone(), reader.check().last_sequence);
        MarketReplay { header, last_sequence, batches: batches.peekable() }
    }

    /// Lets everything up to and with a sequence be heard.
    pub fn until(
        &mut self,
        feeds: &mut [FeedSeat],
        engine: &mut Engine<PyStrategy>,
        sequence: u64,
    ) -> Result<(), String> {
        if sequence > self.last_sequence.max(self.header.first_sequence - 1) {
            return Err(format!(
                "the recorded market ends at message {}, and the run heard {sequence} of them",
                self.last_sequence
            ));
        }
        while let Some(batch) = self.batches.next_if(|batch| batch.sequence <= sequence) {
            engine.desk.pin_market(batch.sequence);
            for row in batch.rows() {
                let schema = self.header.schema(row.number);
                let text = schema.and_then(|schema| schema.text(row.bytes)).unwrap_or_default();
                hear_again(feeds, engine, row.number, row.bytes, text, batch.now_ns).map_err(
                    |fault| match fault {
                        Fault::Decode(error) => error.to_string(),
                        Fault::Engine(error) => error.to_string(),
                    },
                )?;
            }
        }
        Ok(())
    }
}

fn hear_again(
    feeds: &mut [FeedSeat],
    engine: &mut Engine<PyStrategy>,
    number: u16,
    bytes: &[u8],
    text: &[u8],
    now_ns: i64,
) -> Result<(), Fault> {
    let mut bytes = bytes;
    macro_rules! event {
        ($record:ident, $method:ident) => {
            if let Some(event) = $record::take(&mut bytes) {
                Again { engine, now_ns }.$method(&event)?;
            }
        };
    }
    macro_rules! published {
        ($record:ident, $variant:ident) => {
            if let Some(row) = $record::take(&mut bytes) {
                engine.published(&Published::$variant(row), now_ns)?;
            }
        };
    }
    match number {
        market_number::FRAME => {
            let Some(fact) = FrameHeard::take(&mut bytes) else { return Ok(()) };
            let mut again = Again { engine, now_ns: fact.ts_recv };
            // What could not be decoded then changed nothing, and does not now.
            match feeds[usize::from(fact.feed)].frame(&mut again, text, fact.ts_recv) {
                Ok(_) | Err(Fault::Decode(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        market_number::BODY => {
            let Some(fact) = BodyHeard::take(&mut bytes) else { return Ok(()) };
            let cut = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
            let url = std::str::from_utf8(&text[..cut]).unwrap_or_default();
            let body = text.get(cut + 1..).unwrap_or_default();
            let feed = &mut feeds[usize::from(fact.feed)];
            let mut again = Again { engine, now_ns: fact.ts_recv };
            let heard = if fact.is_history {
                feed.history(&mut again, url, body, fact.ts_recv)
            } else {
                feed.body(&mut again, url, body, fact.ts_recv)
            };
            match heard {
                Ok(_) | Err(Fault::Decode(_)) => {}
                Err(fault) => return Err(fault),
            }
        }
        market_number::STREAMS => {
            let Some(fact) = StreamsMarked::take(&mut bytes) else { return Ok(()) };
            let streams = std::str::from_utf8(text).unwrap_or_default();
            let mut again = Again { engine, now_ns };
            feeds[usize::from(fact.feed)].mark(&mut again, streams, fact.is_stale)?;
        }
        market_number::BAR => event!(Bar, bar),
        market_number::TICK => {
            if let Some(row) = Tick::take(&mut bytes) {
                Again { engine, now_ns }.ticks(&[row])?;
            }
        }
        market_number::TRADE => event!(Trade, trade),
        market_number::QUOTE => event!(Quote, quote),
        market_number::MARK_PRICE => event!(MarkPrice, mark),
        market_number::FUNDING_RATE => event!(Funding, funding),
        market_number::INDEX_PRICE => published!(IndexPrice, Index),
        market_number::OPEN_INTEREST => published!(OpenInterest, OpenInterest),
        market_number::LIQUIDATION => published!(Liquidation, Liquidation),
        market_number::TICKER => published!(Ticker, Ticker),
        _ => {}
    }
    Ok(())
}
