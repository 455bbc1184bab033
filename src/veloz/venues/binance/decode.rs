//! WebSocket frames of the market streams → events, straight from the bytes.
//!
//! ```text
//!  frame ─► Fields (where each value stands) ─► one event, or the levels of one book update
//!                    └─ the levels of `b` and `a` are read on the way, if the symbol came before
//! ```
//!
//! A frame is decoded whole or not at all: levels and events of a frame that ends in an error are
//! never handed on. Fields that no message is documented to need are passed over.

use veloz_core::book::{PriceLevel, UpdateIds};
use veloz_core::market::{
    AggTrade, Bar, Funding, IndexPrice, Liquidation, MarkPrice, OpenInterest, Quote, Ticker, Trade,
};
use veloz_core::units::{MARK_SCALE, RATE_SCALE};

use super::fields::{self, letter, Fields, NAMES};
use super::json::{DecodeError, Problem, Scanner, Type, Value};
use super::message::Message;
use super::number::{decimal, levels, quoted, stamp, whole, Scale};
use super::symbols::Symbols;
use super::Market;

/// One decoded market event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each holds the record of its name
pub enum Event {
    Trade(Trade),
    AggTrade(AggTrade),
    Quote(Quote),
    Bar(Bar),
    MarkPrice(MarkPrice),
    IndexPrice(IndexPrice),
    Funding(Funding),
    OpenInterest(OpenInterest),
    Liquidation(Liquidation),
    Ticker(Ticker),
}

/// What a message is, in the venue's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)] // the venue's own names, see `name`
#[repr(u8)]
pub enum MessageKind {
    Depth,
    PartialDepth,
    BookTicker,
    Trade,
    AggTrade,
    Kline,
    Ticker,
    MiniTicker,
    MarkPrice,
    IndexPrice,
    ForceOrder,
    Shutdown,
    Ack,
    Ignored,
    DepthSnapshot,
    ExchangeInfo,
    OpenInterest,
    PremiumIndex,
    FundingRate,
    Klines,
    Trades,
    AggTrades,
}

impl MessageKind {
    /// All kinds, by number.
    #[rustfmt::skip]
    pub const ALL: [MessageKind; 22] = {
        use MessageKind::*;
        [Depth, PartialDepth, BookTicker, Trade, AggTrade, Kline, Ticker, MiniTicker, MarkPrice,
         IndexPrice, ForceOrder, Shutdown, Ack, Ignored, DepthSnapshot, ExchangeInfo, OpenInterest,
         PremiumIndex, FundingRate, Klines, Trades, AggTrades]
    };

    /// The venue's name of the event, or the last part of the REST path.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            MessageKind::Depth => "depthUpdate",
            MessageKind::PartialDepth => "partialDepth",
            MessageKind::BookTicker => "bookTicker",
            MessageKind::Trade => "trade",
            MessageKind::AggTrade => "aggTrade",
            MessageKind::Kline => "kline",
            MessageKind::Ticker => "24hrTicker",
            MessageKind::MiniTicker => "24hrMiniTicker",
            MessageKind::MarkPrice => "markPriceUpdate",
            MessageKind::IndexPrice => "indexPriceUpdate",
            MessageKind::ForceOrder => "forceOrder",
            MessageKind::Shutdown => "serverShutdown",
            MessageKind::Ack => "ack",
            MessageKind::Ignored => "ignored",
            MessageKind::DepthSnapshot => "rest/depth",
            MessageKind::ExchangeInfo => "rest/exchangeInfo",
            MessageKind::OpenInterest => "rest/openInterest",
            MessageKind::PremiumIndex => "rest/premiumIndex",
            MessageKind::FundingRate => "rest/fundingRate",
            MessageKind::Klines => "rest/klines",
            MessageKind::Trades => "rest/trades",
            MessageKind::AggTrades => "rest/aggTrades",
        }
    }
}

/// A change of one book; the levels are the decoder's [`bids`](Decoder::bids) and
/// [`asks`](Decoder::asks).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookMessage {
    /// Row of the instrument table.
    pub instrument: u32,
    /// The venue's time; 0 where the message has none.
    pub ts_exchange: i64,
    /// Sequence numbers; of a whole book only `last`.
    pub ids: UpdateIds,
    /// True if the levels are the whole (top of the) book and not changes of it.
    pub is_whole: bool,
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Levels of one book.
    Book(BookMessage),
    /// The decoder's [`events`](Decoder::events), perhaps none.
    Events,
    /// A symbol that is not in the instrument table.
    UnknownSymbol(Value),
    /// Nothing for the market: an acknowledgement, a notice, a message of another kind.
    Nothing,
}

/// Reads frames of one market; keeps its buffers between frames.
#[derive(Clone, Debug)]
pub struct Decoder {
    pub(super) market: Market,
    pub(super) symbols: Symbols,
    pub(super) bids: Vec<PriceLevel>,
    pub(super) asks: Vec<PriceLevel>,
    pub(super) events: Vec<Event>,
    pub(super) mark: Scale,
    pub(super) rate: Scale,
    fields: Fields,
    inner: Fields,
    /// The place of the object's symbol, once seen.
    place: Option<usize>,
    /// Which of bids (1) and asks (2) were read on the way.
    read: u8,
}

const BIDS_READ: u8 = 1;
const ASKS_READ: u8 = 2;

impl Decoder {
    /// A decoder that knows no instrument yet.
    #[must_use]
    pub fn new(market: Market) -> Self {
        Decoder {
            market,
            symbols: Symbols::default(),
            bids: Vec::new(),
            asks: Vec::new(),
            events: Vec::new(),
            mark: Scale::new(MARK_SCALE),
            rate: Scale::new(RATE_SCALE),
            fields: Fields::default(),
            inner: Fields::default(),
            place: None,
            read: 0,
        }
    }

    /// Bids of the last frame with [`Content::Book`].
    #[must_use]
    pub fn bids(&self) -> &[PriceLevel] {
        &self.bids
    }

    /// Asks of the last frame with [`Content::Book`].
    #[must_use]
    pub fn asks(&self) -> &[PriceLevel] {
        &self.asks
    }

    /// Events of the last frame with [`Content::Events`].
    #[must_use]
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// Decodes one frame of a WebSocket stream, raw or in the combined wrapper.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] names the field and the byte; nothing of the frame is handed on.
    #[inline]
    pub fn frame(
        &mut self,
        bytes: &[u8],
        ts_recv: i64,
    ) -> Result<(MessageKind, Content), DecodeError> {
        self.events.clear();
        check_length(bytes)?;
        let mut scan = Scanner::new(bytes);
        if scan.peek() == Some(b'[') {
            let kind = self.array(&mut scan, ts_recv)?;
            scan.finish()?;
            return Ok((kind, Content::Events));
        }
        let array_kind = self.object(&mut scan, true, ts_recv)?;
        scan.finish()?;
        match array_kind {
            Some(kind) => Ok((kind, Content::Events)),
            None => self.interpret(bytes, ts_recv),
        }
    }

    /// Finds the fields of an object; a combined wrapper's inner object is laid flat. Returns the
    /// kind of the wrapper's messages if it holds a list of them.
    #[inline]
    fn object(
        &mut self,
        scan: &mut Scanner<'_>,
        is_outer: bool,
        ts_recv: i64,
    ) -> Result<Option<MessageKind>, DecodeError> {
        const ASKS: usize = letter(b'a');
        const BIDS: usize = letter(b'b');
        const SYMBOL: usize = letter(b's');
        if is_outer {
            self.fields.clear();
        }
        (self.place, self.read) = (None, 0);
        let mut array_kind = None;
        scan.expect(b'{', "frame", "an object")?;
        if scan.eat(b'}') {
            return Ok(None);
        }
        loop {
            let key = scan.key()?;
            match fields::slot(key) {
                // Beside a wrapper's `data` only its name counts.
                Some(slot)
                    if is_outer && self.fields.has(fields::DATA) && slot != fields::STREAM =>
                {
                    if slot == fields::DATA {
                        self.fields.claim(slot, scan.at)?;
                    }
                    scan.value("frame")?;
                }
                Some(fields::DATA) if is_outer => {
                    let stream = self.fields.find(fields::STREAM);
                    self.fields.clear();
                    self.fields.claim(fields::DATA, scan.at)?;
                    if let Some(stream) = stream {
                        self.fields.claim(fields::STREAM, scan.at)?;
                        self.fields.put(fields::STREAM, stream);
                    }
                    if scan.peek() == Some(b'[') {
                        array_kind = Some(self.array(scan, ts_recv)?);
                    } else {
                        self.object(scan, false, ts_recv)?;
                    }
                }
                Some(slot @ (BIDS | ASKS)) if self.place.is_some() && scan.peek() == Some(b'[') => {
                    self.fields.claim(slot, scan.at)?;
                    let start = scan.at as u32;
                    let listed = self.symbols.at(self.place.unwrap_or_default());
                    let (out, bit) = match slot {
                        BIDS => (&mut self.bids, BIDS_READ),
                        _ => (&mut self.asks, ASKS_READ),
                    };
                    out.clear();
                    levels(scan, (&listed.price, &listed.qty), NAMES[slot], out)?;
                    self.read |= bit;
                    let value = Value { kind: Type::Array, start, end: scan.at as u32 };
                    self.fields.put(slot, value);
                }
                Some(slot) => {
                    if is_outer || !matches!(slot, fields::STREAM | fields::DATA) {
                        self.fields.claim(slot, scan.at)?;
                        let value = scan.value(NAMES[slot])?;
                        self.fields.put(slot, value);
                        if slot == SYMBOL && value.kind == Type::String {
                            self.place = self.symbols.find(value.of(scan.bytes));
                        }
                    } else {
                        scan.value("frame")?;
                    }
                }
                None => drop(scan.value("frame")?),
            }
            if !scan.more(b'}', "frame")? {
                break;
            }
        }
        self.fields.end = scan.at;
        Ok(array_kind)
    }

    /// A list of messages; the kind is that of the last.
    fn array(&mut self, scan: &mut Scanner<'_>, ts_recv: i64) -> Result<MessageKind, DecodeError> {
        let mut kind = MessageKind::Ignored;
        scan.expect(b'[', "frame", "a list")?;
        if scan.eat(b']') {
            return Ok(kind);
        }
        loop {
            self.fields.clear();
            let start = scan.at;
            self.object(scan, false, ts_recv)?;
            let (found, content) = self.interpret(scan.bytes, ts_recv)?;
            if matches!(content, Content::Book(_)) {
                // Two books could not change together, all or nothing.
                let problem = Problem::WrongType("messages other than depth in a list");
                return Err(DecodeError { field: "frame", offset: start, problem });
            }
            kind = found;
            if !scan.more(b']', "frame")? {
                // The wrapper's own fields were overwritten; it has no more of interest.
                self.fields.clear();
                self.fields.claim(fields::DATA, scan.at)?;
                return Ok(kind);
            }
        }
    }

    /// The message that the fields are.
    #[inline]
    fn interpret(
        &mut self,
        bytes: &[u8],
        ts_recv: i64,
    ) -> Result<(MessageKind, Content), DecodeError> {
        if !self.fields.has(letter(b'e')) {
            return self.unnamed(bytes, ts_recv);
        }
        let kind = match self.fields.text(bytes, letter(b'e'))? {
            b"depthUpdate" => return self.depth(bytes),
            b"bookTicker" => MessageKind::BookTicker,
            b"trade" => MessageKind::Trade,
            b"aggTrade" => MessageKind::AggTrade,
            b"kline" => MessageKind::Kline,
            b"continuous_kline" => return self.continuous(bytes),
            b"24hrTicker" => MessageKind::Ticker,
            b"24hrMiniTicker" => MessageKind::MiniTicker,
            b"markPriceUpdate" => MessageKind::MarkPrice,
            b"indexPriceUpdate" => return self.index_price(bytes, ts_recv),
            b"forceOrder" => return self.force_order(bytes, ts_recv),
            b"serverShutdown" => return Ok((MessageKind::Shutdown, Content::Nothing)),
            _ => return Ok((MessageKind::Ignored, Content::Nothing)),
        };
        let Some(place) = self.place else {
            self.fields.text(bytes, letter(b's'))?;
            return Ok((kind, Content::UnknownSymbol(self.fields.get(letter(b's'))?)));
        };
        let message =
            Message { fields: &self.fields, bytes, listed: self.symbols.at(place), ts_recv };
        let event = match kind {
            MessageKind::Trade => message.trade()?,
            MessageKind::AggTrade => message.agg_trade()?,
            MessageKind::BookTicker => message.quote()?,
            MessageKind::MarkPrice => message.mark_price(&self.mark, &self.rate)?,
            MessageKind::Kline => match message.bar(&mut self.inner)? {
                Some(bar) => bar,
                None => return Ok((kind, Content::Events)),
            },
            _ => message.ticker()?,
        };
        self.events.push(event);
        Ok((kind, Content::Events))
    }

    /// Messages that do not say what they are: spot's best quote and partial depth, and answers to
    /// control messages.
    #[cold]
    fn unnamed(
        &mut self,
        bytes: &[u8],
        ts_recv: i64,
    ) -> Result<(MessageKind, Content), DecodeError> {
        if self.fields.has(fields::LAST_UPDATE_ID) {
            return self.partial_depth(bytes);
        }
        if self.fields.has(letter(b'u')) && self.fields.has(letter(b'B')) {
            let Some(place) = self.place else {
                self.fields.text(bytes, letter(b's'))?;
                let symbol = self.fields.get(letter(b's'))?;
                return Ok((MessageKind::BookTicker, Content::UnknownSymbol(symbol)));
            };
            let listed = self.symbols.at(place);
            let message = Message { fields: &self.fields, bytes, listed, ts_recv };
            let quote = message.quote()?;
            self.events.push(quote);
            return Ok((MessageKind::BookTicker, Content::Events));
        }
        let is_answer = self.fields.has(fields::RESULT) || self.fields.has(fields::CODE);
        let kind = if is_answer { MessageKind::Ack } else { MessageKind::Ignored };
        Ok((kind, Content::Nothing))
    }

    #[inline]
    fn depth(&mut self, bytes: &[u8]) -> Result<(MessageKind, Content), DecodeError> {
        let fields = &self.fields;
        // Futures send partial depth in the shape of an update; only the stream's name tells.
        let is_whole = fields.find(fields::STREAM).is_some_and(|name| is_partial(name.of(bytes)));
        let kind = if is_whole { MessageKind::PartialDepth } else { MessageKind::Depth };
        let Some(place) = self.place else {
            fields.text(bytes, letter(b's'))?;
            return Ok((kind, Content::UnknownSymbol(fields.get(letter(b's'))?)));
        };
        let time = fields.find(letter(b'T')).map_or_else(|| fields.get(letter(b'E')), Ok)?;
        let ts_exchange = stamp(bytes, time, "T")?;
        let ids = UpdateIds {
            first: whole(bytes, fields.get(letter(b'U'))?, "U")?,
            last: whole(bytes, fields.get(letter(b'u'))?, "u")?,
            previous: match self.market {
                Market::Spot => 0,
                _ => whole(bytes, fields.get(fields::PU)?, "pu")?,
            },
        };
        if ids.first > ids.last {
            let offset = fields.get(letter(b'U'))?.start as usize;
            let problem = Problem::WrongType("a first id up to the last id `u`");
            return Err(DecodeError { field: "U", offset, problem });
        }
        self.late_levels(bytes, place, letter(b'b'), letter(b'a'))?;
        let instrument = self.symbols.at(place).row;
        Ok((kind, Content::Book(BookMessage { instrument, ts_exchange, ids, is_whole })))
    }

    /// Reads the levels that were not read on the way, because the symbol came behind them.
    #[inline]
    fn late_levels(
        &mut self,
        bytes: &[u8],
        place: usize,
        bids: usize,
        asks: usize,
    ) -> Result<(), DecodeError> {
        let listed = self.symbols.at(place);
        for (slot, bit, out) in
            [(bids, BIDS_READ, &mut self.bids), (asks, ASKS_READ, &mut self.asks)]
        {
            if self.read & bit == 0 {
                let value = self.fields.get(slot)?;
                out.clear();
                let mut scan = Scanner::over(bytes, value);
                levels(&mut scan, (&listed.price, &listed.qty), NAMES[slot], out)?;
            }
        }
        Ok(())
    }

    fn partial_depth(&mut self, bytes: &[u8]) -> Result<(MessageKind, Content), DecodeError> {
        let kind = MessageKind::PartialDepth;
        let name = self.fields.text(bytes, fields::STREAM)?;
        let symbol = name.split(|&byte| byte == b'@').next().unwrap_or_default();
        let Some(place) = self.symbols.find(&symbol.to_ascii_uppercase()) else {
            return Ok((kind, Content::UnknownSymbol(self.fields.get(fields::STREAM)?)));
        };
        let last = whole(bytes, self.fields.get(fields::LAST_UPDATE_ID)?, "lastUpdateId")?;
        self.read = 0;
        self.late_levels(bytes, place, fields::BIDS, fields::ASKS)?;
        let book = BookMessage {
            instrument: self.symbols.at(place).row,
            ts_exchange: 0,
            ids: UpdateIds { first: last, last, previous: 0 },
            is_whole: true,
        };
        Ok((kind, Content::Book(book)))
    }

    /// A kline of a pair and contract type: only the perpetual names an instrument by itself.
    fn continuous(&mut self, bytes: &[u8]) -> Result<(MessageKind, Content), DecodeError> {
        let kind = MessageKind::Kline;
        if self.fields.text(bytes, fields::CT)? != b"PERPETUAL" {
            return Ok((MessageKind::Ignored, Content::Nothing));
        }
        let pair = self.fields.text(bytes, fields::PS)?;
        let place = match self.market {
            Market::CoinM => self.symbols.find(&[pair, b"_PERP"].concat()),
            _ => self.symbols.find(pair),
        };
        let Some(place) = place else {
            return Ok((kind, Content::UnknownSymbol(self.fields.get(fields::PS)?)));
        };
        let listed = self.symbols.at(place);
        let message = Message { fields: &self.fields, bytes, listed, ts_recv: 0 };
        if let Some(bar) = message.bar(&mut self.inner)? {
            self.events.push(bar);
        }
        Ok((kind, Content::Events))
    }

    /// A pair's index price, given to its perpetual.
    fn index_price(
        &mut self,
        bytes: &[u8],
        ts_recv: i64,
    ) -> Result<(MessageKind, Content), DecodeError> {
        let kind = MessageKind::IndexPrice;
        let pair = self.fields.text(bytes, letter(b'i'))?;
        let place = match self.market {
            Market::CoinM => self.symbols.find(&[pair, b"_PERP"].concat()),
            _ => self.symbols.find(pair),
        };
        let Some(place) = place else {
            return Ok((kind, Content::UnknownSymbol(self.fields.get(letter(b'i'))?)));
        };
        self.events.push(Event::IndexPrice(IndexPrice {
            ts_exchange: stamp(bytes, self.fields.get(letter(b'E'))?, "E")?,
            ts_recv,
            instrument: self.symbols.at(place).row,
            index: quoted(bytes, self.fields.get(letter(b'p'))?, &self.mark, "p")?,
        }));
        Ok((kind, Content::Events))
    }

    fn force_order(
        &mut self,
        bytes: &[u8],
        ts_recv: i64,
    ) -> Result<(MessageKind, Content), DecodeError> {
        let kind = MessageKind::ForceOrder;
        let order = self.fields.get(letter(b'o'))?;
        self.inner.read(&mut Scanner::over(bytes, order), "o")?;
        let symbol = self.inner.text(bytes, letter(b's'))?;
        let Some(place) = self.symbols.find(symbol) else {
            return Ok((kind, Content::UnknownSymbol(self.inner.get(letter(b's'))?)));
        };
        let listed = self.symbols.at(place);
        let side = self.inner.get(letter(b'S'))?;
        let side = match side.of(bytes) {
            b"SELL" => -1,
            b"BUY" => 1,
            _ => {
                let problem = Problem::WrongType("BUY or SELL");
                return Err(DecodeError { field: "S", offset: side.start as usize, problem });
            }
        };
        // The average price may be finer than the tick: it is a mean, and rounded to the scale.
        let price = self.inner.get(fields::AP)?;
        let price =
            quoted(bytes, price, &listed.price, "ap").or_else(|error| match error.problem {
                Problem::TooFine => rounded(bytes, price, &listed.price),
                _ => Err(error),
            })?;
        self.events.push(Event::Liquidation(Liquidation {
            ts_exchange: stamp(bytes, self.inner.get(letter(b'T'))?, "T")?,
            ts_recv,
            instrument: listed.row,
            side,
            price,
            qty: quoted(bytes, self.inner.get(letter(b'q'))?, &listed.qty, "q")?,
        }));
        Ok((kind, Content::Events))
    }
}

/// A decimal with more digits than the scale, cut to it.
fn rounded(bytes: &[u8], value: Value, scale: &Scale) -> Result<i64, DecodeError> {
    let text = value.of(bytes);
    let point = text.iter().position(|&byte| byte == b'.').unwrap_or(text.len());
    let kept = text.len().min(point + 1 + scale.decimals() as usize);
    decimal(&text[..kept], scale, "ap", value.start as usize)
}

/// True for `<symbol>@depth5`, `10` and `20`, with or without a speed behind.
fn is_partial(stream: &[u8]) -> bool {
    let mut parts = stream.split(|&byte| byte == b'@').skip(1);
    matches!(parts.next(), Some(b"depth5" | b"depth10" | b"depth20"))
}

/// Offsets are kept in 32 bits.
pub(super) fn check_length(bytes: &[u8]) -> Result<(), DecodeError> {
    if bytes.len() > u32::MAX as usize / 2 {
        let problem = Problem::WrongType("a message below 2 GB");
        return Err(DecodeError { field: "frame", offset: 0, problem });
    }
    Ok(())
}
