//! `Position` and `Account`: exact figures at one moment, as frozen values.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};
use veloz_core::desk::Desk;
use veloz_core::order::PositionSide;
use veloz_core::units::{small_to_f64, COST_SCALE};

use crate::numbers::decimal;

/// A strategy's own position in one instrument at one moment.
#[pyclass(frozen, module = "veloz")]
pub struct Position {
    symbol: String,
    leg: PositionSide,
    qty: i64,
    qty_scale: u8,
    price_scale: u8,
    cost: i128,
    average: Option<i128>,
    unrealised: i128,
    realised: i128,
    fees: i128,
    funding: i128,
}

impl Position {
    /// Reads a strategy's position off the desk.
    pub fn read(desk: &Desk, account: u16, strategy: u16, row: u32, leg: PositionSide) -> Self {
        let instrument = &desk.instruments[row as usize];
        let position = desk.accounts.position(account, strategy, row, leg);
        Position {
            symbol: instrument.symbol.clone(),
            leg,
            qty: position.qty,
            qty_scale: instrument.qty_scale,
            price_scale: instrument.price_scale,
            cost: position.cost,
            average: desk.accounts.average_entry(&position).unwrap_or(None),
            unrealised: desk.accounts.unrealised(&position).unwrap_or(0),
            realised: position.realised,
            fees: position.fees,
            funding: position.funding,
        }
    }
}

#[pymethods]
impl Position {
    /// str: The instrument's symbol.
    #[getter]
    fn symbol(&self) -> &str {
        &self.symbol
    }

    /// str: Which leg it is: "both", or "long" / "short" in hedge mode.
    #[getter]
    fn position_side(&self) -> &'static str {
        match self.leg {
            PositionSide::Both => "both",
            PositionSide::Long => "long",
            PositionSide::Short => "short",
        }
    }

    /// float: Signed quantity: positive is long.
    #[getter]
    fn qty(&self) -> f64 {
        small_to_f64(self.qty, self.qty_scale)
    }

    /// Decimal: `qty`, exactly.
    #[getter]
    fn qty_exact(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, i128::from(self.qty), self.qty_scale)
    }

    /// str: "long", "short" or "flat".
    #[getter]
    fn side(&self) -> &'static str {
        match self.qty.signum() {
            1 => "long",
            -1 => "short",
            _ => "flat",
        }
    }

    /// bool: True if nothing is held.
    #[getter]
    fn is_flat(&self) -> bool {
        self.qty == 0
    }

    /// Decimal: Average entry price, six digits beyond the price's own; None when flat.
    #[getter]
    fn avg_price(&self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        self.average.map(|average| decimal(py, average, self.price_scale + 6)).transpose()
    }

    /// Decimal: Signed cost, in the settlement currency (spot: the quote).
    #[getter]
    fn cost(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, self.cost, COST_SCALE)
    }

    /// Decimal: Profit of what is held, at the mark.
    #[getter]
    fn unrealised(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, self.unrealised, COST_SCALE)
    }

    /// Decimal: Profit of what was closed, before fees.
    #[getter]
    fn realised(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, self.realised, COST_SCALE)
    }

    /// Decimal: Fees paid, net of rebates.
    #[getter]
    fn fees(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, self.fees, COST_SCALE)
    }

    /// Decimal: Funding received, net.
    #[getter]
    fn funding(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        decimal(py, self.funding, COST_SCALE)
    }

    fn __repr__(&self) -> String {
        format!("Position({} {} {})", self.side(), self.qty().abs(), self.symbol)
    }
}

/// One asset of an account.
struct Row {
    asset: String,
    scale: u8,
    wallet: i128,
    locked: i128,
    equity: i128,
}

/// The account that a strategy trades on, at one moment.
#[pyclass(frozen, module = "veloz")]
pub struct Account {
    rows: Vec<Row>,
}

impl Account {
    /// Reads an account off the desk.
    pub fn read(desk: &Desk, account: u16) -> Self {
        let rows = desk.assets.iter().enumerate().filter_map(|(row, asset)| {
            let balance = desk.accounts.balance(account, row as u16).ok()?;
            Some(Row {
                asset: asset.name.clone(),
                scale: asset.scale,
                wallet: balance.wallet(),
                locked: balance.locked,
                equity: desk.accounts.equity(account, row as u16).ok()?,
            })
        });
        Account { rows: rows.collect() }
    }

    fn row(&self, asset: &str) -> Option<&Row> {
        self.rows.iter().find(|row| row.asset == asset)
    }
}

#[pymethods]
impl Account {
    /// Decimal: What is held of an asset, locked amounts included; 0 for an unknown one.
    fn balance(&self, py: Python<'_>, asset: &str) -> PyResult<Py<PyAny>> {
        self.row(asset).map_or_else(|| decimal(py, 0, 0), |row| decimal(py, row.wallet, row.scale))
    }

    /// Decimal: What may be spent of an asset.
    fn free(&self, py: Python<'_>, asset: &str) -> PyResult<Py<PyAny>> {
        self.row(asset).map_or_else(
            || decimal(py, 0, 0),
            |row| decimal(py, row.wallet - row.locked, row.scale),
        )
    }

    /// Decimal: Balance and unrealised profit in an asset.
    fn equity(&self, py: Python<'_>, asset: &str) -> PyResult<Py<PyAny>> {
        self.row(asset).map_or_else(|| decimal(py, 0, 0), |row| decimal(py, row.equity, COST_SCALE))
    }

    /// dict[str, Decimal]: Balances that are not zero, by asset.
    #[getter]
    fn balances(&self, py: Python<'_>) -> PyResult<Py<PyDict>> {
        let all = PyDict::new(py);
        for row in self.rows.iter().filter(|row| row.wallet != 0) {
            all.set_item(PyString::new(py, &row.asset), decimal(py, row.wallet, row.scale)?)?;
        }
        Ok(all.unbind())
    }

    fn __repr__(&self) -> String {
        let parts: Vec<String> = self
            .rows
            .iter()
            .filter(|row| row.wallet != 0)
            .map(|row| {
                let amount = veloz_core::units::format_decimal(row.wallet, row.scale);
                format!("{amount} {}", row.asset)
            })
            .collect();
        format!("Account({})", parts.join(", "))
    }
}
