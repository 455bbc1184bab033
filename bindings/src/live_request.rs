//! `LiveRequest`: a request that a live engine has journalled and lets go.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyString;
use veloz_core::desk::Desk;
use veloz_core::instrument::Kind;
use veloz_core::order::{Request, RequestKind, Side};
use veloz_core::order_state::Asked;
use veloz_core::units::format_decimal;
use veloz_venues::binance::encode::{Amend, Encoder, Target};
use veloz_venues::binance::Market;
use veloz_venues::wire_id::WireId;

use veloz_core::order_state::Order;

use crate::order::type_text;
use crate::signer::BinanceRequest;

/// The wire id of a leg of an order of ours, or the client id that an external one has.
pub fn client_id(desk: &Desk, order: u64, leg: u32) -> String {
    if let Some((_, text)) = desk.origin(order) {
        return text.to_owned();
    }
    let Some((epoch, instance)) = desk.wire_of(order) else { return String::new() };
    let id = WireId { epoch, instance, counter: order, revision: leg };
    String::from_utf8_lossy(&id.text()).into_owned()
}

/// The facts of a leg that a request is about.
fn known_leg(order: Option<&Order>, leg: u32) -> PyResult<&Order> {
    let leg = order.and_then(|order| order.leg(leg));
    leg.ok_or_else(|| crate::errors::strategy_error("an unknown order was amended"))
}

/// A request that the engine has journalled and lets go.
#[pyclass(module = "veloz._core")]
pub struct LiveRequest {
    number: u64,
    sequence: u64,
    request: Request,
    kind: &'static str,
    client_order_id: String,
    replaces: String,
    symbol: String,
    is_conditional: bool,
    is_reducing: bool,
    draft: Option<Py<BinanceRequest>>,
    refusal: String,
    terms: Terms,
}

/// Terms in units, for whom the venue's words are not enough; text is made when it is asked for.
#[derive(Clone, Copy)]
struct Terms {
    side: &'static str,
    order_type: &'static str,
    qty: (i64, u8),
    price: (i64, u8),
}

/// A number in units of a scale, as exact text.
fn exact((units, scale): (i64, u8)) -> String {
    format_decimal(i128::from(units), scale)
}

impl LiveRequest {
    /// A request as it leaves: its number names it to the shell, the sequence is that of the last
    /// batch that must be durable before. A request without a number is a rehearsal.
    pub fn new(
        py: Python<'_>,
        desk: &Desk,
        encoder: &mut [Encoder; 3],
        (number, sequence): (u64, u64),
        request: Request,
    ) -> PyResult<Self> {
        let order = desk.orders.get(request.order);
        let row = match request.kind {
            RequestKind::CancelAll { instrument } => instrument,
            RequestKind::Place(spec) => spec.instrument,
            _ => order.map_or(0, |order| order.spec.instrument),
        };
        let instrument = &desk.instruments[row as usize];
        let encoder = match instrument.kind {
            Kind::Spot => &mut encoder[Market::Spot as usize],
            Kind::Linear => &mut encoder[Market::UsdM as usize],
            Kind::Inverse => &mut encoder[Market::CoinM as usize],
        };
        let id = client_id(desk, request.order, request.leg);
        let mut replaces = String::new();
        let is_conditional = order.is_some_and(|o| o.spec.kind.is_conditional() && !o.triggered);
        let is_algo = is_conditional && instrument.kind != Kind::Spot;
        let draft = match request.kind {
            RequestKind::Place(spec) => encoder.place(instrument, &spec, &id),
            RequestKind::Amend { qty, price } => {
                let leg = known_leg(order, request.leg)?;
                // Of the total, what was filled before this leg is not the venue's to know.
                let before = order.map_or(0, |order| order.filled_qty) - leg.filled_qty;
                let (spec, filled, qty) = (&leg.spec, leg.filled_qty, qty - before);
                let (client_id, new_client_id) = (id.as_str(), id.as_str());
                encoder.amend(
                    instrument,
                    &Amend { spec, qty, price, filled, client_id, new_client_id },
                )
            }
            RequestKind::Replace { instead, .. } => {
                let (next, old) = (known_leg(order, request.leg)?, known_leg(order, instead)?);
                replaces = client_id(desk, request.order, instead);
                encoder.replace(instrument, &next.spec, &id, (&replaces, old.filled_qty))
            }
            RequestKind::Cancel => {
                // An order that is not ours is named by its number at the venue.
                let number = desk.venue_id_of(request.order, request.leg);
                let number = number.and_then(|id| i64::try_from(id).ok());
                let target = Target { client_id: &id, venue_order_id: number.unwrap_or(0) };
                encoder.cancel(instrument, &target, is_algo)
            }
            RequestKind::CancelAll { .. } => encoder.cancel_all(instrument, is_algo),
        };
        // What the venue cannot do is told as a refusal by the caller: it never leaves.
        let (draft, refusal) = match draft {
            Ok(draft) => (Some(Py::new(py, BinanceRequest::of(draft.clone()))?), String::new()),
            Err(unsupported) => (None, unsupported.0.to_owned()),
        };
        let (qty, price) = match request.kind {
            RequestKind::Place(spec) => (spec.qty, spec.price),
            RequestKind::Amend { qty, price } | RequestKind::Replace { qty, price, .. } => {
                (qty, price)
            }
            _ => (0, 0),
        };
        let side = order.map_or(Side::Buy, |order| order.spec.side);
        let terms = Terms {
            side: if side == Side::Buy { "buy" } else { "sell" },
            order_type: order.map_or("", |order| type_text(order.spec.kind)),
            qty: (qty, instrument.qty_scale),
            price: (price, instrument.price_scale),
        };
        Ok(LiveRequest {
            number,
            sequence,
            request,
            kind: match request.kind {
                _ if number == 0 => "rehearsal",
                RequestKind::Place(_) => "place",
                RequestKind::Amend { .. } | RequestKind::Replace { .. } => "amend",
                RequestKind::Cancel => "cancel",
                RequestKind::CancelAll { .. } => "cancel_all",
            },
            client_order_id: id,
            replaces,
            symbol: instrument.venue_symbol.clone(),
            is_conditional,
            is_reducing: match request.kind {
                RequestKind::Place(spec) => spec.reduce_only || spec.close_position,
                _ => false,
            },
            draft,
            refusal,
            terms,
        })
    }

    /// The request in the venue's words; none if it has no words for it.
    pub fn draft(&self) -> Option<&Py<BinanceRequest>> {
        self.draft.as_ref()
    }

    /// The kind, where an order that can only make a position smaller is one of its own.
    pub fn departs_as(&self) -> &'static str {
        if self.is_reducing && self.kind == "place" {
            "reduce"
        } else {
            self.kind
        }
    }

    /// Which request of which order it is; none for a cancel-all.
    pub fn asked(request: &Request) -> Option<(u64, Asked)> {
        let asked = match request.kind {
            RequestKind::Place(_) => Asked::Place,
            RequestKind::Amend { .. } | RequestKind::Replace { .. } => Asked::Amend,
            RequestKind::Cancel => Asked::Cancel,
            RequestKind::CancelAll { .. } => return None,
        };
        Some((request.order, asked))
    }
}

#[pymethods]
impl LiveRequest {
    /// int: The engine's number of the request, unique in this process.
    #[getter]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// int: The last batch of the journal that must be durable before it leaves.
    #[getter]
    fn sequence(&self) -> u64 {
        self.sequence
    }

    /// int: The order's handle; 0 for a cancel-all.
    #[getter]
    fn order(&self) -> u64 {
        self.request.order
    }

    /// int: Row of the account table.
    #[getter]
    fn account(&self) -> u16 {
        self.request.account
    }

    /// int: Event time at which it was asked, ns.
    #[getter]
    fn ts_asked(&self) -> i64 {
        self.request.ts_sent
    }

    /// str: "place", "amend", "cancel" or "cancel_all"; "rehearsal" of what is never sent.
    #[getter]
    fn kind<'py>(&self, py: Python<'py>) -> &'py Bound<'py, PyString> {
        // Asked for again and again on the way: one object for each word.
        match self.kind {
            "place" => intern!(py, "place"),
            "amend" => intern!(py, "amend"),
            "cancel" => intern!(py, "cancel"),
            "cancel_all" => intern!(py, "cancel_all"),
            _ => intern!(py, "rehearsal"),
        }
    }

    /// str: Wire id of the order; empty for a cancel-all. Of an amendment that cancels the order
    /// and places it anew, the id of the new one.
    #[getter]
    fn client_order_id(&self) -> &str {
        &self.client_order_id
    }

    /// str: Wire id of the order that is cancelled to place this one; empty if none is.
    #[getter]
    fn replaces(&self) -> &str {
        &self.replaces
    }

    /// str: The venue's symbol.
    #[getter]
    fn symbol(&self) -> &str {
        &self.symbol
    }

    /// bool: True if the order waits for a trigger.
    #[getter]
    fn is_conditional(&self) -> bool {
        self.is_conditional
    }

    /// bool: True if it places an order that can only make a position smaller.
    #[getter]
    fn is_reducing(&self) -> bool {
        self.is_reducing
    }

    /// str: Why the venue cannot be asked this; empty if it can.
    #[getter]
    fn refusal(&self) -> &str {
        &self.refusal
    }

    /// BinanceRequest | None: The request in the venue's words, before key, time and signature.
    #[getter]
    fn encoded(&self, py: Python<'_>) -> Option<Py<BinanceRequest>> {
        self.draft.as_ref().map(|draft| draft.clone_ref(py))
    }

    /// dict[str, str]: Side, type, quantity and price as exact text; of a cancel the order's side.
    #[getter]
    fn terms<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, pyo3::types::PyDict>> {
        let terms = pyo3::types::PyDict::new(py);
        terms.set_item("side", self.terms.side)?;
        terms.set_item("type", self.terms.order_type)?;
        terms.set_item("qty", exact(self.terms.qty))?;
        terms.set_item("price", exact(self.terms.price))?;
        Ok(terms)
    }

    fn __repr__(&self) -> String {
        let t = &self.terms;
        format!(
            "LiveRequest({}: {} {} {} {} {} @ {})",
            self.number,
            self.kind,
            self.client_order_id,
            self.symbol,
            t.side,
            exact(t.qty),
            exact(t.price)
        )
    }
}
