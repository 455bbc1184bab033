//! The numbers of one stream message → one event.

use veloz_core::market::{AggTrade, Bar, MarkPrice, Quote, Ticker, Trade};

use super::decode::Event;
use super::fields::{letter, Fields, NAMES};
use super::json::{DecodeError, Problem, Scanner, Type, Value};
use super::number::{decimal, quoted, stamp, whole, Scale};
use super::symbols::Listed;

/// The fields of one message and what its numbers mean.
pub(super) struct Message<'a> {
    pub fields: &'a Fields,
    pub bytes: &'a [u8],
    pub listed: &'a Listed,
    pub ts_recv: i64,
}

impl Message<'_> {
    #[inline]
    fn price(&self, name: u8) -> Result<i64, DecodeError> {
        let slot = letter(name);
        quoted(self.bytes, self.fields.get(slot)?, &self.listed.price, NAMES[slot])
    }

    #[inline]
    fn qty(&self, name: u8) -> Result<i64, DecodeError> {
        let slot = letter(name);
        quoted(self.bytes, self.fields.get(slot)?, &self.listed.qty, NAMES[slot])
    }

    #[inline]
    fn number(&self, name: u8) -> Result<u64, DecodeError> {
        let slot = letter(name);
        whole(self.bytes, self.fields.get(slot)?, NAMES[slot])
    }

    #[inline]
    fn stamp(&self, name: u8) -> Result<i64, DecodeError> {
        let slot = letter(name);
        stamp(self.bytes, self.fields.get(slot)?, NAMES[slot])
    }

    /// The buyer was the maker: the seller took.
    #[inline]
    fn taker(&self) -> Result<i8, DecodeError> {
        Ok(if self.fields.flag(letter(b'm'))? { -1 } else { 1 })
    }

    pub fn trade(&self) -> Result<Event, DecodeError> {
        Ok(Event::Trade(Trade {
            ts_exchange: self.stamp(b'T')?,
            ts_recv: self.ts_recv,
            instrument: self.listed.row,
            taker: self.taker()?,
            price: self.price(b'p')?,
            qty: self.qty(b'q')?,
            trade_id: self.number(b't')?,
        }))
    }

    pub fn agg_trade(&self) -> Result<Event, DecodeError> {
        Ok(Event::AggTrade(AggTrade {
            ts_exchange: self.stamp(b'T')?,
            ts_recv: self.ts_recv,
            instrument: self.listed.row,
            taker: self.taker()?,
            price: self.price(b'p')?,
            qty: self.qty(b'q')?,
            trade_id: self.number(b'a')?,
            first_trade_id: self.number(b'f')?,
            last_trade_id: self.number(b'l')?,
        }))
    }

    /// Spot's has no time: the time of receipt stands in.
    pub fn quote(&self) -> Result<Event, DecodeError> {
        let ts_exchange = match (self.fields.has(letter(b'T')), self.fields.has(letter(b'E'))) {
            (true, _) => self.stamp(b'T')?,
            (false, true) => self.stamp(b'E')?,
            (false, false) => self.ts_recv,
        };
        Ok(Event::Quote(Quote {
            ts_exchange,
            ts_recv: self.ts_recv,
            instrument: self.listed.row,
            bid_price: self.price(b'b')?,
            bid_qty: self.qty(b'B')?,
            ask_price: self.price(b'a')?,
            ask_qty: self.qty(b'A')?,
            update_id: self.number(b'u')?,
        }))
    }

    /// The event time is `E`; `T` is the next funding. Dated contracts have no rate.
    pub fn mark_price(&self, mark: &Scale, rate: &Scale) -> Result<Event, DecodeError> {
        let optional = |name: u8| {
            let slot = letter(name);
            match self.fields.find(slot) {
                Some(value) if value.start < value.end => {
                    quoted(self.bytes, value, mark, NAMES[slot])
                }
                _ => Ok(0),
            }
        };
        let funding = match self.fields.find(letter(b'r')) {
            Some(value) if value.start < value.end => signed(self.bytes, value, rate, "r")?,
            _ => 0,
        };
        let next = match self.fields.find(letter(b'T')) {
            Some(value) => stamp(self.bytes, value, "T")?,
            None => 0,
        };
        let price = self.fields.get(letter(b'p'))?;
        Ok(Event::MarkPrice(MarkPrice {
            ts_exchange: self.stamp(b'E')?,
            ts_recv: self.ts_recv,
            instrument: self.listed.row,
            mark: quoted(self.bytes, price, mark, "p")?,
            index: optional(b'i')?,
            settle: optional(b'P')?,
            funding_rate: funding,
            next_funding_ns: next,
        }))
    }

    /// A closed candle; an open one is no bar yet.
    pub fn bar(&self, inner: &mut Fields) -> Result<Option<Event>, DecodeError> {
        let candle = self.fields.get(letter(b'k'))?;
        inner.read(&mut Scanner::over(self.bytes, candle), "k")?;
        let candle = Message {
            fields: inner,
            bytes: self.bytes,
            listed: self.listed,
            ts_recv: self.ts_recv,
        };
        let is_closed = candle.fields.flag(letter(b'x'))?;
        let bar = Bar {
            ts_open: candle.stamp(b't')?,
            ts_close: after(candle.fields.get(letter(b'T'))?, candle.stamp(b'T')?, "T")?,
            instrument: self.listed.row,
            open: candle.price(b'o')?,
            high: candle.price(b'h')?,
            low: candle.price(b'l')?,
            close: candle.price(b'c')?,
            volume: candle.qty(b'v')?,
        };
        Ok(is_closed.then_some(Event::Bar(bar)))
    }

    pub fn ticker(&self) -> Result<Event, DecodeError> {
        Ok(Event::Ticker(Ticker {
            ts_exchange: self.stamp(b'E')?,
            ts_recv: self.ts_recv,
            instrument: self.listed.row,
            open: self.price(b'o')?,
            high: self.price(b'h')?,
            low: self.price(b'l')?,
            last: self.price(b'c')?,
            volume: self.qty(b'v')?,
        }))
    }
}

/// The venue's close time is the last unit inside the interval; the bar's is the first behind it.
pub(super) fn after(value: Value, close_ns: i64, field: &'static str) -> Result<i64, DecodeError> {
    // Milliseconds, or microseconds where the stamp shows that it counts them.
    let unit = if close_ns % 1_000_000 == 0 { 1_000_000 } else { 1_000 };
    close_ns.checked_add(unit).ok_or(DecodeError {
        field,
        offset: value.start as usize,
        problem: Problem::TooLarge,
    })
}

/// A quoted decimal that may be negative.
pub(super) fn signed(
    bytes: &[u8],
    value: Value,
    scale: &Scale,
    field: &'static str,
) -> Result<i64, DecodeError> {
    if value.kind != Type::String {
        let problem = Problem::WrongType("a decimal number in quotes");
        return Err(DecodeError { field, offset: value.start as usize, problem });
    }
    decimal(value.of(bytes), scale, field, value.start as usize)
}
