//! `BinanceSigner`, `BinanceEncoder`: a key handed over once, and requests as signed bytes.

use std::collections::BTreeMap;

use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyString};
use veloz_core::instrument::Instrument;
use veloz_core::order::{OrderSpec, Side, Stp, Tif};
use veloz_venues::binance::draft::{signed_query, ws_signature, Draft, Seal};
use veloz_venues::binance::encode::{Amend, Encoder, Target, TradesOf};
use veloz_venues::binance::endpoint::{Action, Unsupported};
use veloz_venues::binance::refusals::{judge, Asked, Limit, Verdict};
use veloz_venues::binance::sign::Signer;
use veloz_venues::binance::Market;
use veloz_venues::wire_id::{WireId, COUNTERS, REVISIONS};

use crate::feed::BinanceDecoder;
use crate::words::{choice, side_of, POSITION_SIDES, STPS, TIFS, TRIGGERS, TYPES};

/// Adds this module's names to `veloz._core`.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<BinanceSigner>()?;
    module.add_class::<BinanceEncoder>()?;
    module.add_class::<BinanceRequest>()?;
    module.add_function(wrap_pyfunction!(binance_verdict, module)?)?;
    module.add_function(wrap_pyfunction!(wire_id, module)?)?;
    module.add_function(wrap_pyfunction!(parse_wire_id, module)?)
}

fn unsupported(error: Unsupported) -> PyErr {
    PyValueError::new_err(error.0)
}

/// The market of that name.
pub fn market_of(name: &str) -> PyResult<Market> {
    Market::named(name)
        .ok_or_else(|| PyValueError::new_err(format!("market {name:?} is not spot, usdm or coinm")))
}

fn text(bytes: Vec<u8>) -> PyResult<String> {
    String::from_utf8(bytes).map_err(|_| PyValueError::new_err("a parameter is not UTF-8"))
}

/// BinanceSigner(api_key: str, secret: str)
///
/// Signs for one API key. The secret is handed over once, kept in memory that is zeroed when the
/// signer goes, and never shown, compared or pickled.
///
/// Args:
///     api_key: The public half.
///     secret: The shared secret of an HMAC key, or the private key of an Ed25519 or RSA key as
///         PKCS#8 PEM.
///
/// Raises:
///     ValueError: If the key cannot be used; the text repeats no part of it.
#[pyclass(frozen, module = "veloz._core")]
pub struct BinanceSigner(pub Signer);

impl BinanceSigner {
    fn seal(&self, timestamp_ms: i64, recv_window_ms: u32, logged_on: bool) -> Seal<'_> {
        Seal { signer: &self.0, timestamp_ms, recv_window_ms, logged_on }
    }
}

#[pymethods]
impl BinanceSigner {
    #[new]
    fn new(api_key: &str, secret: &str) -> PyResult<Self> {
        Signer::new(api_key, secret)
            .map(BinanceSigner)
            .map_err(|error| PyValueError::new_err(error.to_string()))
    }

    /// str: The public half of the key.
    #[getter]
    fn api_key(&self) -> &str {
        self.0.api_key()
    }

    /// str: "hmac", "rsa" or "ed25519".
    #[getter]
    fn kind(&self) -> &'static str {
        self.0.kind().name()
    }

    /// sign(payload: bytes | str) -> str
    ///
    /// The signature of a payload as the WebSocket API wants it: hex, or plain base64.
    fn sign(&self, payload: &Bound<'_, PyAny>) -> PyResult<String> {
        let mut out = Vec::new();
        self.0.sign(crate::feed::frame_bytes(payload)?, &mut out);
        text(out)
    }

    /// sign_rest(params: Sequence[tuple[str, str]], timestamp_ms: int, recv_window_ms: int) -> str
    ///
    /// A query string of these parameters in their order, percent-encoded, with receive window,
    /// timestamp and, last, signature.
    #[pyo3(signature = (params, timestamp_ms, recv_window_ms = 0))]
    fn sign_rest(
        &self,
        params: Vec<(String, String)>,
        timestamp_ms: i64,
        recv_window_ms: u32,
    ) -> PyResult<String> {
        let pairs: Vec<_> = params.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut out = Vec::new();
        signed_query(&pairs, &self.seal(timestamp_ms, recv_window_ms, false), &mut out);
        text(out)
    }

    /// sign_ws(params: Mapping[str, str | int], timestamp_ms: int, recv_window_ms: int) -> dict[str, str | int]
    ///
    /// Parameters of a WebSocket API request with key, receive window, timestamp and signature.
    #[pyo3(signature = (params, timestamp_ms, recv_window_ms = 0))]
    fn sign_ws<'py>(
        &self,
        params: &Bound<'py, PyDict>,
        timestamp_ms: i64,
        recv_window_ms: u32,
    ) -> PyResult<Bound<'py, PyDict>> {
        let signed = params.copy()?;
        signed.set_item("apiKey", self.0.api_key())?;
        signed.set_item("timestamp", timestamp_ms)?;
        if recv_window_ms > 0 {
            signed.set_item("recvWindow", recv_window_ms)?;
        }
        let shown = signed.iter().map(|(name, value)| {
            Ok((name.extract::<String>()?, value.str()?.extract::<String>()?))
        });
        let shown: Vec<(String, String)> = shown.collect::<PyResult<_>>()?;
        let pairs: Vec<_> = shown.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        signed.set_item("signature", text(ws_signature(&pairs, &self.0))?)?;
        Ok(signed)
    }

    fn __repr__(&self) -> String {
        format!("BinanceSigner({})", self.0.kind().name())
    }
}

/// One request of Binance before it is signed; made by `BinanceEncoder`.
///
/// Prices and quantities are in it; key, time and signature are not, so that two runs' requests
/// can be compared by `canonical`.
#[pyclass(module = "veloz._core")]
pub struct BinanceRequest {
    draft: Draft,
    out: Vec<u8>,
}

impl BinanceRequest {
    /// A request in the venue's words.
    pub fn of(draft: Draft) -> Self {
        BinanceRequest { draft, out: Vec::new() }
    }

    /// True if the WebSocket API has it.
    pub fn offers_ws(&self) -> bool {
        !self.draft.endpoint().ws.is_empty()
    }

    /// The frame under a number, signed.
    pub fn frame<'py>(
        &mut self,
        py: Python<'py>,
        signer: &BinanceSigner,
        number: u64,
        timestamp_ms: i64,
        window_ms: u32,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let frame_id = number.to_string();
        self.ws_frame(py, signer, &frame_id, timestamp_ms, window_ms, false).map(Some)
    }
}

#[pymethods]
impl BinanceRequest {
    /// bytes: Verb, path, and the parameters sorted by name, percent-encoded.
    #[getter]
    fn canonical<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut out = Vec::with_capacity(256);
        self.draft.canonical(&mut out);
        PyBytes::new(py, &out)
    }

    /// str: Method of the WebSocket API; empty where it has none.
    #[getter]
    fn method(&self) -> &'static str {
        self.draft.endpoint().ws
    }

    /// str: HTTP verb.
    #[getter]
    fn verb(&self) -> &'static str {
        self.draft.endpoint().verb
    }

    /// str: Path below the REST host.
    #[getter]
    fn path(&self) -> &'static str {
        self.draft.endpoint().path
    }

    /// list[tuple[str, str]]: The parameters.
    #[getter]
    fn params(&self) -> Vec<(&'static str, String)> {
        self.draft.parameters().map(|(name, value)| (name, value.to_owned())).collect()
    }

    /// ws_frame(signer: BinanceSigner, frame_id: str, timestamp_ms: int, recv_window_ms: int = 0, logged_on: bool = False) -> bytes
    ///
    /// The whole frame of the WebSocket API, signed unless the connection is logged on.
    ///
    /// Raises:
    ///     ValueError: If the endpoint has no such method.
    #[pyo3(signature = (signer, frame_id, timestamp_ms, recv_window_ms = 0, logged_on = false))]
    fn ws_frame<'py>(
        &mut self,
        py: Python<'py>,
        signer: &BinanceSigner,
        frame_id: &str,
        timestamp_ms: i64,
        recv_window_ms: u32,
        logged_on: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        self.out.clear();
        let seal = signer.seal(timestamp_ms, recv_window_ms, logged_on);
        if self.draft.ws_frame(frame_id, &seal, &mut self.out) {
            return Ok(PyBytes::new(py, &self.out));
        }
        let path = self.draft.endpoint().path;
        Err(PyValueError::new_err(format!("{path} has no method of the WebSocket API: use REST")))
    }

    /// rest_form(signer: BinanceSigner, timestamp_ms: int, recv_window_ms: int = 0) -> str
    ///
    /// The query string or form of the REST request, signed last.
    #[pyo3(signature = (signer, timestamp_ms, recv_window_ms = 0))]
    fn rest_form<'py>(
        &mut self,
        py: Python<'py>,
        signer: &BinanceSigner,
        timestamp_ms: i64,
        recv_window_ms: u32,
    ) -> PyResult<Bound<'py, PyString>> {
        self.out.clear();
        self.draft.rest_form(&signer.seal(timestamp_ms, recv_window_ms, false), &mut self.out);
        let form = std::str::from_utf8(&self.out);
        form.map(|form| PyString::new(py, form))
            .map_err(|_| PyValueError::new_err("a parameter is not UTF-8"))
    }

    fn __repr__(&self) -> String {
        let mut out = Vec::new();
        self.draft.canonical(&mut out);
        format!("BinanceRequest({})", String::from_utf8_lossy(&out))
    }
}

/// BinanceEncoder(market: str, *, response: str = "")
///
/// Turns orders and questions about them into requests of one market.
///
/// Prices and quantities are whole numbers in the instrument's units, as the core has them.
///
/// Args:
///     market: "spot", "usdm" or "coinm".
///     response: `newOrderRespType`: "ACK", "RESULT", "FULL", or "" for the venue's default.
///
/// Raises:
///     ValueError: If there is no such market or response.
#[pyclass(module = "veloz._core")]
pub struct BinanceEncoder {
    encoder: Encoder,
    instruments: BTreeMap<String, Instrument>,
}

impl BinanceEncoder {
    fn make(
        &mut self,
        encode: impl FnOnce(&mut Encoder) -> Result<&mut Draft, Unsupported>,
    ) -> PyResult<BinanceRequest> {
        let draft = encode(&mut self.encoder).map_err(unsupported)?.clone();
        Ok(BinanceRequest { draft, out: Vec::new() })
    }

    /// The parts, borrowed apart.
    fn at(&mut self, symbol: &str) -> PyResult<(&mut Encoder, &Instrument)> {
        let instrument = self.instruments.get(symbol);
        let unknown = || PyKeyError::new_err(format!("no instrument {symbol}"));
        Ok((&mut self.encoder, instrument.ok_or_else(unknown)?))
    }
}

fn request(draft: Result<&mut Draft, Unsupported>) -> PyResult<BinanceRequest> {
    Ok(BinanceRequest { draft: draft.map_err(unsupported)?.clone(), out: Vec::new() })
}

#[pymethods]
impl BinanceEncoder {
    #[new]
    #[pyo3(signature = (market, *, response = ""))]
    fn new(market: &str, response: &str) -> PyResult<Self> {
        let mut encoder = Encoder::new(market_of(market)?);
        let known = [("", ""), ("ack", "ACK"), ("result", "RESULT"), ("full", "FULL")];
        encoder.response = choice("response", response, &known)?;
        Ok(BinanceEncoder { encoder, instruments: BTreeMap::new() })
    }

    /// add_instruments(decoder: BinanceDecoder) -> int
    ///
    /// Adds a decoder's instruments, the newest version of each; returns how many are known.
    fn add_instruments(&mut self, decoder: PyRef<'_, BinanceDecoder>) -> usize {
        for instrument in decoder.instruments_of() {
            self.instruments.insert(instrument.venue_symbol.clone(), instrument.clone());
        }
        self.instruments.len()
    }

    /// scales(symbol: str) -> tuple[int, int]
    ///
    /// Decimals of a price and of a quantity.
    ///
    /// Raises:
    ///     KeyError: If the symbol is not known.
    fn scales(&mut self, symbol: &str) -> PyResult<(u8, u8)> {
        self.at(symbol).map(|(_, instrument)| (instrument.price_scale, instrument.qty_scale))
    }

    /// place(symbol: str, side: str, type: str, qty: int, client_id: str, *, price: int = 0, tif: str = "gtc", trigger_price: int = 0, trigger_by: str = "last", trail_bps: int = 0, activation_price: int = 0, display_qty: int = 0, expire_ns: int = 0, post_only: bool = False, reduce_only: bool = False, close_position: bool = False, stp: str = "none", position_side: str = "both", price_protect: bool = False) -> BinanceRequest
    ///
    /// A new order; conditional ones of futures go to the algo service.
    ///
    /// Raises:
    ///     ValueError: If the market cannot do it; the text says what to change.
    ///     KeyError: If the symbol is not known.
    #[pyo3(signature = (symbol, side, r#type, qty, client_id, *, price = 0, tif = None,
        trigger_price = 0, trigger_by = None, trail_bps = 0, activation_price = 0, display_qty = 0,
        expire_ns = 0, post_only = false, reduce_only = false, close_position = false, stp = None,
        position_side = None, price_protect = false))]
    #[allow(clippy::too_many_arguments)] // the words of an order
    fn place(
        &mut self,
        symbol: &str,
        side: &Bound<'_, PyString>,
        r#type: &str,
        qty: i64,
        client_id: &str,
        price: i64,
        tif: Option<&str>,
        trigger_price: i64,
        trigger_by: Option<&str>,
        trail_bps: i64,
        activation_price: i64,
        display_qty: i64,
        expire_ns: i64,
        post_only: bool,
        reduce_only: bool,
        close_position: bool,
        stp: Option<&str>,
        position_side: Option<&str>,
        price_protect: bool,
    ) -> PyResult<BinanceRequest> {
        let side: Side = side_of(side)?;
        let kind = choice("type", r#type, &TYPES)?;
        let mut spec = OrderSpec::new(0, side, kind, qty, price);
        spec.tif = tif.map_or(Ok(Tif::Gtc), |word| choice("tif", word, &TIFS))?;
        spec.stp = stp.map_or(Ok(Stp::None), |word| choice("stp", word, &STPS))?;
        if let Some(word) = trigger_by {
            spec.trigger_by = choice("trigger_by", word, &TRIGGERS)?;
        }
        if let Some(word) = position_side {
            spec.position_side = choice("position_side", word, &POSITION_SIDES)?;
        }
        (spec.trigger_price, spec.trail_bps) = (trigger_price, trail_bps);
        (spec.activation_price, spec.display_qty) = (activation_price, display_qty);
        (spec.expire_ns, spec.post_only, spec.reduce_only) = (expire_ns, post_only, reduce_only);
        (spec.close_position, spec.price_protect) = (close_position, i64::from(price_protect));
        let (encoder, instrument) = self.at(symbol)?;
        request(encoder.place(instrument, &spec, client_id))
    }

    /// amend(symbol: str, side: str, client_id: str, new_client_id: str, *, qty: int, price: int, from_qty: int, from_price: int, filled: int = 0, post_only: bool = False) -> BinanceRequest
    ///
    /// New terms for a limit order: in place where the market can (futures; spot, if only the
    /// quantity falls), else cancelled and placed anew in one request under `new_client_id`.
    ///
    /// Raises:
    ///     ValueError: If the market cannot do it.
    ///     KeyError: If the symbol is not known.
    #[pyo3(signature = (symbol, side, client_id, new_client_id, *, qty, price, from_qty, from_price,
        filled = 0, post_only = false))]
    #[allow(clippy::too_many_arguments)] // the words of an amendment
    fn amend(
        &mut self,
        symbol: &str,
        side: &Bound<'_, PyString>,
        client_id: &str,
        new_client_id: &str,
        qty: i64,
        price: i64,
        from_qty: i64,
        from_price: i64,
        filled: i64,
        post_only: bool,
    ) -> PyResult<BinanceRequest> {
        let kind = veloz_core::order::OrderType::Limit;
        let mut spec = OrderSpec::new(0, side_of(side)?, kind, from_qty, from_price);
        spec.post_only = post_only;
        let amend = Amend { spec: &spec, qty, price, filled, client_id, new_client_id };
        let (encoder, instrument) = self.at(symbol)?;
        request(encoder.amend(instrument, &amend))
    }

    /// cancel(symbol: str, client_id: str = "", *, venue_order_id: int = 0, is_algo: bool = False) -> BinanceRequest
    ///
    /// The end of one order, by its client id or the venue's number; `is_algo` while a conditional
    /// order of futures waits.
    #[pyo3(signature = (symbol, client_id = "", *, venue_order_id = 0, is_algo = false))]
    fn cancel(
        &mut self,
        symbol: &str,
        client_id: &str,
        venue_order_id: i64,
        is_algo: bool,
    ) -> PyResult<BinanceRequest> {
        let (encoder, instrument) = self.at(symbol)?;
        request(encoder.cancel(instrument, &Target { client_id, venue_order_id }, is_algo))
    }

    /// cancel_all(symbol: str, *, is_algo: bool = False) -> BinanceRequest
    ///
    /// The end of all orders of an instrument; futures have conditional ones apart.
    #[pyo3(signature = (symbol, *, is_algo = false))]
    fn cancel_all(&mut self, symbol: &str, is_algo: bool) -> PyResult<BinanceRequest> {
        let (encoder, instrument) = self.at(symbol)?;
        request(encoder.cancel_all(instrument, is_algo))
    }

    /// order(symbol: str, client_id: str = "", *, venue_order_id: int = 0, is_algo: bool = False) -> BinanceRequest
    ///
    /// What became of one order.
    #[pyo3(signature = (symbol, client_id = "", *, venue_order_id = 0, is_algo = false))]
    fn order(
        &mut self,
        symbol: &str,
        client_id: &str,
        venue_order_id: i64,
        is_algo: bool,
    ) -> PyResult<BinanceRequest> {
        let (encoder, instrument) = self.at(symbol)?;
        request(encoder.order(instrument, &Target { client_id, venue_order_id }, is_algo))
    }

    /// open_orders(symbol: str | None = None, *, is_algo: bool = False) -> BinanceRequest
    ///
    /// All open orders of an instrument, or of the account.
    #[pyo3(signature = (symbol = None, *, is_algo = false))]
    fn open_orders(&mut self, symbol: Option<&str>, is_algo: bool) -> PyResult<BinanceRequest> {
        match symbol {
            Some(symbol) => {
                let (encoder, instrument) = self.at(symbol)?;
                request(encoder.open_orders(Some(instrument), is_algo))
            }
            None => self.make(|encoder| encoder.open_orders(None, is_algo)),
        }
    }

    /// trades(symbol: str, *, from_id: int = 0, start_ms: int = 0, end_ms: int = 0, order_id: int = 0, limit: int = 0) -> BinanceRequest
    ///
    /// The account's own trades in an instrument; 0 leaves a bound out.
    #[pyo3(signature = (symbol, *, from_id = 0, start_ms = 0, end_ms = 0, order_id = 0, limit = 0))]
    fn trades(
        &mut self,
        symbol: &str,
        from_id: i64,
        start_ms: i64,
        end_ms: i64,
        order_id: i64,
        limit: i64,
    ) -> PyResult<BinanceRequest> {
        let (encoder, instrument) = self.at(symbol)?;
        request(
            encoder.trades(instrument, &TradesOf { from_id, start_ms, end_ms, order_id, limit }),
        )
    }

    /// countdown(symbol: str, countdown_ms: int) -> BinanceRequest
    ///
    /// Arms the venue's dead-man switch of an instrument; 0 disarms it.
    fn countdown(&mut self, symbol: &str, countdown_ms: i64) -> PyResult<BinanceRequest> {
        let (encoder, instrument) = self.at(symbol)?;
        request(encoder.countdown(instrument, countdown_ms))
    }

    /// plain(action: str) -> BinanceRequest
    ///
    /// A request without parameters of its own: "account", "balances", "positions", "logon",
    /// "subscribe", "subscribe_signed", "stream_start", "stream_ping", "stream_stop", "time", …
    ///
    /// Raises:
    ///     ValueError: If there is no such action in this market.
    fn plain(&mut self, action: &str) -> PyResult<BinanceRequest> {
        let action = choice("action", action, &Action::ALL)?;
        self.make(|encoder| encoder.open(action))
    }
}

/// binance_verdict(market: str, asked: str, status: int, code: int | None, text: str) -> tuple[str, str]
///
/// What an answer means for its request.
///
/// Args:
///     market: "spot", "usdm" or "coinm".
///     asked: "place", "amend", "cancel", "query" or "setting".
///     status: HTTP status, or that of the WebSocket API frame.
///     code: The venue's code, if it gave one.
///     text: The venue's text.
///
/// Returns:
///     tuple[str, str]: Outcome and reason. Outcomes: "done"; "refused", not done; "doubted", not
///     done, but look the order up; "halved", cancelled and not placed anew; "absent", not there;
///     "unknown", perhaps done; "limited", not done, slow down; "clock", not done, clock off;
///     "fatal", not done, call a person. The reason is a word of ours, such as "post_only".
#[pyfunction]
fn binance_verdict(
    market: &str,
    asked: &str,
    status: u16,
    code: Option<i64>,
    text: &str,
) -> PyResult<(&'static str, &'static str)> {
    let asked = choice("asked", asked, &Asked::ALL)?;
    Ok(match judge(market_of(market)?, asked, status, code, text) {
        Verdict::Done => ("done", ""),
        Verdict::Refused { reason, ask: false } => ("refused", reason.word()),
        Verdict::Refused { reason, ask: true } => ("doubted", reason.word()),
        Verdict::Halved => ("halved", ""),
        Verdict::Absent => ("absent", ""),
        Verdict::Unknown => ("unknown", ""),
        Verdict::Limited(limit) => ("limited", limit_word(limit)),
        Verdict::Clock => ("clock", ""),
        Verdict::Fatal => ("fatal", ""),
    })
}

fn limit_word(limit: Limit) -> &'static str {
    match limit {
        Limit::Weight => "weight",
        Limit::Orders => "orders",
        Limit::Banned => "banned",
        Limit::Overload => "overload",
        Limit::Firewall => "firewall",
    }
}

/// wire_id(epoch: int, instance: int, counter: int, revision: int = 0) -> str
///
/// The client order id of an order: 27 characters, `[0-9a-zA-Z]`, a letter first. The revision
/// counts the orders at the venue that took its place.
///
/// Raises:
///     ValueError: If there is no id for so large a counter or revision.
#[pyfunction]
#[pyo3(signature = (epoch, instance, counter, revision = 0))]
fn wire_id(epoch: u32, instance: u32, counter: u64, revision: u32) -> PyResult<String> {
    if counter >= COUNTERS || revision >= REVISIONS {
        return Err(PyValueError::new_err(format!(
            "no client order id has the counter {counter} and the revision {revision}: they are \
             below {COUNTERS} and {REVISIONS}"
        )));
    }
    let id = WireId { epoch, instance, counter, revision };
    Ok(id.text().iter().copied().map(char::from).collect())
}

/// parse_wire_id(text: str) -> tuple[int, int, int, int] | None
///
/// Epoch, instance, counter and revision of a client order id; None if it is not one of ours.
#[pyfunction]
fn parse_wire_id(text: &str) -> Option<(u32, u32, u64, u32)> {
    WireId::parse(text.as_bytes()).map(|id| (id.epoch, id.instance, id.counter, id.revision))
}
