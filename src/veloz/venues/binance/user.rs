//! Private frames → reports, straight from the bytes.
//!
//! ```text
//!  frame ─► wrapper (`event`, `data`, or none) ─► `e` ─► one report
//!        └► `status` ─► an answer of the WebSocket API, see [`bodies`](super::bodies)
//! ```
//!
//! A word that we do not know is kept as it came, counted, and means "ask the venue"
//! ([`OrderReport::is_unclear`]). An event that we do not know is handed on by its name. A field of
//! the wrong type is an error that names it; nothing of such a frame is handed on, and the caller
//! must fetch what it may have said.

use std::collections::BTreeMap;

use veloz_core::instrument::Instrument;

use super::cell::{each_field, each_row, need, slots, word, Cell, Word};
use super::decode::check_length;
use super::holdings::{account_position, balance_change, config_update};
use super::json::{DecodeError, Problem, Scanner, Value};
use super::report::{
    AccountReport, AlgoReport, BalanceReport, ConfigReport, ListReport, OrderReport, ALGO_STATUSES,
    EXECUTIONS, STATUSES,
};
use super::symbols::Symbols;

/// What a private event says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UserEvent<'a> {
    /// `executionReport`, `ORDER_TRADE_UPDATE`.
    Order(Box<OrderReport<'a>>),
    /// `TRADE_LITE`: a fill, sooner, with less; the order's own event follows.
    Fill(Box<OrderReport<'a>>),
    /// `ALGO_UPDATE`.
    Algo(Box<AlgoReport<'a>>),
    /// `outboundAccountPosition`, `ACCOUNT_UPDATE`: absolute figures of what changed.
    Account(AccountReport<'a>),
    /// `balanceUpdate`: a deposit, withdrawal or transfer.
    BalanceChange(BalanceReport<'a>),
    /// `externalLockUpdate`: locked from outside of trading.
    Lock(BalanceReport<'a>),
    /// `listStatus`.
    List(ListReport<'a>),
    /// `MARGIN_CALL`: the positions concerned, and the cross wallet without an asset name.
    MarginCall(AccountReport<'a>),
    /// `ACCOUNT_CONFIG_UPDATE`.
    Config(ConfigReport<'a>),
    /// `CONDITIONAL_ORDER_TRIGGER_REJECT`: an order that could not be placed at its trigger.
    TriggerRefused(Box<OrderReport<'a>>),
    /// `listenKeyExpired`, `eventStreamTerminated`: nothing more comes; what came since is lost.
    StreamEnded,
    /// `serverShutdown`: open another connection now.
    Shutdown,
    /// Anything else, by its name.
    Other(&'a str),
}

/// A private event and its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UserFrame<'a> {
    /// The venue's name of the event.
    pub name: &'a str,
    /// When the venue sent it, ns.
    pub ts_event: Option<i64>,
    /// Which subscription of the connection it belongs to.
    pub subscription: Option<i64>,
    /// What it says.
    pub event: UserEvent<'a>,
}

/// Reads private frames and bodies of one market.
#[derive(Clone, Debug, Default)]
pub struct UserDecoder {
    pub(super) symbols: Symbols,
    /// Unknown words by field, and how often they came.
    unknown: BTreeMap<(&'static str, String), u64>,
}

/// Unknown words are counted apart up to so many; a venue has no more.
const WORDS_KEPT: usize = 256;

impl UserDecoder {
    /// A decoder that knows no instrument: rows are `None`.
    #[must_use]
    pub fn new() -> Self {
        UserDecoder::default()
    }

    /// Adds an instrument, so that reports name its row.
    pub fn add(&mut self, row: u32, instrument: &Instrument) {
        self.symbols.add(row, instrument);
    }

    /// Words that were not known, by field, and how often they came.
    pub fn unknown(&self) -> impl Iterator<Item = (&'static str, &str, u64)> {
        self.unknown.iter().map(|((field, word), count)| (*field, word.as_str(), *count))
    }

    pub(super) fn note<T>(&mut self, field: &'static str, word: Option<Word<'_, T>>) {
        let Some(Word { text, known: None }) = word else { return };
        self.count(field, text);
    }

    fn count(&mut self, field: &'static str, text: &str) {
        let full = self.unknown.len() >= WORDS_KEPT;
        let word = if full { "(more)" } else { text };
        *self.unknown.entry((field, word.to_owned())).or_default() += 1;
    }

    pub(super) fn row(&mut self, symbol: &str) -> Option<u32> {
        self.symbols.find(symbol.as_bytes()).map(|place| self.symbols.at(place).row)
    }

    /// Decodes one frame of a private stream; `None` for an answer of the WebSocket API, which
    /// [`reply`](Self::reply) reads.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] names the field and the byte; nothing of the frame is handed on.
    pub fn frame<'a>(&mut self, bytes: &'a [u8]) -> Result<Option<UserFrame<'a>>, DecodeError> {
        checked(bytes)?;
        let mut scan = Scanner::new(bytes);
        let outer = envelope(&mut scan)?;
        scan.finish()?;
        match (outer.inner, outer.name) {
            (Some(inner), None) => {
                let mut within = Scanner::over(bytes, inner);
                let event = envelope(&mut within)?;
                let name = need(event.name, "e", inner.end as usize)?;
                let (ts_event, subscription) = (event.ts_event, outer.subscription);
                let event = self.event(name, Scanner::over(bytes, inner))?;
                Ok(Some(UserFrame { name, ts_event, subscription, event }))
            }
            (_, Some(name)) => {
                let event = self.event(name, Scanner::new(bytes))?;
                let (ts_event, subscription) = (outer.ts_event, outer.subscription);
                Ok(Some(UserFrame { name, ts_event, subscription, event }))
            }
            (None, None) if outer.is_reply => Ok(None),
            (None, None) => {
                Err(DecodeError { field: "e", offset: bytes.len(), problem: Problem::Missing })
            }
        }
    }

    fn event<'a>(
        &mut self,
        name: &'a str,
        mut scan: Scanner<'a>,
    ) -> Result<UserEvent<'a>, DecodeError> {
        let scan = &mut scan;
        let event = match name {
            "executionReport" => UserEvent::Order(Box::new(self.execution_report(scan)?)),
            "ORDER_TRADE_UPDATE" => UserEvent::Order(Box::new(self.order_trade_update(scan)?)),
            "TRADE_LITE" => UserEvent::Fill(Box::new(self.trade_lite(scan)?)),
            "ALGO_UPDATE" => UserEvent::Algo(Box::new(self.algo_update(scan)?)),
            "outboundAccountPosition" => UserEvent::Account(account_position(scan)?),
            "ACCOUNT_UPDATE" => UserEvent::Account(self.account_update(scan)?),
            "balanceUpdate" => UserEvent::BalanceChange(balance_change(scan)?),
            "externalLockUpdate" => UserEvent::Lock(balance_change(scan)?),
            "listStatus" => UserEvent::List(list_status(scan)?),
            "MARGIN_CALL" => UserEvent::MarginCall(self.margin_call(scan)?),
            "ACCOUNT_CONFIG_UPDATE" => UserEvent::Config(config_update(scan)?),
            "CONDITIONAL_ORDER_TRIGGER_REJECT" => {
                UserEvent::TriggerRefused(Box::new(self.trigger_refused(scan)?))
            }
            "listenKeyExpired" | "eventStreamTerminated" => UserEvent::StreamEnded,
            "serverShutdown" => UserEvent::Shutdown,
            other => {
                self.count("e", other);
                UserEvent::Other(other)
            }
        };
        Ok(event)
    }

    fn execution_report<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
    ) -> Result<OrderReport<'a>, DecodeError> {
        let mut r = OrderReport::default();
        let (mut symbol, mut id, mut new_id, mut old_id) = (None, None, None, None);
        let (mut list, mut trade, mut reject, mut expiry) = (None, None, None, None);
        each_field(scan, "frame", |cell| {
            slots!(cell,
                b"s" => symbol, Cell::text;
                b"c" => new_id, Cell::text;
                b"S" => r.side, Cell::side;
                b"o" => r.kind, Cell::raw;
                b"f" => r.tif, Cell::raw;
                b"q" => r.qty, Cell::number;
                b"p" => r.price, Cell::number;
                b"P" => r.trigger_price, Cell::number;
                b"F" => r.display_qty, Cell::number;
                b"g" => list, Cell::whole;
                b"C" => old_id, Cell::text;
                b"x" => r.execution, word(EXECUTIONS);
                b"X" => r.status, word(STATUSES);
                b"r" => reject, Cell::text;
                b"i" => id, Cell::whole;
                b"l" => r.last_qty, Cell::number;
                b"z" => r.cum_qty, Cell::number;
                b"L" => r.last_price, Cell::number;
                b"n" => r.fee, Cell::number;
                b"N" => r.fee_asset, Cell::text;
                b"T" => r.ts_exchange, Cell::stamp;
                b"E" => r.ts_event, Cell::stamp;
                b"O" => r.ts_created, Cell::stamp;
                b"t" => trade, Cell::whole;
                b"m" => r.is_maker, Cell::flag;
                b"Z" => r.cum_quote, Cell::number;
                b"V" => r.stp, Cell::raw;
                b"d" => r.trailing_delta, Cell::whole;
                b"A" => r.prevented_qty, Cell::number;
                b"eR" => expiry, Cell::text;
            );
            Ok(())
        })?;
        r.symbol = need(symbol, "s", scan.at)?;
        r.venue_order_id = need(id, "i", scan.at)?;
        need(r.status, "X", scan.at)?;
        need(r.execution, "x", scan.at)?;
        (r.client_id, r.request_id) = match old_id {
            Some(old) => (Some(old), new_id),
            None => (new_id, None),
        };
        r.list_id = list.filter(|&list| list >= 0);
        r.trade_id = trade.filter(|&trade| trade >= 0);
        r.reason = reject.filter(|reason| reason != "NONE").or(expiry);
        self.finish(r)
    }

    /// The row of the symbol, and what is not known, counted.
    fn finish<'a>(&mut self, mut r: OrderReport<'a>) -> Result<OrderReport<'a>, DecodeError> {
        r.row = self.row(&r.symbol);
        self.note("X", r.status);
        self.note("x", r.execution);
        Ok(r)
    }

    fn order_trade_update<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
    ) -> Result<OrderReport<'a>, DecodeError> {
        let bytes = scan.bytes;
        let (mut inner, mut ts_event, mut ts_outer) = (None, None, None);
        each_field(scan, "frame", |cell| {
            slots!(cell,
                b"o" => inner, Cell::nested;
                b"E" => ts_event, Cell::stamp;
                b"T" => ts_outer, Cell::stamp;
            );
            Ok(())
        })?;
        let inner = need(inner, "o", scan.at)?;
        let mut r = OrderReport { ts_event, ..OrderReport::default() };
        let (mut symbol, mut id, mut trade, mut expiry) = (None, None, None, None);
        each_field(&mut Scanner::over(bytes, inner), "o", |cell| {
            slots!(cell,
                b"s" => symbol, Cell::text;
                b"c" => r.client_id, Cell::text;
                b"S" => r.side, Cell::side;
                b"o" => r.kind, Cell::raw;
                b"f" => r.tif, Cell::raw;
                b"q" => r.qty, Cell::number;
                b"p" => r.price, Cell::number;
                b"ap" => r.avg_price, Cell::number;
                b"sp" => r.trigger_price, Cell::number;
                b"x" => r.execution, word(EXECUTIONS);
                b"X" => r.status, word(STATUSES);
                b"i" => id, Cell::whole;
                b"l" => r.last_qty, Cell::number;
                b"z" => r.cum_qty, Cell::number;
                b"L" => r.last_price, Cell::number;
                b"N" => r.fee_asset, Cell::text;
                b"n" => r.fee, Cell::number;
                b"T" => r.ts_exchange, Cell::stamp;
                b"t" => trade, Cell::whole;
                b"m" => r.is_maker, Cell::flag;
                b"R" => r.reduce_only, Cell::flag;
                b"wt" => r.working_type, Cell::raw;
                b"ot" => r.orig_kind, Cell::raw;
                b"ps" => r.position_side, Cell::leg;
                b"cp" => r.close_position, Cell::flag;
                b"AP" => r.activation_price, Cell::number;
                b"cr" => r.callback_rate, Cell::number;
                b"rp" => r.realised_pnl, Cell::number;
                b"V" => r.stp, Cell::raw;
                b"gtd" => r.ts_expire, Cell::stamp;
                b"er" => expiry, Cell::loose_text;
            );
            Ok(())
        })?;
        r.symbol = need(symbol, "s", inner.end as usize)?;
        r.venue_order_id = need(id, "i", inner.end as usize)?;
        need(r.status, "X", inner.end as usize)?;
        need(r.execution, "x", inner.end as usize)?;
        r.trade_id = trade.filter(|&trade| trade > 0);
        r.ts_exchange = r.ts_exchange.or(ts_outer);
        r.reason = expiry.filter(|reason| reason != "0");
        self.finish(r)
    }

    fn trade_lite<'a>(&mut self, scan: &mut Scanner<'a>) -> Result<OrderReport<'a>, DecodeError> {
        let mut r = OrderReport::default();
        let (mut symbol, mut id) = (None, None);
        each_field(scan, "frame", |cell| {
            slots!(cell,
                b"s" => symbol, Cell::text;
                b"c" => r.client_id, Cell::text;
                b"S" => r.side, Cell::side;
                b"q" => r.qty, Cell::number;
                b"p" => r.price, Cell::number;
                b"i" => id, Cell::whole;
                b"l" => r.last_qty, Cell::number;
                b"L" => r.last_price, Cell::number;
                b"t" => r.trade_id, Cell::whole;
                b"m" => r.is_maker, Cell::flag;
                b"T" => r.ts_exchange, Cell::stamp;
                b"E" => r.ts_event, Cell::stamp;
            );
            Ok(())
        })?;
        r.symbol = need(symbol, "s", scan.at)?;
        r.venue_order_id = need(id, "i", scan.at)?;
        need(r.trade_id, "t", scan.at)?;
        need(r.last_qty, "l", scan.at)?;
        need(r.last_price, "L", scan.at)?;
        self.finish(r)
    }

    fn algo_update<'a>(&mut self, scan: &mut Scanner<'a>) -> Result<AlgoReport<'a>, DecodeError> {
        let bytes = scan.bytes;
        let mut r = AlgoReport::default();
        let mut inner = None;
        each_field(scan, "frame", |cell| {
            slots!(cell,
                b"o" => inner, Cell::nested;
                b"E" => r.ts_event, Cell::stamp;
                b"T" => r.ts_exchange, Cell::stamp;
            );
            Ok(())
        })?;
        let inner = need(inner, "o", scan.at)?;
        let (mut symbol, mut id) = (None, None);
        each_field(&mut Scanner::over(bytes, inner), "o", |cell| {
            slots!(cell,
                b"s" => symbol, Cell::text;
                b"caid" => r.client_id, Cell::text;
                b"aid" => id, Cell::whole;
                b"o" => r.kind, Cell::raw;
                b"S" => r.side, Cell::side;
                b"ps" => r.position_side, Cell::leg;
                b"f" => r.tif, Cell::raw;
                b"q" => r.qty, Cell::number;
                b"X" => r.status, word(ALGO_STATUSES);
                b"ai" => r.venue_order_id, Cell::loose_whole;
                b"ap" => r.avg_price, Cell::number;
                b"aq" => r.cum_qty, Cell::number;
                b"tp" => r.trigger_price, Cell::number;
                b"p" => r.price, Cell::number;
                b"AP" => r.activation_price, Cell::number;
                b"cr" => r.callback_rate, Cell::number;
                b"ia" => r.is_activated, Cell::loose_flag;
                b"V" => r.stp, Cell::raw;
                b"wt" => r.working_type, Cell::raw;
                b"cp" => r.close_position, Cell::flag;
                b"R" => r.reduce_only, Cell::flag;
                b"tt" => r.ts_triggered, Cell::stamp;
                b"rm" => r.reason, Cell::text;
            );
            Ok(())
        })?;
        r.symbol = need(symbol, "s", inner.end as usize)?;
        r.algo_id = need(id, "aid", inner.end as usize)?;
        need(r.status, "X", inner.end as usize)?;
        r.row = self.row(&r.symbol);
        self.note("algo X", r.status);
        Ok(r)
    }

    fn trigger_refused<'a>(
        &mut self,
        scan: &mut Scanner<'a>,
    ) -> Result<OrderReport<'a>, DecodeError> {
        let bytes = scan.bytes;
        let mut r = OrderReport::default();
        let mut inner = None;
        each_field(scan, "frame", |cell| {
            slots!(cell,
                b"or" => inner, Cell::nested;
                b"E" => r.ts_event, Cell::stamp;
                b"T" => r.ts_exchange, Cell::stamp;
            );
            Ok(())
        })?;
        let inner = need(inner, "or", scan.at)?;
        let (mut symbol, mut id) = (None, None);
        each_field(&mut Scanner::over(bytes, inner), "or", |cell| {
            slots!(cell,
                b"s" => symbol, Cell::text;
                b"i" => id, Cell::whole;
                b"r" => r.reason, Cell::text;
            );
            Ok(())
        })?;
        r.symbol = need(symbol, "s", inner.end as usize)?;
        r.venue_order_id = need(id, "i", inner.end as usize)?;
        self.finish(r)
    }
}

/// The outermost fields of a frame.
#[derive(Default)]
struct Envelope<'a> {
    name: Option<&'a str>,
    ts_event: Option<i64>,
    inner: Option<Value>,
    subscription: Option<i64>,
    is_reply: bool,
}

fn envelope<'a>(scan: &mut Scanner<'a>) -> Result<Envelope<'a>, DecodeError> {
    let mut outer = Envelope::default();
    let (mut event, mut data) = (None, None);
    each_field(scan, "frame", |cell| {
        slots!(cell,
            b"e" => outer.name, Cell::raw;
            b"E" => outer.ts_event, Cell::stamp;
            b"event" => event, Cell::nested;
            b"data" => data, Cell::nested;
            b"subscriptionId" => outer.subscription, Cell::whole;
        );
        outer.is_reply |= cell.key == b"status" || cell.key == b"result" || cell.key == b"error";
        Ok(())
    })?;
    outer.inner = event.or(data);
    Ok(outer)
}

/// What every private frame and body is checked for first.
pub(super) fn checked(bytes: &[u8]) -> Result<(), DecodeError> {
    check_length(bytes)?;
    std::str::from_utf8(bytes).map(drop).map_err(|error| DecodeError {
        field: "frame",
        offset: error.valid_up_to(),
        problem: Problem::Syntax("UTF-8 text"),
    })
}

/// Each element of a list that may be missing.
pub(super) fn each_row_of<'a>(
    bytes: &'a [u8],
    list: Option<Value>,
    field: &'static str,
    take: impl FnMut(&mut Scanner<'a>) -> Result<(), DecodeError>,
) -> Result<(), DecodeError> {
    match list {
        Some(list) => each_row(&mut Scanner::over(bytes, list), field, take),
        None => Ok(()),
    }
}

fn list_status<'a>(scan: &mut Scanner<'a>) -> Result<ListReport<'a>, DecodeError> {
    let bytes = scan.bytes;
    let mut r = ListReport::default();
    let (mut symbol, mut id, mut orders, mut reason) = (None, None, None, None);
    each_field(scan, "frame", |cell| {
        slots!(cell,
            b"s" => symbol, Cell::text;
            b"g" => id, Cell::whole;
            b"c" => r.contingency, Cell::raw;
            b"l" => r.status, Cell::raw;
            b"L" => r.order_status, Cell::raw;
            b"r" => reason, Cell::text;
            b"C" => r.client_id, Cell::text;
            b"T" => r.ts_exchange, Cell::stamp;
            b"O" => orders, Cell::nested;
        );
        Ok(())
    })?;
    r.symbol = need(symbol, "s", scan.at)?;
    r.list_id = need(id, "g", scan.at)?;
    r.reason = reason.filter(|reason| reason != "NONE");
    each_row_of(bytes, orders, "O", |scan| {
        let (mut id, mut client) = (None, None);
        each_field(scan, "O", |cell| {
            slots!(cell, b"i" => id, Cell::whole; b"c" => client, Cell::text;);
            Ok(())
        })?;
        r.orders.push((need(id, "i", scan.at)?, client.unwrap_or_default()));
        Ok(())
    })?;
    Ok(r)
}
