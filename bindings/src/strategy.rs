//! The strategy seen from both sides: the base class that Python strategies extend, and the
//! adapter through which the engine calls them.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use veloz_core::order::{OrderSpec, OrderType, Side, Tif};
use veloz_core::units::small_to_f64;

use crate::errors;
use crate::indicators::Indicator;
use crate::link::Link;
use crate::market::Book;
use crate::money::{Account, Position};
use crate::numbers::{scaled, Meaning};
use crate::order::Order;
use crate::wiring::{Fed, Wiring};
use crate::words::{
    choice, leg_of, levels_of, note, rounded, side_of, wants_of, POSITION_SIDES, STPS, TIFS,
    TRIGGERS, TYPES,
};

/// The calls of a strategy; `veloz.Strategy` extends it.
#[pyclass(subclass, frozen, module = "veloz")]
pub struct StrategyBase {
    wiring: OnceLock<Arc<Wiring>>,
}

impl StrategyBase {
    pub fn wire(&self, wiring: Arc<Wiring>) -> PyResult<()> {
        self.wiring.set(wiring).map_err(|_| {
            errors::strategy_error("this strategy object already belongs to a run; make a new one")
        })
    }

    #[inline]
    fn wiring(&self) -> PyResult<&Arc<Wiring>> {
        self.wiring.get().ok_or_else(|| {
            errors::strategy_error("this call works only inside a run: use it in on_start or later")
        })
    }

    #[inline]
    fn link(&self) -> PyResult<&Arc<Link>> {
        Ok(&self.wiring()?.link)
    }
}

impl StrategyBase {
    #[inline]
    fn send(
        &self,
        py: Python<'_>,
        spec: OrderSpec,
        text: Option<Box<[u8]>>,
    ) -> PyResult<Py<Order>> {
        let link = self.link()?;
        let id = link.port()?.place(spec, text);
        Py::new(py, Order::new(id, link))
    }

    #[inline]
    fn simple(
        &self,
        symbol: &Bound<'_, PyAny>,
        side: Side,
        qty: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<OrderSpec> {
        let link = self.link()?;
        let row = link.row(symbol)?;
        let instrument = &link.instruments[row as usize];
        let qty = scaled(qty, instrument, Meaning::Qty)?;
        Ok(match price {
            None => OrderSpec::new(row, side, OrderType::Market, qty, 0),
            Some(price) => {
                let price = scaled(price, instrument, Meaning::Price)?;
                OrderSpec::new(row, side, OrderType::Limit, qty, price)
            }
        })
    }

    #[allow(clippy::too_many_arguments)]
    fn shortcut(
        &self,
        py: Python<'_>,
        side: Side,
        symbol: &Bound<'_, PyAny>,
        qty: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        tif: Option<&str>,
        post_only: bool,
        reduce_only: bool,
        why: Option<&str>,
        tag: Option<&str>,
    ) -> PyResult<Py<Order>> {
        let mut spec = self.simple(symbol, side, qty, price)?;
        if let Some(tif) = tif {
            spec.tif = choice("tif", tif, &TIFS)?;
        }
        spec.post_only = post_only;
        spec.reduce_only = reduce_only;
        self.send(py, spec, note(why, tag))
    }
}

#[pymethods]
impl StrategyBase {
    /// Its timers call its own methods: a circle that the collector must see.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.wiring.get().map(|wiring| wiring.timers.try_borrow()) {
            Some(Ok(timers)) => timers.iter().try_for_each(|(callback, _)| visit.call(callback)),
            _ => Ok(()),
        }
    }

    fn __clear__(&self) {
        let timers = self.wiring.get().and_then(|wiring| wiring.timers.try_borrow_mut().ok());
        // Taken out first: what they call when they end may look at the list.
        drop(timers.map(|mut timers| std::mem::take(&mut *timers)));
    }

    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, pyo3::types::PyDict>>) -> Self {
        StrategyBase { wiring: OnceLock::new() }
    }

    /// int: Event time, ns since the epoch, UTC: the only clock of a strategy.
    #[getter]
    fn now(&self) -> PyResult<i64> {
        Ok(self.link()?.desk()?.now_ns)
    }

    /// bool: True while the strategy is told what happened to its orders before a restart; orders
    /// that it gives meanwhile are refused.
    #[getter]
    fn is_recovering(&self) -> PyResult<bool> {
        Ok(self.link()?.desk()?.is_recovering)
    }

    /// place_order(symbol: str, side: str, type: str, qty: float | int | str | Decimal, price: float | int | str | Decimal | None = None, tif: str | None = None, reduce_only: bool = False, post_only: bool = False, tag: str | None = None, client_order_id: str | None = None, *, trigger_price: float | int | str | Decimal | None = None, trigger_by: str | None = None, trail_bps: int | None = None, activation_price: float | int | str | Decimal | None = None, display_qty: float | int | str | Decimal | None = None, expire_ns: int | None = None, close_position: bool = False, stp: str | None = None, position_side: str | None = None, why: str | None = None) -> Order
    ///
    /// Places an order (ST3) and returns it at once in status "new"; its verdict comes as `on_order`.
    ///
    /// Args:
    ///     symbol: Which instrument.
    ///     side: "buy" or "sell".
    ///     type: "market", "limit", "stop", "stop_limit", "take_profit", "take_profit_limit" or
    ///         "trailing_stop".
    ///     qty: Quantity, a multiple of the lot; contracts for inverse instruments.
    ///     price: Limit price, a multiple of the tick.
    ///     tif: "gtc", "ioc", "fok" or "gtd" (with `expire_ns`).
    ///     reduce_only: Never opens or grows a position.
    ///     post_only: Refused if it would take.
    ///     tag: The strategy's own label; kept in the journal, never sent.
    ///     client_order_id: Not accepted here: wire ids are the engine's own.
    ///     trigger_price: Of a conditional order.
    ///     trigger_by: "last", "mark" or "index".
    ///     trail_bps: Distance of a trailing stop, hundredths of a per cent.
    ///     activation_price: Where a trailing stop is armed; at once if not given.
    ///     display_qty: Visible part of an iceberg.
    ///     expire_ns: End of a "gtd" order.
    ///     close_position: Closes the whole position at the trigger.
    ///     stp: Self-trade prevention.
    ///     position_side: "both", or "long" / "short" in hedge mode.
    ///     why: The reason, kept in the journal.
    ///
    /// Raises:
    ///     ValueError: A number is not finite, not positive, or not on the instrument's grid.
    #[pyo3(signature = (symbol, side, r#type, qty, price=None, tif=None, reduce_only=false,
        post_only=false, tag=None, client_order_id=None, *, trigger_price=None, trigger_by=None,
        trail_bps=None, activation_price=None, display_qty=None, expire_ns=None,
        close_position=false, stp=None, position_side=None, why=None))]
    #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
    fn place_order(
        &self,
        py: Python<'_>,
        symbol: &Bound<'_, PyAny>,
        side: &Bound<'_, PyString>,
        r#type: &str,
        qty: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        tif: Option<&str>,
        reduce_only: bool,
        post_only: bool,
        tag: Option<&str>,
        client_order_id: Option<&str>,
        trigger_price: Option<&Bound<'_, PyAny>>,
        trigger_by: Option<&str>,
        trail_bps: Option<i64>,
        activation_price: Option<&Bound<'_, PyAny>>,
        display_qty: Option<&Bound<'_, PyAny>>,
        expire_ns: Option<i64>,
        close_position: bool,
        stp: Option<&str>,
        position_side: Option<&str>,
        why: Option<&str>,
    ) -> PyResult<Py<Order>> {
        let link = self.link()?;
        let row = link.row(symbol)?;
        let instrument = &link.instruments[row as usize];
        let kind = choice("type", r#type, &TYPES)?;
        let qty = if close_position { 0 } else { scaled(qty, instrument, Meaning::Qty)? };
        let as_price = |value: Option<&Bound<'_, PyAny>>| {
            value.map_or(Ok(0), |value| scaled(value, instrument, Meaning::Price))
        };
        let mut spec = OrderSpec::new(row, side_of(side)?, kind, qty, as_price(price)?);
        let refuse = |what: &str| Err(PyValueError::new_err(what.to_owned()));
        if client_order_id.is_some() {
            return refuse(
                "client_order_id is the engine's own, so that no order is ever doubled; \
                 use tag= for a label of yours",
            );
        }
        if kind.has_limit() != (spec.price > 0) {
            let text = if kind.has_limit() { "needs a price" } else { "takes no price" };
            return refuse(&format!("a {} order {text}", r#type));
        }
        spec.trigger_price = as_price(trigger_price)?;
        let wants_trigger = kind.is_conditional() && kind != OrderType::TrailingStop;
        if wants_trigger != (spec.trigger_price > 0) {
            let text =
                if wants_trigger { "needs a trigger_price" } else { "takes no trigger_price" };
            return refuse(&format!("a {} order {text}", r#type));
        }
        if (kind == OrderType::TrailingStop) != trail_bps.is_some_and(|bps| bps > 0) {
            return refuse("trail_bps above zero belongs to a trailing_stop order, and only there");
        }
        if let Some(tif) = tif {
            spec.tif = choice("tif", tif, &TIFS)?;
        }
        if (spec.tif == Tif::Gtd) != expire_ns.is_some() {
            return refuse("expire_ns belongs to tif=\"gtd\", and only there");
        }
        spec.expire_ns = expire_ns.unwrap_or(0);
        if let Some(by) = trigger_by {
            spec.trigger_by = choice("trigger_by", by, &TRIGGERS)?;
        }
        if let Some(mode) = stp {
            spec.stp = choice("stp", mode, &STPS)?;
        }
        if let Some(side) = position_side {
            spec.position_side = choice("position_side", side, &POSITION_SIDES)?;
        }
        spec.trail_bps = trail_bps.unwrap_or(0);
        spec.activation_price = as_price(activation_price)?;
        if let Some(display) = display_qty {
            spec.display_qty = scaled(display, instrument, Meaning::Qty)?;
        }
        spec.reduce_only = reduce_only;
        spec.post_only = post_only;
        spec.close_position = close_position;
        self.send(py, spec, note(why, tag))
    }

    /// buy(symbol: str, qty: float | int | str | Decimal, price: float | int | str | Decimal | None = None, *, tif: str | None = None, post_only: bool = False, reduce_only: bool = False, why: str | None = None, tag: str | None = None) -> Order
    ///
    /// Buys: a market order, or a limit order if a price is given.
    #[pyo3(signature = (symbol, qty, price=None, *, tif=None, post_only=false, reduce_only=false,
        why=None, tag=None))]
    #[allow(clippy::too_many_arguments)]
    fn buy(
        &self,
        py: Python<'_>,
        symbol: &Bound<'_, PyAny>,
        qty: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        tif: Option<&str>,
        post_only: bool,
        reduce_only: bool,
        why: Option<&str>,
        tag: Option<&str>,
    ) -> PyResult<Py<Order>> {
        self.shortcut(py, Side::Buy, symbol, qty, price, tif, post_only, reduce_only, why, tag)
    }

    /// sell(symbol: str, qty: float | int | str | Decimal, price: float | int | str | Decimal | None = None, *, tif: str | None = None, post_only: bool = False, reduce_only: bool = False, why: str | None = None, tag: str | None = None) -> Order
    ///
    /// Sells: a market order, or a limit order if a price is given.
    #[pyo3(signature = (symbol, qty, price=None, *, tif=None, post_only=false, reduce_only=false,
        why=None, tag=None))]
    #[allow(clippy::too_many_arguments)]
    fn sell(
        &self,
        py: Python<'_>,
        symbol: &Bound<'_, PyAny>,
        qty: &Bound<'_, PyAny>,
        price: Option<&Bound<'_, PyAny>>,
        tif: Option<&str>,
        post_only: bool,
        reduce_only: bool,
        why: Option<&str>,
        tag: Option<&str>,
    ) -> PyResult<Py<Order>> {
        self.shortcut(py, Side::Sell, symbol, qty, price, tif, post_only, reduce_only, why, tag)
    }

    /// target(symbol: str, qty: float | int | str | Decimal, *, why: str | None = None, tag: str | None = None) -> Order | None
    ///
    /// Brings the strategy's position to a signed quantity with one market order.
    ///
    /// Open market orders of the strategy in the instrument count as done. Returns the order, or
    /// None if nothing is to do.
    #[pyo3(signature = (symbol, qty, *, why=None, tag=None))]
    fn target(
        &self,
        py: Python<'_>,
        symbol: &Bound<'_, PyAny>,
        qty: &Bound<'_, PyAny>,
        why: Option<&str>,
        tag: Option<&str>,
    ) -> PyResult<Option<Py<Order>>> {
        let link = self.link()?;
        let row = link.row(symbol)?;
        let instrument = &link.instruments[row as usize];
        let grid = crate::numbers::grid(qty, instrument.qty_scale, instrument.lot)?;
        let Ok(wanted) = grid else {
            // Names the neighbours, or says that it is no number.
            return scaled(qty, instrument, Meaning::Qty).map(|_| None);
        };
        let port = link.port()?;
        leg_of(port, row, None, "target")?;
        let change = wanted - port.expected_position(row);
        if change == 0 {
            return Ok(None);
        }
        let side = if change > 0 { Side::Buy } else { Side::Sell };
        let spec = OrderSpec::new(row, side, OrderType::Market, change.abs(), 0);
        self.send(py, spec, note(why, tag)).map(Some)
    }

    /// close(symbol: str, *, position_side: str | None = None, why: str | None = None, tag: str | None = None) -> Order | None
    ///
    /// Closes the strategy's position in an instrument with a reduce-only market order; in hedge
    /// mode the leg that `position_side` names, "long" or "short".
    ///
    /// Open market orders of the strategy in the instrument count as done. Returns the order, or None if there is no position.
    #[pyo3(signature = (symbol, *, position_side=None, why=None, tag=None))]
    fn close(
        &self,
        py: Python<'_>,
        symbol: &Bound<'_, PyAny>,
        position_side: Option<&str>,
        why: Option<&str>,
        tag: Option<&str>,
    ) -> PyResult<Option<Py<Order>>> {
        let link = self.link()?;
        let row = link.row(symbol)?;
        let port = link.port()?;
        let (leg, is_whole) = leg_of(port, row, position_side, "close")?;
        let held = if is_whole { port.expected_position(row) } else { port.expected_leg(row, leg) };
        if held == 0 {
            return Ok(None);
        }
        let side = if held > 0 { Side::Sell } else { Side::Buy };
        let mut spec = OrderSpec::new(row, side, OrderType::Market, held.abs(), 0);
        spec.position_side = leg;
        let spot = veloz_core::instrument::Kind::Spot;
        spec.reduce_only = link.instruments[row as usize].kind != spot;
        self.send(py, spec, note(why, tag)).map(Some)
    }

    /// quote(symbol: str, bids: Iterable[tuple[Any, Any]], asks: Iterable[tuple[Any, Any]]) -> None
    ///
    /// Makes the strategy's post-only limit orders in an instrument be exactly these levels.
    ///
    /// Orders that already stand right keep their place in the queue; others are cancelled, and
    /// missing ones placed.
    ///
    /// Args:
    ///     symbol: Which instrument.
    ///     bids: `(price, qty)` tuples to buy at.
    ///     asks: `(price, qty)` tuples to sell at.
    #[pyo3(signature = (symbol, bids, asks))]
    fn quote(
        &self,
        symbol: &Bound<'_, PyAny>,
        bids: &Bound<'_, PyAny>,
        asks: &Bound<'_, PyAny>,
    ) -> PyResult<()> {
        let wiring = self.wiring()?;
        let row = wiring.link.row(symbol)?;
        let instrument = &wiring.link.instruments[row as usize];
        // Taken out, since reading levels may run Python code that quotes as well.
        let [mut buys, mut sells] = wiring.levels.take();
        buys.clear();
        sells.clear();
        levels_of(instrument, bids, &mut buys)?;
        levels_of(instrument, asks, &mut sells)?;
        if buys.len().max(sells.len()) > 64 {
            return Err(PyValueError::new_err("quote takes at most 64 levels a side"));
        }
        wiring.link.port()?.quote(row, &buys, &sells);
        wiring.levels.set([buys, sells]);
        Ok(())
    }

    /// cancel_order(order: Order) -> None
    ///
    /// Asks to cancel an order; does nothing if it has ended or was asked before.
    fn cancel_order(&self, order: &Order) -> PyResult<()> {
        self.link()?.port()?.cancel(order.id);
        Ok(())
    }

    /// cancel_all(symbol: str | None = None) -> int
    ///
    /// Asks to cancel all open orders of the strategy, of one symbol or of all; returns how many.
    #[pyo3(signature = (symbol=None))]
    fn cancel_all(&self, symbol: Option<&Bound<'_, PyAny>>) -> PyResult<usize> {
        let link = self.link()?;
        let row = symbol.map(|symbol| link.row(symbol)).transpose()?;
        Ok(link.port()?.cancel_all(row))
    }

    /// amend_order(order: Order, qty: float | int | str | Decimal | None = None, price: float | int | str | Decimal | None = None) -> None
    ///
    /// Asks to change an order's total quantity, price, or both.
    #[pyo3(signature = (order, qty=None, price=None))]
    fn amend_order(
        &self,
        order: &Order,
        qty: Option<&Bound<'_, PyAny>>,
        price: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<()> {
        let link = self.link()?;
        let Some(row) = link.desk()?.orders.get(order.id) else {
            return Err(errors::strategy_error("an order of another run cannot be amended here"));
        };
        let instrument = &link.instruments[row.spec.instrument as usize];
        let new_qty = match qty {
            Some(qty) => scaled(qty, instrument, Meaning::Qty)?,
            None => row.spec.qty,
        };
        let new_price = match price {
            Some(price) => scaled(price, instrument, Meaning::Price)?,
            None => row.spec.price,
        };
        link.port()?.amend(order.id, new_qty, new_price);
        Ok(())
    }

    /// position(symbol: str) -> float
    ///
    /// float: The strategy's own signed position in an instrument.
    fn position(&self, symbol: &Bound<'_, PyAny>) -> PyResult<f64> {
        let wiring = self.wiring()?;
        let row = wiring.link.row(symbol)?;
        let held = wiring.link.port()?.position(row);
        Ok(small_to_f64(held, wiring.link.faces[row as usize].qty_scale))
    }

    /// get_position(symbol: str, position_side: str | None = None) -> Position
    ///
    /// Position: The strategy's own position in an instrument, with its exact figures; of one leg,
    /// "long" or "short", in hedge mode.
    #[pyo3(signature = (symbol, position_side=None))]
    fn get_position(
        &self,
        py: Python<'_>,
        symbol: &Bound<'_, PyAny>,
        position_side: Option<&str>,
    ) -> PyResult<Py<Position>> {
        let link = self.link()?;
        let row = link.row(symbol)?;
        let port = link.port()?;
        let (leg, _) = leg_of(port, row, position_side, "get_position")?;
        let (account, strategy) = (port.account_of(row), port.strategy());
        port.desk_mut().value(row).map_err(|error| errors::strategy_error(&error.to_string()))?;
        let position = Position::read(port.desk(), account, strategy, row, leg);
        Py::new(py, position)
    }

    /// get_account(symbol: str | None = None) -> Account
    ///
    /// Account: Balances and equity of the account that the strategy trades on; of the account of
    /// `symbol` where it trades several markets.
    #[pyo3(signature = (symbol=None))]
    fn get_account(
        &self,
        py: Python<'_>,
        symbol: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Py<Account>> {
        let link = self.link()?;
        let row = symbol.map(|symbol| link.row(symbol)).transpose()?;
        let port = link.port()?;
        let account = row.map_or_else(|| port.account(), |row| port.account_of(row));
        for row in 0..link.instruments.len() as u32 {
            port.desk_mut()
                .value(row)
                .map_err(|error| errors::strategy_error(&error.to_string()))?;
        }
        let account = Account::read(port.desk(), account);
        Py::new(py, account)
    }

    /// open_orders(symbol: str | None = None) -> list[Order]
    ///
    /// list[Order]: The strategy's open orders, oldest first, of one symbol or of all.
    #[pyo3(signature = (symbol=None))]
    fn open_orders(&self, symbol: Option<&Bound<'_, PyAny>>) -> PyResult<Vec<Order>> {
        let link = self.link()?;
        let row = symbol.map(|symbol| link.row(symbol)).transpose()?;
        let ids: Vec<u64> = link.port()?.own_open(row).collect();
        Ok(ids.into_iter().map(|id| Order::new(id, link)).collect())
    }

    /// book(symbol: str) -> Book
    ///
    /// Book: The live view of an instrument's market; keep it and read it at any time.
    fn book(&self, py: Python<'_>, symbol: &Bound<'_, PyAny>) -> PyResult<Py<Book>> {
        let link = self.link()?;
        let row = link.row(symbol)?;
        Py::new(py, Book::new(row, Arc::clone(link)))
    }

    /// round_price(symbol: str, price: float, towards: str = "nearest") -> float
    ///
    /// float: The nearest price on the instrument's grid; `towards` "down" or "up" chooses a side.
    #[pyo3(signature = (symbol, price, towards="nearest"))]
    fn round_price(&self, symbol: &Bound<'_, PyAny>, price: f64, towards: &str) -> PyResult<f64> {
        let link = self.link()?;
        let instrument = &link.instruments[link.row(symbol)? as usize];
        rounded(price, instrument.price_scale, instrument.tick, towards)
    }

    /// round_qty(symbol: str, qty: float, towards: str = "down") -> float
    ///
    /// float: The quantity on the instrument's grid, by default the next one down.
    #[pyo3(signature = (symbol, qty, towards="down"))]
    fn round_qty(&self, symbol: &Bound<'_, PyAny>, qty: f64, towards: &str) -> PyResult<f64> {
        let link = self.link()?;
        let instrument = &link.instruments[link.row(symbol)? as usize];
        rounded(qty, instrument.qty_scale, instrument.lot, towards)
    }

    /// _feed(indicator: Indicator, symbol: str, interval_ns: int) -> None
    ///
    /// Feeds an indicator with the bars of an instrument; `on_bar` waits until it is ready.
    fn _feed(
        &self,
        indicator: Py<Indicator>,
        symbol: &Bound<'_, PyAny>,
        interval_ns: i64,
    ) -> PyResult<()> {
        let wiring = self.wiring()?;
        let instrument = wiring.link.row(symbol)?;
        wiring.warm.set(false);
        let last_ns = Cell::new(i64::MIN);
        wiring.fed.borrow_mut().push(Fed { instrument, interval_ns, indicator, last_ns });
        Ok(())
    }

    /// _listen(symbol: str, kind: str, interval_ns: int, on: bool) -> None
    ///
    /// Starts or stops a subscription while the run goes on.
    fn _listen(
        &self,
        symbol: &Bound<'_, PyAny>,
        kind: &str,
        interval_ns: i64,
        on: bool,
    ) -> PyResult<()> {
        let link = self.link()?;
        let row = link.row(symbol)?;
        link.port()?.listen(row, wants_of(kind)?, interval_ns, on);
        Ok(())
    }

    /// _timer(target: Any, at_ns: int, every_ns: int) -> int
    ///
    /// Sets a timer: `target` is a name for `on_timer`, or a function to call without arguments.
    fn _timer(&self, target: &Bound<'_, PyAny>, at_ns: i64, every_ns: i64) -> PyResult<u32> {
        let wiring = self.wiring()?;
        let mut timers = wiring.timers.borrow_mut();
        let number = timers.len() as u32;
        timers.push((target.clone().unbind(), target.is_callable()));
        drop(timers);
        wiring.link.port()?.set_timer(number, at_ns, every_ns);
        Ok(number)
    }

    /// _stop_timer(number: int) -> None
    ///
    /// Forgets a timer.
    fn _stop_timer(&self, number: u32) -> PyResult<()> {
        self.link()?.port()?.stop_timer(number);
        Ok(())
    }
}

/// The classes of this module.
pub fn register(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_class::<StrategyBase>()
}
