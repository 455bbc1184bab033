//! Markets of a `LiveEngine`: frames, bodies and events in.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use veloz_core::facts::{self, market_number};
use veloz_core::live::Hearing;
use veloz_core::market::{Bar, Funding, MarkPrice, Published, Quote, Tick, Trade};
use veloz_core::record::Record;

use crate::adapter::PyStrategy;
use crate::columns::{
    bars_of, fundings_of, indexes_of, interests_of, liquidations_of, marks_of, quotes_of,
    tickers_of, ticks_of, trades_of,
};
use crate::feed::with_bytes;
use crate::live::LiveEngine;
use crate::live_market::{Fault, FeedSeat, Hears};

impl LiveEngine {
    /// Notes what is heard, and lets it be heard: the market's number is its place on the tape.
    fn hear<F: Record, R>(
        &mut self,
        note: (u16, &F, Option<&[u8]>),
        now_ns: i64,
        tell: impl FnOnce(&mut Hearing<'_, PyStrategy>, &mut Vec<FeedSeat>) -> Result<R, Fault>,
    ) -> PyResult<R> {
        self.refuse_poisoned()?;
        let (number, fact, text) = note;
        let market = self.market.as_mut();
        let sequence = market.map(|market| market.note(number, fact, text, now_ns));
        self.guarded(|live, feeds| live.hear(now_ns, sequence, |hearing| tell(hearing, feeds)))
    }

    fn feed(&self, feed: u16) -> PyResult<&FeedSeat> {
        let seat = self.feeds.get(usize::from(feed));
        seat.ok_or_else(|| PyValueError::new_err(format!("there is no feed {feed}")))
    }

    fn heard_body(
        &mut self,
        feed: u16,
        url: &str,
        body: &Bound<'_, PyAny>,
        now_ns: i64,
        is_history: bool,
    ) -> PyResult<i64> {
        self.feed(feed)?;
        with_bytes(body, |bytes| {
            let fact = facts::BodyHeard { feed, ts_recv: now_ns, is_history };
            let text = [url.as_bytes(), b"\0", bytes].concat();
            self.hear((market_number::BODY, &fact, Some(&text)), now_ns, |hears, feeds| {
                let seat = &mut feeds[usize::from(feed)];
                if is_history {
                    seat.history(hears, url, bytes, now_ns)
                } else {
                    seat.body(hears, url, bytes, now_ns)
                }
            })
        })
    }

    fn marked(&mut self, feed: u16, streams: &[String], now: i64, is_stale: bool) -> PyResult<()> {
        self.feed(feed)?;
        let text = streams.join("\n");
        let fact = facts::StreamsMarked { feed, ts_recv: now, is_stale };
        self.hear((market_number::STREAMS, &fact, Some(text.as_bytes())), now, |hears, feeds| {
            Ok(feeds[usize::from(feed)].mark(hears, &text, is_stale)?)
        })
    }
}

#[pymethods]
impl LiveEngine {
    /// frame(feed: int, payload: bytes | bytearray | memoryview | str, ts_recv_ns: int) -> int
    ///
    /// Takes one frame; called from the socket's callback.
    ///
    /// Returns:
    ///     int: The message's kind, an index into `BinanceDecoder.KINDS`; -1 for an unknown symbol.
    ///
    /// Raises:
    ///     DecodeError: If it is malformed; nothing was changed.
    #[pyo3(signature = (feed, payload, ts_recv_ns, /))]
    fn frame(&mut self, feed: u16, payload: &Bound<'_, PyAny>, ts_recv_ns: i64) -> PyResult<i64> {
        self.feed(feed)?;
        self.latencies.begin(&self.link, ts_recv_ns);
        let heard = with_bytes(payload, |bytes| {
            let fact = facts::FrameHeard { feed, ts_recv: ts_recv_ns };
            self.hear((market_number::FRAME, &fact, Some(bytes)), ts_recv_ns, |hears, feeds| {
                feeds[usize::from(feed)].frame(hears, bytes, ts_recv_ns)
            })
        });
        self.latencies.end(&self.link, true, self.live.has_requests());
        heard
    }

    /// rest_body(feed: int, url: str, body: bytes | str, ts_recv_ns: int) -> int
    ///
    /// Takes the body of an answer: a snapshot, or rows that a hole left out. As `frame`.
    fn rest_body(
        &mut self,
        feed: u16,
        url: &str,
        body: &Bound<'_, PyAny>,
        ts_recv_ns: i64,
    ) -> PyResult<i64> {
        self.heard_body(feed, url, body, ts_recv_ns, false)
    }

    /// history_body(feed: int, url: str, body: bytes | str, ts_recv_ns: int) -> int
    ///
    /// Takes rows from before the start: indicators warm up, no callback fires.
    fn history_body(
        &mut self,
        feed: u16,
        url: &str,
        body: &Bound<'_, PyAny>,
        ts_recv_ns: i64,
    ) -> PyResult<i64> {
        self.heard_body(feed, url, body, ts_recv_ns, true)
    }

    /// books_to_rebuild(feed: int) -> list[str]
    ///
    /// Venue symbols whose book has had an update and is not live: fetch their snapshots.
    fn books_to_rebuild(&self, feed: u16) -> PyResult<Vec<String>> {
        Ok(self.feed(feed)?.books_to_rebuild())
    }

    /// stale(feed: int, streams: Sequence[str], reason: str, ts_ns: int) -> None
    ///
    /// Marks what these streams carry as not to be trusted: opening orders are refused meanwhile.
    #[pyo3(signature = (feed, streams, reason, ts_ns))]
    #[allow(unused_variables)] // the reason is for the caller's log
    fn stale(&mut self, feed: u16, streams: Vec<String>, reason: &str, ts_ns: i64) -> PyResult<()> {
        self.marked(feed, &streams, ts_ns, true)
    }

    /// fresh(feed: int, streams: Sequence[str], ts_ns: int) -> None
    ///
    /// Takes the mark away; a book that has a gap still waits for its snapshot.
    fn fresh(&mut self, feed: u16, streams: Vec<String>, ts_ns: i64) -> PyResult<()> {
        self.marked(feed, &streams, ts_ns, false)
    }

    /// event(kind: str, symbol: str, columns: dict[str, Any]) -> None
    ///
    /// Takes events that a venue decoded in Python: columns as a backtest's feed has them, rows in
    /// order of receipt; each row is heard at its `ts_recv`.
    fn event(
        &mut self,
        py: Python<'_>,
        kind: &str,
        symbol: &Bound<'_, PyAny>,
        columns: &Bound<'_, PyDict>,
    ) -> PyResult<()> {
        let row = self.link.row(symbol)?;
        macro_rules! rows {
            ($record:ident, $convert:ident, $number:ident, $method:ident, $shape:expr) => {
                rows!($record, $convert, $number, $method, $shape, |event| event)
            };
            ($record:ident, $convert:ident, $number:ident, $method:ident, $shape:expr, $told:expr) => {{
                let mut rows = Vec::new();
                $convert(py, columns, row, &mut rows)?;
                for one in rows {
                    let (event, now): ($record, i64) = $shape(one);
                    let note = (market_number::$number, &event, None);
                    self.hear(note, now, |hears, _| Ok(Hears::$method(hears, $told(&event))?))?;
                }
            }};
        }
        macro_rules! published {
            ($variant:ident, $convert:ident, $number:ident) => {{
                let mut rows = Vec::new();
                $convert(py, columns, row, &mut rows)?;
                for one in rows {
                    let now = one.ts_recv();
                    if let Published::$variant(event) = &one {
                        let note = (market_number::$number, event, None);
                        self.hear(note, now, |hears, _| Ok(Hears::published(hears, &one)?))?;
                    }
                }
            }};
        }
        match kind {
            "bars" => {
                let shape = |row: veloz_core::replay::TimedBar| (row.bar, row.ts_recv);
                rows!(Bar, bars_of, BAR, bar, shape);
            }
            "trades" => rows!(Trade, trades_of, TRADE, trade, |r: Trade| (r, r.ts_recv)),
            "quotes" => rows!(Quote, quotes_of, QUOTE, quote, |r: Quote| (r, r.ts_recv)),
            "marks" => {
                rows!(MarkPrice, marks_of, MARK_PRICE, mark, |r: MarkPrice| (r, r.ts_recv));
            }
            "funding" => {
                rows!(Funding, fundings_of, FUNDING_RATE, funding, |r: Funding| (r, r.ts_recv));
            }
            "index" => published!(Index, indexes_of, INDEX_PRICE),
            "open_interest" => published!(OpenInterest, interests_of, OPEN_INTEREST),
            "liquidations" => published!(Liquidation, liquidations_of, LIQUIDATION),
            "tickers" => published!(Ticker, tickers_of, TICKER),
            "ticks" => {
                rows!(Tick, ticks_of, TICK, ticks, |r: Tick| (r, r.ts_recv), std::slice::from_ref)
            }
            other => return Err(PyValueError::new_err(format!("no event is of kind {other:?}"))),
        }
        Ok(())
    }
}
