//! `Order`: one of a strategy's orders, live: it always shows what the desk knows now.

use std::sync::Arc;

use pyo3::prelude::*;
use pyo3::types::PyString;
use veloz_core::order::{Expiry, OrderId, OrderType, Reject, Side, Tif};
use veloz_core::order_state::{Ending, Order as Row, Status};
use veloz_core::units::{div_round, format_decimal, small_to_f64, Rounding};

use crate::errors;
use crate::link::Link;
use crate::numbers::decimal;

/// One of a strategy's orders, live: each attribute shows what is known now.
#[pyclass(frozen, module = "veloz")]
pub struct Order {
    pub id: OrderId,
    link: Arc<Link>,
}

impl Order {
    /// A handle; the desk keeps the order's row while it lives.
    #[inline]
    pub fn new(id: OrderId, link: &Arc<Link>) -> Self {
        if let Some(row) = link.desk().ok().and_then(|desk| desk.orders.get_mut(id)) {
            row.handles += 1;
        }
        Order { id, link: Arc::clone(link) }
    }

    #[inline]
    fn row(&self) -> PyResult<&Row> {
        let row = self.link.desk()?.orders.get(self.id);
        row.ok_or_else(|| errors::strategy_error(&format!("order {} is not known", self.id)))
    }
}

impl Drop for Order {
    fn drop(&mut self) {
        let Ok(desk) = self.link.desk() else { return };
        if let Some(row) = desk.orders.get_mut(self.id) {
            row.handles -= 1;
            if row.handles == 0 && !row.is_open() {
                desk.orders.forget(self.id);
            }
        }
    }
}

/// The reason of a venue's refusal in its own words.
pub fn reject_text(reason: u8) -> &'static str {
    const WORDS: [(Reject, &str); 21] = [
        (Reject::DuplicateId, "duplicate_id"),
        (Reject::MarketClosed, "market_closed"),
        (Reject::BadRequest, "bad_request"),
        (Reject::PriceFilter, "price_filter"),
        (Reject::LotSize, "lot_size"),
        (Reject::MarketLotSize, "market_lot_size"),
        (Reject::MinNotional, "min_notional"),
        (Reject::MaxNotional, "max_notional"),
        (Reject::PercentPrice, "percent_price"),
        (Reject::MaxOrders, "max_orders"),
        (Reject::MaxAlgoOrders, "max_algo_orders"),
        (Reject::IcebergParts, "iceberg_parts"),
        (Reject::ReduceOnly, "reduce_only"),
        (Reject::InsufficientBalance, "insufficient_balance"),
        (Reject::WouldTrigger, "would_trigger"),
        (Reject::PostOnly, "post_only"),
        (Reject::Fok, "fok"),
        (Reject::UnknownOrder, "unknown_order"),
        (Reject::NoChange, "no_change"),
        (Reject::KeepPriority, "keep_priority"),
        (Reject::Margin, "margin"),
    ];
    WORDS.iter().find(|(word, _)| *word as u8 == reason).map_or("unknown", |(_, text)| text)
}

/// The reason of an order's own end.
pub fn expiry_text(reason: u8) -> &'static str {
    const WORDS: [(Expiry, &str); 11] = [
        (Expiry::Ioc, "ioc"),
        (Expiry::Fok, "fok"),
        (Expiry::Gtd, "gtd"),
        (Expiry::NoLiquidity, "no_liquidity"),
        (Expiry::PriceBand, "price_band"),
        (Expiry::Stp, "stp"),
        (Expiry::ReduceOnly, "reduce_only"),
        (Expiry::PostOnly, "post_only"),
        (Expiry::Liquidation, "liquidation"),
        (Expiry::Delisted, "delisted"),
        (Expiry::InsufficientBalance, "insufficient_balance"),
    ];
    WORDS.iter().find(|(word, _)| *word as u8 == reason).map_or("unknown", |(_, text)| text)
}

/// The words of an order type, as users write it.
pub fn type_text(kind: OrderType) -> &'static str {
    match kind {
        OrderType::Market => "market",
        OrderType::Limit => "limit",
        OrderType::Stop => "stop",
        OrderType::StopLimit => "stop_limit",
        OrderType::TakeProfit => "take_profit",
        OrderType::TakeProfitLimit => "take_profit_limit",
        OrderType::TrailingStop => "trailing_stop",
    }
}

#[pymethods]
impl Order {
    /// int: Its handle, unique within the run.
    #[getter]
    fn id(&self) -> OrderId {
        self.id
    }

    /// str: The instrument's symbol.
    #[getter]
    fn symbol(&self, py: Python<'_>) -> PyResult<Py<PyString>> {
        let instrument = self.row()?.spec.instrument;
        Ok(self.link.faces[instrument as usize].symbol.clone_ref(py))
    }

    /// str: "buy" or "sell".
    #[getter]
    fn side(&self) -> PyResult<&'static str> {
        Ok(if self.row()?.spec.side == Side::Buy { "buy" } else { "sell" })
    }

    /// str: "market", "limit", "stop", "stop_limit", "take_profit", "take_profit_limit" or
    /// "trailing_stop".
    #[getter]
    fn r#type(&self) -> PyResult<&'static str> {
        Ok(type_text(self.row()?.spec.kind))
    }

    /// str: "gtc", "ioc", "fok" or "gtd".
    #[getter]
    fn tif(&self) -> PyResult<&'static str> {
        Ok(match self.row()?.spec.tif {
            Tif::Gtc => "gtc",
            Tif::Ioc => "ioc",
            Tif::Fok => "fok",
            Tif::Gtd => "gtd",
        })
    }

    /// float: Total quantity.
    #[getter]
    fn qty(&self) -> PyResult<f64> {
        let row = self.row()?;
        let face = &self.link.faces[row.spec.instrument as usize];
        Ok(small_to_f64(row.spec.qty, face.qty_scale))
    }

    /// float: Limit price; 0 for a market order.
    #[getter]
    fn price(&self) -> PyResult<f64> {
        let row = self.row()?;
        let face = &self.link.faces[row.spec.instrument as usize];
        Ok(small_to_f64(row.spec.price, face.price_scale))
    }

    /// float: Trigger price of a conditional order; 0 otherwise.
    #[getter]
    fn trigger_price(&self) -> PyResult<f64> {
        let row = self.row()?;
        let face = &self.link.faces[row.spec.instrument as usize];
        Ok(small_to_f64(row.spec.trigger_price, face.price_scale))
    }

    /// float: Quantity filled so far.
    #[getter]
    fn filled_qty(&self) -> PyResult<f64> {
        let row = self.row()?;
        let face = &self.link.faces[row.spec.instrument as usize];
        Ok(small_to_f64(row.filled_qty, face.qty_scale))
    }

    /// float: Quantity that may still trade.
    #[getter]
    fn leaves_qty(&self) -> PyResult<f64> {
        let row = self.row()?;
        let face = &self.link.faces[row.spec.instrument as usize];
        Ok(small_to_f64(row.leaves_qty(), face.qty_scale))
    }

    /// Decimal: Mean price of the fills, six digits beyond the price's own; None before the first.
    #[getter]
    fn avg_price(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let row = self.row()?;
        if row.filled_qty == 0 {
            return Ok(None);
        }
        let (value, qty) = (row.filled_value, i128::from(row.filled_qty));
        let scale = self.link.faces[row.spec.instrument as usize].price_scale;
        let mean = div_round(value * 1_000_000, qty, Rounding::HalfEven)
            .map_err(|error| errors::strategy_error(&error.to_string()))?;
        decimal(py, mean, scale + 6).map(Some)
    }

    /// str: "new", "unknown", "accepted", "partially_filled", "filled", "canceled", "rejected" or
    /// "expired".
    #[getter]
    fn status(&self) -> PyResult<&'static str> {
        Ok(self.row()?.status().text())
    }

    /// bool: True while it may still trade.
    #[getter]
    fn is_open(&self) -> PyResult<bool> {
        Ok(self.row()?.is_open())
    }

    /// bool: True if the request's outcome is not known and is being found out.
    #[getter]
    fn is_unknown(&self) -> PyResult<bool> {
        Ok(self.row()?.status() == Status::Unknown)
    }

    /// str: Why it was refused or ended; empty while it is open or filled.
    #[getter]
    fn reason(&self) -> PyResult<String> {
        let row = self.row()?;
        Ok(match (&row.refusal, row.ending) {
            (Some(sentence), _) => sentence.to_string(),
            (None, Some(Ending::Rejected(reason))) => reject_text(reason).to_owned(),
            (None, Some(Ending::Expired(reason))) => expiry_text(reason).to_owned(),
            (None, Some(Ending::Canceled)) => "canceled".to_owned(),
            (None, Some(Ending::Absent)) => "not found at the venue".to_owned(),
            (None, Some(Ending::Refused) | None) => String::new(),
        })
    }

    /// int: When the strategy gave it, ns.
    #[getter]
    fn ts_created(&self) -> PyResult<i64> {
        Ok(self.row()?.ts_created)
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.id == other.id && Arc::ptr_eq(&self.link, &other.link)
    }

    fn __hash__(&self) -> u64 {
        self.id
    }

    fn __repr__(&self) -> PyResult<String> {
        let row = self.row()?;
        let instrument = &self.link.instruments[row.spec.instrument as usize];
        let side = if row.spec.side == Side::Buy { "buy" } else { "sell" };
        let qty = instrument.qty_text(row.spec.qty);
        let filled = format_decimal(i128::from(row.filled_qty), instrument.qty_scale);
        let price = if row.spec.price > 0 {
            format!(" @ {}", instrument.price_text(row.spec.price))
        } else {
            String::new()
        };
        let (kind, status) = (type_text(row.spec.kind), row.status().text());
        let (id, symbol) = (self.id, &instrument.symbol);
        Ok(format!("Order({id}: {side} {kind} {qty} {symbol}{price}, {status}, filled {filled})"))
    }
}
