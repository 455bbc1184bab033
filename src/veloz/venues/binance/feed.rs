//! The market-data half: frames in; books kept, messages counted, events put into columns.

use std::collections::BTreeMap;

use veloz_core::book::{BookSide, BookSync, Outcome, PriceLevel, SyncState};
use veloz_core::instrument::{Asset, Instrument, InstrumentId};
use veloz_core::market::{
    AggTrade, Bar, Funding, IndexPrice, Liquidation, MarkPrice, OpenInterest, Quote, Tick, Ticker,
    Trade, TICK_BUY, TICK_CLEAR, TICK_EMPTY, TICK_LAST, TICK_TRADE, TICK_UNKNOWN_TAKER,
};

use super::decode::{BookMessage, Content, Decoder, Event, MessageKind};
use super::json::{DecodeError, Value};
use super::listing::{Listing, ListingError};
use super::{infer, Market};

/// Decoded events by record type, in the order of their messages.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)] // each holds the records of its name
pub struct Columns {
    /// Levels and prints: the form in which a market is replayed.
    pub ticks: Vec<Tick>,
    pub trades: Vec<Trade>,
    pub agg_trades: Vec<AggTrade>,
    pub quotes: Vec<Quote>,
    pub bars: Vec<Bar>,
    pub mark_prices: Vec<MarkPrice>,
    pub index_prices: Vec<IndexPrice>,
    pub fundings: Vec<Funding>,
    pub open_interests: Vec<OpenInterest>,
    pub liquidations: Vec<Liquidation>,
    pub tickers: Vec<Ticker>,
}

/// Which stream gives an instrument's prints, so that none is counted twice: the first one heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Prints {
    Trades,
    AggTrades,
}

/// What one instrument has.
#[derive(Clone, Debug, Default)]
struct Row {
    sync: Option<Box<BookSync>>,
    prints: Option<Prints>,
}

/// The feed of one market.
#[derive(Clone, Debug)]
pub struct Feed {
    decoder: Decoder,
    assets: Vec<Asset>,
    instruments: Vec<Instrument>,
    rows: Vec<Row>,
    counts: [u64; MessageKind::ALL.len()],
    errors: u64,
    unknown: BTreeMap<String, u64>,
    /// Where events are put; `None` if nobody wants them.
    columns: Option<Columns>,
}

impl Feed {
    /// A feed that knows no instrument yet. Events are kept for [`take_columns`] if
    /// `keeps_events`; books are kept always.
    ///
    /// [`take_columns`]: Self::take_columns
    #[must_use]
    pub fn new(market: Market, keeps_events: bool) -> Self {
        Feed {
            decoder: Decoder::new(market),
            assets: Vec::new(),
            instruments: Vec::new(),
            rows: Vec::new(),
            counts: [0; MessageKind::ALL.len()],
            errors: 0,
            unknown: BTreeMap::new(),
            columns: keeps_events.then(Columns::default),
        }
    }

    /// The market.
    #[must_use]
    pub fn market(&self) -> Market {
        self.decoder.market
    }

    /// The instrument table; a row is never re-used.
    #[must_use]
    pub fn instruments(&self) -> &[Instrument] {
        &self.instruments
    }

    /// The assets that instruments name by number.
    #[must_use]
    pub fn assets(&self) -> &[Asset] {
        &self.assets
    }

    /// The row of a venue symbol, if it is known.
    pub fn find(&mut self, venue_symbol: &str) -> Option<InstrumentId> {
        let place = self.decoder.symbols.find(venue_symbol.as_bytes())?;
        Some(self.decoder.symbols.at(place).row)
    }

    /// Adds the instruments of a listing whose symbols are not known yet; returns how many.
    pub fn add(&mut self, listing: &Listing) -> usize {
        let before = self.instruments.len();
        for instrument in &listing.instruments {
            if self.find(&instrument.venue_symbol).is_some() {
                continue;
            }
            let mut instrument = instrument.clone();
            for id in [&mut instrument.base, &mut instrument.quote, &mut instrument.settle] {
                *id = super::listing::intern(&mut self.assets, &listing.assets[*id as usize]);
            }
            let row = self.instruments.len() as InstrumentId;
            self.decoder.symbols.add(row, &instrument);
            self.instruments.push(instrument);
            self.rows.push(Row::default());
        }
        self.instruments.len() - before
    }

    /// Adds the instruments of an exchange-information body; see [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// What is wrong with the body.
    pub fn add_exchange_info(&mut self, body: &[u8]) -> Result<usize, ListingError> {
        let listing = Listing::decode(self.market(), body)?;
        Ok(self.add(&listing))
    }

    /// Adds instruments whose figures were inferred; see [`add`](Self::add).
    ///
    /// # Errors
    ///
    /// Which symbol's assets cannot be told.
    pub fn add_inferred(&mut self, inferred: &infer::Inference) -> Result<usize, ListingError> {
        Ok(self.add(&inferred.listing()?))
    }

    /// Decodes a WebSocket frame and applies it; `None` if its symbol is not in the table.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; books and columns are then as before.
    #[inline]
    pub fn frame(
        &mut self,
        bytes: &[u8],
        ts_recv: i64,
    ) -> Result<Option<MessageKind>, DecodeError> {
        let decoded = self.decoder.frame(bytes, ts_recv);
        self.apply(decoded, bytes, None, ts_recv)
    }

    /// Decodes the body that a REST request was answered with and applies it. Exchange information
    /// adds its instruments.
    ///
    /// # Errors
    ///
    /// [`DecodeError`]; books and columns are then as before.
    pub fn rest(
        &mut self,
        url: &str,
        body: &[u8],
        ts_recv: i64,
    ) -> Result<Option<MessageKind>, DecodeError> {
        let mut decoded = self.decoder.rest(url, body, ts_recv);
        if let Ok((MessageKind::ExchangeInfo, _)) = decoded {
            if let Err(ListingError::Decode(error)) = self.add_exchange_info(body) {
                decoded = Err(error);
            }
        }
        self.apply(decoded, body, super::rest::request(url).1, ts_recv)
    }

    #[inline]
    fn apply(
        &mut self,
        decoded: Result<(MessageKind, Content), DecodeError>,
        bytes: &[u8],
        symbol: Option<&str>,
        ts_recv: i64,
    ) -> Result<Option<MessageKind>, DecodeError> {
        let (kind, content) = decoded.inspect_err(|_| self.errors += 1)?;
        self.counts[kind as usize] += 1;
        match content {
            Content::Book(message) => self.book_message(kind, message, ts_recv),
            Content::Events => self.keep_events(),
            Content::UnknownSymbol(value) => {
                self.note_unknown(bytes, value, symbol);
                return Ok(None);
            }
            Content::Nothing => {}
        }
        Ok(Some(kind))
    }

    #[cold]
    fn note_unknown(&mut self, bytes: &[u8], value: Value, symbol: Option<&str>) {
        let text = value.of(bytes);
        let name = symbol.map_or_else(|| String::from_utf8_lossy(text).into_owned(), str::to_owned);
        *self.unknown.entry(name).or_default() += 1;
    }

    #[inline]
    fn book_message(&mut self, kind: MessageKind, message: BookMessage, ts_recv: i64) {
        let row = &mut self.rows[message.instrument as usize];
        let instrument = &self.instruments[message.instrument as usize];
        let chain = self.decoder.market.chain();
        let sync = row.sync.get_or_insert_with(|| Box::new(BookSync::new(instrument.tick, chain)));
        let (bids, asks) = (&self.decoder.bids[..], &self.decoder.asks[..]);
        if !message.is_whole {
            let stamps = (message.ts_exchange, ts_recv);
            let was_live = sync.state() == SyncState::Live;
            let outcome = sync.apply(message.ids, stamps, bids, asks);
            if let Some(columns) = &mut self.columns {
                let mut rows = TickRows { columns, instrument: message.instrument, stamps };
                match outcome {
                    Outcome::Applied => rows.levels(bids, asks, 0),
                    Outcome::Gap if was_live => rows.marker(TICK_CLEAR),
                    _ => {}
                }
            }
            return;
        }
        let ts_exchange = match (message.ts_exchange, sync.stamp_before(message.ids.last)) {
            // A spot snapshot has no time: that of the last update it includes.
            (0, stamp) => stamp.unwrap_or(ts_recv),
            (stamp, _) => stamp,
        };
        let stamps = (ts_exchange, ts_recv);
        let mut rows = self.columns.as_mut().map(|columns| TickRows {
            columns,
            instrument: message.instrument,
            stamps,
        });
        if kind == MessageKind::PartialDepth {
            if sync.replace(message.ids.last, bids, asks) {
                if let Some(rows) = &mut rows {
                    rows.levels(bids, asks, TICK_CLEAR);
                }
            }
            return;
        }
        // Rows of the snapshot stand before those of the kept updates, which reach the strategy
        // with it and not before.
        let start = rows.as_ref().map_or(0, |rows| rows.columns.ticks.len());
        if let Some(rows) = &mut rows {
            rows.levels(bids, asks, TICK_CLEAR);
        }
        let outcome = sync.snapshot(message.ids.last, bids, asks, |(kept_ts, _), bids, asks| {
            if let Some(rows) = &mut rows {
                rows.stamps.0 = rows.stamps.0.max(kept_ts);
                rows.levels(bids, asks, 0);
            }
        });
        if outcome != Outcome::Applied {
            if let Some(rows) = &mut rows {
                rows.columns.ticks.truncate(start);
            }
        }
    }

    #[inline]
    fn keep_events(&mut self) {
        let Some(columns) = &mut self.columns else { return };
        for event in &self.decoder.events {
            match *event {
                Event::Trade(trade) => {
                    columns.trades.push(trade);
                    let prints = &mut self.rows[trade.instrument as usize].prints;
                    if *prints.get_or_insert(Prints::Trades) == Prints::Trades {
                        columns.print(&trade);
                    }
                }
                Event::AggTrade(trade) => {
                    columns.agg_trades.push(trade);
                    let prints = &mut self.rows[trade.instrument as usize].prints;
                    if *prints.get_or_insert(Prints::AggTrades) == Prints::AggTrades {
                        columns.print(&Trade {
                            ts_exchange: trade.ts_exchange,
                            ts_recv: trade.ts_recv,
                            instrument: trade.instrument,
                            taker: trade.taker,
                            price: trade.price,
                            qty: trade.qty,
                            trade_id: trade.last_trade_id,
                        });
                    }
                }
                Event::Quote(quote) => columns.quotes.push(quote),
                Event::Bar(bar) => columns.bars.push(bar),
                Event::MarkPrice(mark) => columns.mark_prices.push(mark),
                Event::IndexPrice(index) => columns.index_prices.push(index),
                Event::Funding(funding) => columns.fundings.push(funding),
                Event::OpenInterest(open) => columns.open_interests.push(open),
                Event::Liquidation(liquidation) => columns.liquidations.push(liquidation),
                Event::Ticker(ticker) => columns.tickers.push(ticker),
            }
        }
    }

    /// The events of the last frame.
    #[must_use]
    pub fn last_events(&self) -> &[Event] {
        self.decoder.events()
    }

    /// Hands over the kept events and starts empty ones.
    pub fn take_columns(&mut self) -> Columns {
        self.columns.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// The book of a row; `None` before its first message.
    #[inline]
    #[must_use]
    pub fn sync(&self, row: InstrumentId) -> Option<&BookSync> {
        self.rows.get(row as usize)?.sync.as_deref()
    }

    /// Takes a book for stale although no update is missing: a new snapshot is needed.
    pub fn distrust(&mut self, row: InstrumentId) {
        if let Some(sync) = self.rows.get_mut(row as usize).and_then(|row| row.sync.as_mut()) {
            sync.distrust();
        }
    }

    /// Takes the levels of a book for all that there are, until its next snapshot.
    pub fn believe_whole(&mut self, row: InstrumentId) {
        if let Some(sync) = self.rows.get_mut(row as usize).and_then(|row| row.sync.as_mut()) {
            sync.believe_whole();
        }
    }

    /// Forgets all books after a lost connection: none is trusted before a new snapshot.
    pub fn disconnect(&mut self) {
        for row in &mut self.rows {
            if let Some(sync) = &mut row.sync {
                sync.reset();
            }
        }
    }

    /// How many messages of a kind were decoded.
    #[must_use]
    pub fn count(&self, kind: MessageKind) -> u64 {
        self.counts[kind as usize]
    }

    /// How many messages ended in an error.
    #[must_use]
    pub fn errors(&self) -> u64 {
        self.errors
    }

    /// Messages per symbol that is not in the table.
    #[must_use]
    pub fn unknown(&self) -> &BTreeMap<String, u64> {
        &self.unknown
    }

    /// True if the book of a row is whole and current.
    #[must_use]
    pub fn is_live(&self, row: InstrumentId) -> bool {
        self.sync(row).is_some_and(|sync| sync.state() == SyncState::Live)
    }

    /// The best `n` levels of one side of a row's book, best first.
    #[must_use]
    pub fn top(&self, row: InstrumentId, side: BookSide, n: usize) -> Vec<PriceLevel> {
        self.sync(row).map_or_else(Vec::new, |sync| sync.book().top(side, n))
    }
}

/// Appends the tick rows of one message.
struct TickRows<'a> {
    columns: &'a mut Columns,
    instrument: InstrumentId,
    stamps: (i64, i64),
}

impl TickRows<'_> {
    fn row(&self, price: i64, qty: i64, flags: u32) -> Tick {
        let ((ts_exchange, ts_recv), instrument) = (self.stamps, self.instrument);
        Tick { ts_exchange, ts_recv, price, qty, flags, instrument }
    }

    fn marker(&mut self, flags: u32) {
        let row = self.row(0, 0, flags | TICK_EMPTY | TICK_LAST);
        self.columns.ticks.push(row);
    }

    /// One row a level; `first` is added to the first row's flags.
    fn levels(&mut self, bids: &[PriceLevel], asks: &[PriceLevel], first: u32) {
        let start = self.columns.ticks.len();
        for (levels, flags) in [(bids, TICK_BUY), (asks, 0)] {
            for level in levels {
                let row = self.row(level.price, level.qty, flags);
                self.columns.ticks.push(row);
            }
        }
        match &mut self.columns.ticks[start..] {
            [] if first != 0 => self.marker(first),
            [] => {}
            [only] => only.flags |= first | TICK_LAST,
            [head, .., tail] => {
                head.flags |= first;
                tail.flags |= TICK_LAST;
            }
        }
    }
}

impl Columns {
    /// A print is a tick of its own.
    fn print(&mut self, trade: &Trade) {
        let taker = match trade.taker {
            1 => TICK_BUY,
            -1 => 0,
            _ => TICK_UNKNOWN_TAKER,
        };
        self.ticks.push(Tick {
            ts_exchange: trade.ts_exchange,
            ts_recv: trade.ts_recv,
            price: trade.price,
            qty: trade.qty,
            flags: TICK_TRADE | TICK_LAST | taker,
            instrument: trade.instrument,
        });
    }
}
