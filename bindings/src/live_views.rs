//! What a live engine holds, as plain values for its shell: exact text, no object of the engine.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};
use veloz_core::desk::{Desk, DifferenceKind, Recovery};
use veloz_core::instrument::Kind;
use veloz_core::order::{PositionSide, Side};
use veloz_core::units::format_decimal;
use veloz_venues::wire_id::WireId;

use crate::live::LiveEngine;
use crate::live_request::client_id;
use crate::numbers::decimal;
use crate::order::type_text;

const LEGS: [(PositionSide, &str); 3] =
    [(PositionSide::Both, "BOTH"), (PositionSide::Long, "LONG"), (PositionSide::Short, "SHORT")];

/// Bytes as hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The handle that a client id names, and which leg of the order, if it is one of ours.
pub fn order_of(desk: &Desk, client_id: &str) -> Option<(u64, u32)> {
    WireId::parse(client_id.as_bytes())?.leg(desk)
}

/// Client order id → (venue symbol, filled quantity), of the legs at work.
pub fn open_orders<'py>(
    py: Python<'py>,
    desk: &Desk,
    account: u16,
) -> PyResult<Bound<'py, PyDict>> {
    let open = PyDict::new(py);
    for &id in desk.orders.open() {
        let Some(order) = desk.orders.get(id).filter(|order| order.account == account) else {
            continue;
        };
        let instrument = &desk.instruments[order.spec.instrument as usize];
        let leg = order.current_leg();
        let filled = order.leg(leg).map_or(0, |leg| leg.filled_qty);
        let filled = decimal(py, i128::from(filled), instrument.qty_scale)?;
        open.set_item(client_id(desk, id, leg), (&instrument.venue_symbol, filled))?;
    }
    Ok(open)
}

/// (venue symbol, side) → signed quantity.
pub fn positions<'py>(py: Python<'py>, desk: &Desk, account: u16) -> PyResult<Bound<'py, PyDict>> {
    let held = PyDict::new(py);
    for (row, instrument) in desk.instruments.iter().enumerate() {
        if instrument.kind == veloz_core::instrument::Kind::Spot {
            continue;
        }
        for (leg, word) in LEGS {
            let qty = desk.accounts.account_position(account, row as u32, leg).qty;
            if qty != 0 {
                let qty = decimal(py, i128::from(qty), instrument.qty_scale)?;
                held.set_item((&instrument.venue_symbol, word), qty)?;
            }
        }
    }
    Ok(held)
}

/// Asset → what is held.
pub fn balances<'py>(py: Python<'py>, desk: &Desk, account: u16) -> PyResult<Bound<'py, PyDict>> {
    let held = PyDict::new(py);
    for (row, asset) in desk.assets.iter().enumerate() {
        let Ok(balance) = desk.accounts.balance(account, row as u16) else { continue };
        held.set_item(&asset.name, decimal(py, balance.wallet(), asset.scale)?)?;
    }
    Ok(held)
}

/// True if a fill is booked, or waits for its order.
pub fn knows_fill(desk: &Desk, account: u16, symbol: &str, trade_id: u64) -> bool {
    let named = |row: u32| desk.instruments[row as usize].venue_symbol == symbol;
    let waits = |(report, _): &veloz_core::desk::Parked| {
        (report.account, report.trade_id) == (account, trade_id) && named(report.instrument)
    };
    let rows = (0..desk.instruments.len() as u32).filter(|row| named(*row));
    rows.into_iter().any(|row| desk.orders.with_trade(account, row, trade_id).next().is_some())
        || desk.parked().iter().any(waits)
}

/// The contracts of a market, by row.
fn contracts(desk: &Desk, kind: Kind) -> impl Iterator<Item = (u32, &str)> {
    let rows = desk.instruments.iter().enumerate();
    rows.filter(move |(_, i)| i.kind == kind && kind != Kind::Spot)
        .map(|(row, i)| (row as u32, i.venue_symbol.as_str()))
}

/// Venue symbol → leverage.
pub fn leverage<'py>(
    py: Python<'py>,
    desk: &Desk,
    account: u16,
    kind: Kind,
) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (row, symbol) in contracts(desk, kind) {
        all.set_item(symbol, desk.leverage(account, row))?;
    }
    Ok(all)
}

/// Venue symbol → margin type.
pub fn margin_types<'py>(
    py: Python<'py>,
    desk: &Desk,
    account: u16,
    kind: Kind,
) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    for (row, symbol) in contracts(desk, kind) {
        let setting = desk.accounts.setting(account, row).unwrap_or_default();
        all.set_item(symbol, if setting.is_isolated { "isolated" } else { "cross" })?;
    }
    Ok(all)
}

/// What a recovery found.
pub fn recovery<'py>(
    py: Python<'py>,
    desk: &Desk,
    recovery: &Recovery,
) -> PyResult<Bound<'py, PyDict>> {
    let told = PyDict::new(py);
    told.set_item("sequence", recovery.sequence)?;
    told.set_item("market_sequence", recovery.market_sequence)?;
    told.set_item("batches", recovery.batches)?;
    told.set_item("epoch", desk.epoch())?;
    told.set_item("next_order", desk.orders.next_id())?;
    told.set_item("states", recovery.states.clone())?;
    let saved = recovery.saved.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>();
    told.set_item("saved", saved)?;
    told.set_item("notices", recovery.notices.len())?;
    told.set_item("now_ns", desk.now_ns)?;
    Ok(told)
}

/// A view by its name.
pub fn view<'py>(
    py: Python<'py>,
    engine: &LiveEngine,
    name: &str,
    account: u16,
) -> PyResult<Bound<'py, PyAny>> {
    let desk = engine.desk();
    Ok(match name {
        "orders" => orders(py, desk, account)?.into_any(),
        "positions" => by_strategy(py, desk, account, engine.live.engine.len())?.into_any(),
        "balances" => balances(py, desk, account)?.into_any(),
        "needs_query" => ids(py, desk, desk.needs_query())?.into_any(),
        "needs_trades" => ids(py, desk, desk.needs_trades())?.into_any(),
        "frozen" => {
            let rows = desk.frozen().map(|(scope, reason)| (scope, reason.to_owned()));
            PyList::new(py, rows.collect::<Vec<_>>())?.into_any()
        }
        "differences" => differences(py, desk)?.into_any(),
        "parked" => {
            let rows = desk.parked().iter().map(|(report, id)| {
                (report.account, report.instrument, report.venue_order_id, id.to_string())
            });
            PyList::new(py, rows.collect::<Vec<_>>())?.into_any()
        }
        "counts" => counts(py, desk)?.into_any(),
        "pending" => PyList::new(py, engine.pending().collect::<Vec<_>>())?.into_any(),
        other => {
            return Err(PyValueError::new_err(format!(
                "no view is named {other:?}; see LiveEngine.view"
            )))
        }
    })
}

fn ids<'py>(
    py: Python<'py>,
    desk: &Desk,
    orders: impl Iterator<Item = u64>,
) -> PyResult<Bound<'py, PyList>> {
    let leg = |id| desk.orders.get(id).map_or(0, |order| order.current_leg());
    PyList::new(py, orders.map(|id| (id, client_id(desk, id, leg(id)))).collect::<Vec<_>>())
}

fn orders<'py>(py: Python<'py>, desk: &Desk, account: u16) -> PyResult<Bound<'py, PyList>> {
    let rows = PyList::empty(py);
    for &id in desk.orders.open() {
        let Some(order) = desk.orders.get(id).filter(|order| order.account == account) else {
            continue;
        };
        let instrument = &desk.instruments[order.spec.instrument as usize];
        let row = PyDict::new(py);
        row.set_item("order", id)?;
        row.set_item("client_order_id", client_id(desk, id, order.current_leg()))?;
        let awaited = order.awaited_leg();
        row.set_item("leg", order.current_leg())?;
        row.set_item("awaited_leg", awaited)?;
        row.set_item("awaited_id", awaited.map(|leg| client_id(desk, id, leg)))?;
        row.set_item("venue_order_id", desk.venue_id(id))?;
        row.set_item("strategy", order.strategy)?;
        row.set_item("origin", desk.origin(id).map(|(origin, _)| origin.word()))?;
        row.set_item("symbol", &instrument.symbol)?;
        row.set_item("side", if order.spec.side == Side::Buy { "buy" } else { "sell" })?;
        row.set_item("type", type_text(order.spec.kind))?;
        row.set_item("status", order.status().text())?;
        row.set_item("qty", instrument.qty_text(order.spec.qty))?;
        row.set_item("price", instrument.price_text(order.spec.price))?;
        row.set_item("filled_qty", instrument.qty_text(order.filled_qty))?;
        row.set_item("worst_qty", instrument.qty_text(order.worst_case().0))?;
        row.set_item("is_disputed", order.disputed)?;
        rows.append(row)?;
    }
    Ok(rows)
}

/// (strategy, symbol, leg, quantity) of every position, external ones too.
fn by_strategy<'py>(
    py: Python<'py>,
    desk: &Desk,
    account: u16,
    strategies: usize,
) -> PyResult<Bound<'py, PyList>> {
    let rows = PyList::empty(py);
    for strategy in 0..=strategies as u16 {
        for (row, instrument) in desk.instruments.iter().enumerate() {
            for (leg, word) in LEGS {
                let qty = desk.accounts.position(account, strategy, row as u32, leg).qty;
                if qty != 0 {
                    let qty = instrument.qty_text(qty);
                    rows.append((strategy, &instrument.symbol, word, qty))?;
                }
            }
        }
    }
    Ok(rows)
}

fn differences<'py>(py: Python<'py>, desk: &Desk) -> PyResult<Bound<'py, PyList>> {
    let rows = PyList::empty(py);
    for difference in desk.differences() {
        let row = PyDict::new(py);
        let (kind, what, scale) = match difference.kind {
            DifferenceKind::Balance => {
                let asset = &desk.assets[difference.row as usize];
                ("balance", asset.name.clone(), asset.scale)
            }
            DifferenceKind::Position => {
                let instrument = &desk.instruments[difference.row as usize];
                ("position", instrument.symbol.clone(), instrument.qty_scale)
            }
        };
        row.set_item("account", difference.account)?;
        row.set_item("kind", kind)?;
        row.set_item("what", what)?;
        row.set_item("ours", format_decimal(difference.ours, scale))?;
        row.set_item("theirs", format_decimal(difference.theirs, scale))?;
        rows.append(row)?;
    }
    Ok(rows)
}

fn counts<'py>(py: Python<'py>, desk: &Desk) -> PyResult<Bound<'py, PyDict>> {
    let all = PyDict::new(py);
    let counts = &desk.counts;
    all.set_item("orders", counts.orders)?;
    all.set_item("refused", counts.refused)?;
    all.set_item("rejected", counts.rejected)?;
    all.set_item("fills", counts.fills)?;
    all.set_item("cancels", counts.cancels)?;
    all.set_item("market_sequence", desk.market_seq())?;
    Ok(all)
}
