//! Decoded inputs from Python's words and exact figures: for venues that decode in Python, and for
//! what is cold.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use veloz_core::desk::{CashKind, Desk, Input, Origin, ANY_ACCOUNT, ANY_INSTRUMENT, ANY_STRATEGY};
use veloz_core::facts;
use veloz_core::order::{Expiry, FillFact, PositionSide, Reject, Report, ReportKind, Side};
use veloz_core::order_state::{Asked, Found, FoundStatus};

use crate::numbers::parse;
use crate::settings::{get, get_or};
use crate::words::{choice, POSITION_SIDES, TYPES};

const REQUESTS: [(&str, Asked); 3] =
    [("place", Asked::Place), ("amend", Asked::Amend), ("cancel", Asked::Cancel)];
const STATUSES: [(&str, FoundStatus); 5] = [
    ("open", FoundStatus::Open),
    ("filled", FoundStatus::Filled),
    ("canceled", FoundStatus::Canceled),
    ("expired", FoundStatus::Expired),
    ("rejected", FoundStatus::Rejected),
];
const ORIGINS: [(&str, Origin); 4] = [
    ("hand", Origin::Hand),
    ("liquidation", Origin::Liquidation),
    ("deleveraging", Origin::Deleveraging),
    ("settlement", Origin::Settlement),
];
const CASH: [(&str, CashKind); 9] = [
    ("funding", CashKind::Funding),
    ("transfer", CashKind::Transfer),
    ("fee", CashKind::Fee),
    ("interest", CashKind::Interest),
    ("insurance", CashKind::Insurance),
    ("rebate", CashKind::Rebate),
    ("gift", CashKind::Gift),
    ("conversion", CashKind::Conversion),
    ("clearance", CashKind::Clearance),
];

/// The fields of one input, read by name.
struct Fields<'a, 'py> {
    desk: &'a Desk,
    given: &'a Bound<'py, PyDict>,
}

impl Fields<'_, '_> {
    fn word<T: Copy>(&self, key: &str, table: &[(&str, T)]) -> PyResult<T> {
        choice(key, &get::<String>(self.given, key)?, table)
    }

    fn text(&self, key: &str) -> PyResult<Box<str>> {
        Ok(get_or::<String>(self.given, key, String::new())?.into())
    }

    fn row(&self) -> PyResult<u32> {
        let symbol: String = get(self.given, "symbol")?;
        row_of(self.desk, &symbol)
    }

    fn asset(&self, key: &str) -> PyResult<u16> {
        let name: String = get(self.given, key)?;
        let row = self.desk.assets.iter().position(|asset| asset.name == name);
        row.map(|row| row as u16)
            .ok_or_else(|| PyValueError::new_err(format!("the engine has no asset {name:?}")))
    }

    fn order(&self) -> PyResult<u64> {
        get(self.given, "order")
    }

    /// The row of the instrument that an input is about: its order's, else its symbol's.
    fn row_of_order(&self) -> PyResult<u32> {
        match self.desk.orders.get(self.order()?) {
            Some(order) => Ok(order.spec.instrument),
            None => self.row(),
        }
    }

    fn figure(&self, key: &str, scale: u8) -> PyResult<i64> {
        match self.given.get_item(key)? {
            Some(value) if !value.is_none() => i64::try_from(parse(&value, scale)?)
                .map_err(|_| PyValueError::new_err(format!("{key} is too large"))),
            _ => Ok(0),
        }
    }

    fn amount(&self, key: &str, asset: u16) -> PyResult<i128> {
        match self.given.get_item(key)? {
            Some(value) if !value.is_none() => {
                parse(&value, self.desk.assets[usize::from(asset)].scale)
            }
            _ => Ok(0),
        }
    }

    fn whole<T: for<'a, 'b> FromPyObject<'a, 'b, Error = PyErr>>(
        &self,
        key: &str,
        default: T,
    ) -> PyResult<T> {
        get_or(self.given, key, default)
    }

    fn qty(&self, key: &str, row: u32) -> PyResult<i64> {
        self.figure(key, self.desk.instruments[row as usize].qty_scale)
    }

    fn price(&self, key: &str, row: u32) -> PyResult<i64> {
        self.figure(key, self.desk.instruments[row as usize].price_scale)
    }

    fn leg(&self) -> PyResult<PositionSide> {
        let word: String = self.whole("position_side", "both".to_owned())?;
        choice("position_side", &word, &POSITION_SIDES)
    }

    fn fill(&self, row: u32) -> PyResult<FillFact> {
        let instrument = &self.desk.instruments[row as usize];
        let fee_asset = match self.given.get_item("fee_asset")? {
            Some(name) if !name.is_none() => self.asset("fee_asset")?,
            _ => instrument.settle,
        };
        Ok(FillFact {
            trade_id: get(self.given, "trade_id")?,
            qty: self.qty("qty", row)?,
            price: self.price("price", row)?,
            is_maker: self.whole("is_maker", false)?,
            fee: self.amount("fee", fee_asset)?,
            fee_asset,
            realised: match self.given.get_item("realised")? {
                Some(value) if !value.is_none() => {
                    Some(self.amount("realised", instrument.settle)?)
                }
                _ => None,
            },
        })
    }
}

/// The row of one of the engine's symbols.
pub fn row_of(desk: &Desk, symbol: &str) -> PyResult<u32> {
    let row = desk.instruments.iter().position(|i| i.symbol == symbol);
    row.map(|row| row as u32)
        .ok_or_else(|| PyValueError::new_err(format!("the engine has no instrument {symbol:?}")))
}

/// The input of a kind with these fields.
pub fn input_of(desk: &Desk, kind: &str, given: &Bound<'_, PyDict>) -> PyResult<Input> {
    let f = Fields { desk, given };
    let ts_exchange: i64 = f.whole("ts_exchange", 0)?;
    if let Some(kind) = report_of(&f, kind)? {
        let report = Report { order: f.order()?, ts_exchange, kind };
        let text = f.text("text")?;
        let is_refusal = matches!(
            report.kind,
            ReportKind::Rejected { .. }
                | ReportKind::AmendRejected { .. }
                | ReportKind::CancelRejected { .. }
        );
        let words = if is_refusal { Some((f.whole("code", 0)?, text)) } else { None };
        return Ok(Input::Report { report, words });
    }
    Ok(match kind {
        "doubt" => {
            let asked = f.word("request", &REQUESTS)?;
            Input::Doubt { order: f.order()?, asked, reason: f.text("reason")? }
        }
        "never_left" => {
            let asked = f.word("request", &REQUESTS)?;
            Input::NeverLeft { order: f.order()?, asked, reason: f.text("reason")? }
        }
        "absent" => {
            let (asked, evidence) = (f.word("request", &REQUESTS)?, f.text("evidence")?);
            Input::Absent { order: f.order()?, asked, ts_exchange, evidence }
        }
        "found" => {
            let row = f.row_of_order()?;
            Input::Found(Found {
                order: f.order()?,
                ts_exchange,
                ts_created: f.whole("ts_created", 0)?,
                status: f.word("status", &STATUSES)?,
                reason: f.whole("reason", 0)?,
                filled_qty: f.qty("filled_qty", row)?,
                avg_price: f.price("avg_price", row)?,
                qty: f.qty("qty", row)?,
                price: f.price("price", row)?,
                venue_order_id: f.whole("venue_order_id", 0)?,
            })
        }
        "cumulative" => {
            let filled_qty = f.qty("filled_qty", f.row_of_order()?)?;
            Input::Cumulative { order: f.order()?, ts_exchange, filled_qty }
        }
        "name" => Input::Name { order: f.order()?, venue_order_id: get(given, "venue_order_id")? },
        _ => return outside_of(&f, kind, ts_exchange),
    })
}

/// A report on one of our orders, if the kind is one.
fn report_of(f: &Fields<'_, '_>, kind: &str) -> PyResult<Option<ReportKind>> {
    let reject = || f.whole("reason", Reject::BadRequest as u8).map(Reject::of);
    Ok(Some(match kind {
        "accepted" => ReportKind::Accepted { qty: f.qty("qty", f.row_of_order()?)? },
        "fill" => ReportKind::Filled(f.fill(f.row_of_order()?)?),
        "triggered" => ReportKind::Triggered,
        "canceled" => {
            ReportKind::Canceled { left: f.qty("left", f.row_of_order()?)?, by_oco: false }
        }
        "expired" => {
            let reason = Expiry::of(f.whole("reason", Expiry::NoLiquidity as u8)?);
            let left = f.qty("left", f.row_of_order()?)?;
            ReportKind::Expired { reason, left, prevented: 0 }
        }
        "amended" => {
            let row = f.row_of_order()?;
            let (qty, price) = (f.qty("qty", row)?, f.price("price", row)?);
            ReportKind::Amended { qty, price, queue_kept: false }
        }
        "rejected" => ReportKind::Rejected { reason: reject()? },
        "amend_rejected" => ReportKind::AmendRejected { reason: reject()? },
        "cancel_rejected" => ReportKind::CancelRejected { reason: reject()? },
        _ => return Ok(None),
    }))
}

/// Inputs that are about no order of ours.
fn outside_of(f: &Fields<'_, '_>, kind: &str, ts_exchange: i64) -> PyResult<Input> {
    let account: u16 = f.whole("account", 0)?;
    Ok(match kind {
        "external" => {
            let row = f.row()?;
            let side: String = get(f.given, "side")?;
            let fact = facts::ExternalOrder {
                account,
                instrument: row,
                venue_order_id: f.whole("venue_order_id", 0)?,
                ts_exchange,
                origin: f.word("origin", &ORIGINS)? as u8,
                side: if side == "buy" { Side::Buy as i8 } else { Side::Sell as i8 },
                kind: f.word("type", &TYPES)? as u8,
                position_side: f.leg()? as u8,
                qty: f.qty("qty", row)?,
                price: f.price("price", row)?,
                trigger_price: f.price("trigger_price", row)?,
                ..facts::ExternalOrder::default()
            };
            Input::External { fact, client_id: f.text("client_id")? }
        }
        "parked_fill" => {
            let row = f.row()?;
            let kind = ReportKind::Filled(f.fill(row)?);
            let number = f.whole("venue_order_id", 0)?;
            let report = Report { order: 0, ts_exchange, kind };
            let report = facts::ParkedReport::of(account, row, number, &report);
            Input::Park { report, client_id: f.text("client_id")? }
        }
        "cash" => {
            let asset = f.asset("asset")?;
            let instrument = match f.given.get_item("symbol")? {
                Some(symbol) if !symbol.is_none() => f.row()?,
                _ => u32::MAX,
            };
            Input::Cash(facts::CashMoved {
                account,
                asset,
                kind: f.word("why", &CASH)? as u8,
                instrument,
                amount: f.amount("amount", asset)?,
                ts_exchange,
                entry_id: f.whole("entry_id", 0)?,
            })
        }
        "balance" => {
            let asset = f.asset("asset")?;
            let wallet = f.amount("wallet", asset)?;
            Input::Balance(facts::BalanceStated { account, asset, wallet, ts_exchange })
        }
        "position" => {
            let row = f.row()?;
            Input::Position(facts::PositionStated {
                account,
                instrument: row,
                position_side: f.leg()? as u8,
                qty: f.qty("qty", row)?,
                ts_exchange,
            })
        }
        "freeze" | "unfreeze" => {
            let instrument = match f.given.get_item("symbol")? {
                Some(symbol) if !symbol.is_none() => f.row()?,
                _ => ANY_INSTRUMENT,
            };
            let account = f.whole("account", ANY_ACCOUNT)?;
            let scope = (account, f.whole("strategy", ANY_STRATEGY)?, instrument);
            Input::Freeze { scope, on: kind == "freeze", reason: f.text("reason")? }
        }
        "setting" => Input::Setting(facts::AccountSetting {
            account,
            instrument: f.row()?,
            leverage: get(f.given, "leverage")?,
        }),
        other => {
            return Err(PyValueError::new_err(format!(
                "{other:?} is no kind of input; see LiveEngine.input"
            )))
        }
    })
}
