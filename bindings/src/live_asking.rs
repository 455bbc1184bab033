//! Inputs of a `LiveEngine` that are not markets: private frames, answers, and decoded values.

use pyo3::prelude::*;
use pyo3::types::PyDict;
use veloz_core::desk::{Input, ANY_INSTRUMENT, ANY_STRATEGY};
use veloz_core::order_state::Asked;

use crate::feed::with_bytes;
use crate::live::{Awaited, LiveEngine};
use crate::live_fields::input_of;
use crate::live_request::LiveRequest;
use crate::live_views;
use crate::settings::get_or;

/// How the reason of a freeze begins that ends when the account is synced.
const UNSYNCED: &str = "unsynced: ";

#[pymethods]
impl LiveEngine {
    /// input(kind: str, now_ns: int, **fields: Any) -> None
    ///
    /// Takes one decoded input. Figures are exact text, `int` or `Decimal`; `order` is a handle.
    ///
    /// Args:
    ///     kind: On an order: "accepted" (qty), "fill" (trade_id, qty, price, fee, fee_asset,
    ///         is_maker), "triggered", "canceled" (left), "expired" (reason, left), "amended" (qty,
    ///         price), "rejected", "amend_rejected", "cancel_rejected" (reason, code, text),
    ///         "doubt" and "never_left" (request, reason), "absent" (request, evidence), "found"
    ///         (status, filled_qty, qty, price, avg_price, venue_order_id, ts_created, reason),
    ///         "cumulative" (filled_qty), "name" (venue_order_id). On the account: "external"
    ///         (symbol, side, type, qty, price, venue_order_id, origin, client_id), "parked_fill"
    ///         (symbol, venue_order_id, client_id and as "fill"), "cash" (why, asset, amount,
    ///         symbol, entry_id), "balance" (asset, wallet), "position" (symbol, position_side,
    ///         qty), "freeze" and "unfreeze" (account, strategy, symbol, reason), "setting"
    ///         (symbol, leverage). Those on an order take `leg`, 0 for the first. All take `ts_exchange`, and those of the account `account`.
    ///     now_ns: When it came, ns.
    #[pyo3(signature = (kind, now_ns, **fields))]
    fn input(
        &mut self,
        py: Python<'_>,
        kind: &str,
        now_ns: i64,
        fields: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<()> {
        let none = PyDict::new(py);
        let fields = fields.unwrap_or(&none);
        let leg: u32 = get_or(fields, "leg", 0)?;
        let input = input_of(self.desk(), kind, fields)?.about(leg);
        self.take_inputs(&[input], now_ns)
    }

    /// user_frame(account: int, payload: bytes | bytearray | memoryview | str, ts_recv_ns: int) -> int
    ///
    /// Takes one frame of a private stream; from the socket's callback.
    ///
    /// Returns:
    ///     int: 0 if all of it was placed; else bits of what must be asked: 1 a symbol or asset is not
    ///     the engine's, 2 a word is not known, 4 the stream ended.
    #[pyo3(signature = (account, payload, ts_recv_ns, /))]
    fn user_frame(
        &mut self,
        account: u16,
        payload: &Bound<'_, PyAny>,
        ts_recv_ns: i64,
    ) -> PyResult<i64> {
        with_bytes(payload, |bytes| self.read_user_frame(account, bytes, ts_recv_ns))
    }

    /// answered(number: int, body: bytes | str, ts_recv_ns: int) -> int
    ///
    /// The venue did what a request asked; the body says with what result. Bits as `user_frame`.
    fn answered(&mut self, number: u64, body: &Bound<'_, PyAny>, ts_recv_ns: i64) -> PyResult<i64> {
        with_bytes(body, |bytes| self.read_answer(number, bytes, ts_recv_ns))
    }

    /// found(account: int, body: bytes | str, ts_recv_ns: int) -> int
    ///
    /// Orders as the venue describes them, of a query or a listing. Bits as `user_frame`.
    fn found(&mut self, account: u16, body: &Bound<'_, PyAny>, ts_recv_ns: i64) -> PyResult<i64> {
        with_bytes(body, |bytes| self.read_found(account, bytes, ts_recv_ns))
    }

    /// fills(account: int, symbol: str, body: bytes | str, ts_recv_ns: int) -> int
    ///
    /// Trades of the account in one symbol, as REST lists them; known ones are passed over.
    #[allow(unused_variables)] // each row names its symbol
    fn fills(
        &mut self,
        account: u16,
        symbol: &str,
        body: &Bound<'_, PyAny>,
        ts_recv_ns: i64,
    ) -> PyResult<i64> {
        with_bytes(body, |bytes| self.read_trades(account, bytes, ts_recv_ns))
    }

    /// refused(number: int, verdict: Any, ts_recv_ns: int) -> None
    ///
    /// The venue said no to a request, definitely; `verdict` has `reason`, `code` and `text`.
    fn refused(&mut self, number: u64, verdict: &Bound<'_, PyAny>, now: i64) -> PyResult<()> {
        let reason: String = verdict.getattr("reason")?.extract()?;
        let (code, text): (i64, String) =
            (verdict.getattr("code")?.extract()?, verdict.getattr("text")?.extract()?);
        self.refuse_request(number, &reason, code, &text, now)
    }

    /// not_sent(number: int, reason: str, ts_recv_ns: int) -> None
    ///
    /// No byte of a request left this host.
    pub fn not_sent(&mut self, number: u64, reason: &str, ts_recv_ns: i64) -> PyResult<()> {
        let never = |(order, asked)| Input::NeverLeft { order, asked, reason: reason.into() };
        self.settle_request(number, ts_recv_ns, never)
    }

    /// unknown(number: int, reason: str, ts_recv_ns: int) -> None
    ///
    /// A request may have been carried out.
    fn unknown(&mut self, number: u64, reason: &str, ts_recv_ns: i64) -> PyResult<()> {
        let Some(awaited) = self.asked.get_mut(&number) else { return Ok(()) };
        awaited.is_doubted = true;
        let request = awaited.request;
        let Some((order, asked)) = LiveRequest::asked(&request) else { return Ok(()) };
        let doubt = Input::Doubt { order, asked, reason: reason.into() };
        let doubt = doubt.about(awaited.request.leg);
        self.take_inputs(&[doubt], ts_recv_ns)
    }

    /// lapsed(number: int, ts_recv_ns: int) -> None
    ///
    /// A cancel or amend can no longer take effect, and did not.
    fn lapsed(&mut self, number: u64, ts_recv_ns: i64) -> PyResult<()> {
        self.settle_request(number, ts_recv_ns, |(order, asked)| Input::Absent {
            order,
            asked,
            ts_exchange: ts_recv_ns,
            evidence: "its deadline passed".into(),
        })
    }

    /// absent(account: int, client_order_id: str, ts_recv_ns: int) -> None
    ///
    /// An order never existed: past its deadline, and in no listing made after it.
    #[allow(unused_variables)] // the id names the account's order
    fn absent(&mut self, account: u16, client_order_id: &str, ts_recv_ns: i64) -> PyResult<()> {
        let Some((order, leg)) = live_views::order_of(self.desk(), client_order_id) else {
            return Ok(());
        };
        let evidence = "past its deadline, and in no listing made after it".into();
        let (asked, ts_exchange) = (Asked::Place, ts_recv_ns);
        let absent = Input::Absent { order, asked, ts_exchange, evidence };
        self.take_inputs(&[absent.about(leg)], ts_recv_ns)
    }

    /// synced(account: int, since_ns: int, ts_recv_ns: int) -> None
    ///
    /// Everything that happened up to `since_ns`, venue time, is booked; the account may trade.
    fn synced(&mut self, account: u16, since_ns: i64, ts_recv_ns: i64) -> PyResult<()> {
        let seat = self.seat(account)?;
        seat.confirmed_ns = seat.confirmed_ns.max(since_ns);
        self.thaw(account, ts_recv_ns)
    }

    /// unsynced(account: int, reason: str, ts_recv_ns: int) -> None
    ///
    /// Private events may have been missed: no new order until `synced`. What is frozen for another
    /// reason stays so after it.
    fn unsynced(&mut self, account: u16, reason: &str, ts_recv_ns: i64) -> PyResult<()> {
        let scope = (account, ANY_STRATEGY, ANY_INSTRUMENT);
        if self.desk().frozen().any(|(known, why)| known == scope && !why.starts_with(UNSYNCED)) {
            return Ok(());
        }
        let reason = format!("{UNSYNCED}{reason}").into();
        self.take_inputs(&[Input::Freeze { scope, on: true, reason }], ts_recv_ns)
    }
}

impl LiveEngine {
    /// Ends the wait for a request's answer by an input about it.
    fn settle_request(
        &mut self,
        number: u64,
        now_ns: i64,
        input: impl FnOnce((u64, Asked)) -> Input,
    ) -> PyResult<()> {
        let Some(Awaited { request, .. }) = self.asked.remove(&number) else { return Ok(()) };
        let Some(about) = LiveRequest::asked(&request) else { return Ok(()) };
        self.take_inputs(&[input(about).about(request.leg)], now_ns)
    }

    fn thaw(&mut self, account: u16, now_ns: i64) -> PyResult<()> {
        let scope = (account, ANY_STRATEGY, ANY_INSTRUMENT);
        if !self.desk().frozen().any(|(known, why)| known == scope && why.starts_with(UNSYNCED)) {
            return Ok(());
        }
        let thaw = Input::Freeze { scope, on: false, reason: "synced".into() };
        self.take_inputs(&[thaw], now_ns)
    }
}
