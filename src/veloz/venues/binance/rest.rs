//! REST bodies of the public endpoints → the same events as the streams give.

use veloz_core::book::UpdateIds;
use veloz_core::market::{AggTrade, Bar, Funding, MarkPrice, OpenInterest, Trade};

use super::decode::{check_length, BookMessage, Content, Decoder, Event, MessageKind};
use super::json::{named_fields, DecodeError, Problem, Scanner, Type, Value};
use super::message::{after, signed};
use super::number::{levels, quoted, stamp, whole};

/// The last part of a request's path, and its `symbol` argument.
#[must_use]
pub fn request(url: &str) -> (&str, Option<&str>) {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let endpoint = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let symbol = query.split('&').find_map(|pair| pair.strip_prefix("symbol="));
    (endpoint, symbol)
}

/// What a REST body gives: read from its named fields, one after the other.
struct Body<'a, const N: usize> {
    bytes: &'a [u8],
    names: &'static [&'static str; N],
    found: [Option<Value>; N],
    end: usize,
}

impl<'a, const N: usize> Body<'a, N> {
    fn read(
        scan: &mut Scanner<'a>,
        names: &'static [&'static str; N],
    ) -> Result<Self, DecodeError> {
        let found = named_fields(scan, names)?;
        Ok(Body { bytes: scan.bytes, names, found, end: scan.at })
    }

    fn get(&self, at: usize) -> Result<(Value, &'static str), DecodeError> {
        let missing =
            DecodeError { field: self.names[at], offset: self.end, problem: Problem::Missing };
        Ok((self.found[at].ok_or(missing)?, self.names[at]))
    }

    fn text(&self, at: usize) -> Result<&'a [u8], DecodeError> {
        let (value, field) = self.get(at)?;
        if value.kind != Type::String {
            let problem = Problem::WrongType("text");
            return Err(DecodeError { field, offset: value.start as usize, problem });
        }
        Ok(value.of(self.bytes))
    }

    fn whole(&self, at: usize) -> Result<u64, DecodeError> {
        let (value, field) = self.get(at)?;
        whole(self.bytes, value, field)
    }

    fn stamp(&self, at: usize) -> Result<i64, DecodeError> {
        let (value, field) = self.get(at)?;
        stamp(self.bytes, value, field)
    }

    fn decimal(&self, at: usize, scale: &super::number::Scale) -> Result<i64, DecodeError> {
        let (value, field) = self.get(at)?;
        quoted(self.bytes, value, scale, field)
    }

    /// Zero where the field is absent or an empty text.
    fn optional(&self, at: usize, scale: &super::number::Scale) -> Result<i64, DecodeError> {
        match self.found[at] {
            Some(value) if value.kind != Type::Null && value.start < value.end => {
                quoted(self.bytes, value, scale, self.names[at])
            }
            _ => Ok(0),
        }
    }

    /// Like [`optional`](Self::optional), with a sign.
    fn optional_signed(&self, at: usize, scale: &super::number::Scale) -> Result<i64, DecodeError> {
        match self.found[at] {
            Some(value) if value.kind != Type::Null && value.start < value.end => {
                signed(self.bytes, value, scale, self.names[at])
            }
            _ => Ok(0),
        }
    }

    /// +1 where the buyer took.
    fn taker(&self, at: usize) -> Result<i8, DecodeError> {
        let (value, field) = self.get(at)?;
        match value.kind {
            Type::True => Ok(-1),
            Type::False => Ok(1),
            _ => {
                let problem = Problem::WrongType("true or false");
                Err(DecodeError { field, offset: value.start as usize, problem })
            }
        }
    }
}

impl Decoder {
    /// Decodes the body that `url` answered with.
    ///
    /// Exchange information is not read here: it makes instruments, see
    /// [`Listing`](super::listing::Listing).
    ///
    /// # Errors
    ///
    /// [`DecodeError`] names the field and the byte; nothing of the body is handed on.
    pub fn rest(
        &mut self,
        url: &str,
        bytes: &[u8],
        ts_recv: i64,
    ) -> Result<(MessageKind, Content), DecodeError> {
        self.events.clear();
        check_length(bytes)?;
        let (endpoint, symbol) = request(url);
        let mut scan = Scanner::new(bytes);
        let place = symbol.and_then(|name| self.symbols.find(name.as_bytes()));
        let kind = match endpoint {
            "depth" => MessageKind::DepthSnapshot,
            "klines" => MessageKind::Klines,
            "trades" | "historicalTrades" => MessageKind::Trades,
            "aggTrades" => MessageKind::AggTrades,
            "exchangeInfo" => return Ok((MessageKind::ExchangeInfo, Content::Nothing)),
            "openInterest" => MessageKind::OpenInterest,
            "premiumIndex" => MessageKind::PremiumIndex,
            "fundingRate" => MessageKind::FundingRate,
            _ => return Ok((MessageKind::Ignored, Content::Nothing)),
        };
        let content = match (kind, place) {
            (
                MessageKind::OpenInterest | MessageKind::PremiumIndex | MessageKind::FundingRate,
                _,
            ) => {
                self.rows(&mut scan, |decoder, scan| decoder.market_row(kind, scan, ts_recv))?;
                Content::Events
            }
            (_, None) => Content::UnknownSymbol(Value::default()),
            (MessageKind::DepthSnapshot, Some(place)) => {
                Content::Book(self.depth_body(&mut scan, place)?)
            }
            (_, Some(place)) => {
                self.rows(&mut scan, |decoder, scan| match kind {
                    MessageKind::Klines => decoder.kline_row(place, scan, ts_recv),
                    MessageKind::Trades => decoder.trade_row(place, scan, ts_recv),
                    _ => decoder.agg_trade_row(place, scan, ts_recv),
                })?;
                Content::Events
            }
        };
        if content != Content::UnknownSymbol(Value::default()) {
            scan.finish()?;
        }
        Ok((kind, content))
    }

    /// Reads one row, or each row of a list.
    fn rows(
        &mut self,
        scan: &mut Scanner<'_>,
        mut row: impl FnMut(&mut Self, &mut Scanner<'_>) -> Result<(), DecodeError>,
    ) -> Result<(), DecodeError> {
        if scan.peek() == Some(b'{') {
            return row(self, scan);
        }
        scan.expect(b'[', "frame", "a list")?;
        if scan.eat(b']') {
            return Ok(());
        }
        loop {
            row(self, scan)?;
            if !scan.more(b']', "frame")? {
                return Ok(());
            }
        }
    }

    fn depth_body(
        &mut self,
        scan: &mut Scanner<'_>,
        place: usize,
    ) -> Result<BookMessage, DecodeError> {
        let body = Body::read(scan, &["lastUpdateId", "bids", "asks", "T", "E"])?;
        let listed = self.symbols.at(place);
        for (at, out) in [(1, &mut self.bids), (2, &mut self.asks)] {
            let (value, field) = body.get(at)?;
            out.clear();
            let mut inside = Scanner::over(body.bytes, value);
            levels(&mut inside, (&listed.price, &listed.qty), field, out)?;
        }
        let last = body.whole(0)?;
        let ts_exchange = match (body.found[3], body.found[4]) {
            (Some(_), _) => body.stamp(3)?,
            (None, Some(_)) => body.stamp(4)?,
            (None, None) => 0,
        };
        let ids = UpdateIds { first: last, last, previous: 0 };
        Ok(BookMessage { instrument: listed.row, ts_exchange, ids, is_whole: true })
    }

    /// A row that names its symbol itself; rows of unknown symbols are passed over.
    fn market_row(
        &mut self,
        kind: MessageKind,
        scan: &mut Scanner<'_>,
        ts_recv: i64,
    ) -> Result<(), DecodeError> {
        let event = match kind {
            MessageKind::OpenInterest => {
                let row = Body::read(scan, &["symbol", "openInterest", "time"])?;
                let Some(place) = self.symbols.find(row.text(0)?) else { return Ok(()) };
                let listed = self.symbols.at(place);
                let qty = row.decimal(1, &listed.qty)?;
                let (ts_exchange, instrument) = (row.stamp(2)?, listed.row);
                Event::OpenInterest(OpenInterest { ts_exchange, ts_recv, instrument, qty })
            }
            MessageKind::FundingRate => {
                let row = Body::read(scan, &["symbol", "fundingRate", "fundingTime", "markPrice"])?;
                let Some(place) = self.symbols.find(row.text(0)?) else { return Ok(()) };
                let (rate, field) = row.get(1)?;
                Event::Funding(Funding {
                    ts_exchange: row.stamp(2)?,
                    ts_recv,
                    instrument: self.symbols.at(place).row,
                    rate: signed(row.bytes, rate, &self.rate, field)?,
                    mark: row.optional(3, &self.mark)?,
                })
            }
            _ => {
                let row = Body::read(
                    scan,
                    &[
                        "symbol",
                        "markPrice",
                        "indexPrice",
                        "estimatedSettlePrice",
                        "lastFundingRate",
                        "nextFundingTime",
                        "time",
                    ],
                )?;
                let Some(place) = self.symbols.find(row.text(0)?) else { return Ok(()) };
                Event::MarkPrice(MarkPrice {
                    ts_exchange: row.stamp(6)?,
                    ts_recv,
                    instrument: self.symbols.at(place).row,
                    mark: row.decimal(1, &self.mark)?,
                    index: row.optional(2, &self.mark)?,
                    settle: row.optional(3, &self.mark)?,
                    funding_rate: row.optional_signed(4, &self.rate)?,
                    next_funding_ns: row.found[5].map_or(Ok(0), |_| row.stamp(5))?,
                })
            }
        };
        self.events.push(event);
        Ok(())
    }

    /// `[open time, open, high, low, close, volume, close time, …]`. The last row is often the
    /// candle that is still open; it is passed over.
    fn kline_row(
        &mut self,
        place: usize,
        scan: &mut Scanner<'_>,
        ts_recv: i64,
    ) -> Result<(), DecodeError> {
        const NAMES: [&str; 7] =
            ["open time", "open", "high", "low", "close", "volume", "close time"];
        let bytes = scan.bytes;
        let mut cells = [Value::default(); 7];
        let mut count = 0;
        scan.expect(b'[', "kline", "a row")?;
        loop {
            let cell = scan.value(NAMES.get(count).copied().unwrap_or("kline"))?;
            if let Some(slot) = cells.get_mut(count) {
                *slot = cell;
            }
            count += 1;
            if !scan.more(b']', "kline")? {
                break;
            }
        }
        if count < cells.len() {
            let (field, problem) = (NAMES[count], Problem::Missing);
            return Err(DecodeError { field, offset: scan.at, problem });
        }
        let listed = self.symbols.at(place);
        let price = |at: usize| quoted(bytes, cells[at], &listed.price, NAMES[at]);
        let bar = Bar {
            ts_open: stamp(bytes, cells[0], NAMES[0])?,
            ts_close: after(cells[6], stamp(bytes, cells[6], NAMES[6])?, NAMES[6])?,
            instrument: listed.row,
            open: price(1)?,
            high: price(2)?,
            low: price(3)?,
            close: price(4)?,
            volume: quoted(bytes, cells[5], &listed.qty, NAMES[5])?,
        };
        if bar.ts_close <= ts_recv {
            self.events.push(Event::Bar(bar));
        }
        Ok(())
    }

    fn trade_row(
        &mut self,
        place: usize,
        scan: &mut Scanner<'_>,
        ts_recv: i64,
    ) -> Result<(), DecodeError> {
        let row = Body::read(scan, &["id", "price", "qty", "time", "isBuyerMaker"])?;
        let listed = self.symbols.at(place);
        self.events.push(Event::Trade(Trade {
            ts_exchange: row.stamp(3)?,
            ts_recv,
            instrument: listed.row,
            taker: row.taker(4)?,
            price: row.decimal(1, &listed.price)?,
            qty: row.decimal(2, &listed.qty)?,
            trade_id: row.whole(0)?,
        }));
        Ok(())
    }

    fn agg_trade_row(
        &mut self,
        place: usize,
        scan: &mut Scanner<'_>,
        ts_recv: i64,
    ) -> Result<(), DecodeError> {
        let row = Body::read(scan, &["a", "p", "q", "f", "l", "T", "m"])?;
        let listed = self.symbols.at(place);
        self.events.push(Event::AggTrade(AggTrade {
            ts_exchange: row.stamp(5)?,
            ts_recv,
            instrument: listed.row,
            taker: row.taker(6)?,
            price: row.decimal(1, &listed.price)?,
            qty: row.decimal(2, &listed.qty)?,
            trade_id: row.whole(0)?,
            first_trade_id: row.whole(3)?,
            last_trade_id: row.whole(4)?,
        }));
        Ok(())
    }
}
