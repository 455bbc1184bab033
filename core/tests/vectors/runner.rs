//! Feeds one vector's events to the accounts and compares after each.

use super::compare::{difference, state};
use super::tables::{number, position_side, side, small, text, Outcome, Tables};
use serde_json::{json, Map, Value};
use std::path::Path;
use veloz_core::account::{
    AccountError, Accounts, Fee, FeeRule, FillInput, OpenOrder, OrderHold, LEVERAGE_SCALE,
};
use veloz_core::instrument::Kind;
use veloz_core::order::PositionSide;
use veloz_core::units::{format_decimal, COST_SCALE, MARK_SCALE, RATE_SCALE};

pub enum Verdict {
    Passed,
    Failed(String),
    LeftOut(String),
}

/// An event either did something, was refused, or cannot be told to the accounts.
enum Stop {
    Refused(AccountError),
    Broken(String),
    Unknown(String),
}

impl From<AccountError> for Stop {
    fn from(error: AccountError) -> Stop {
        Stop::Refused(error)
    }
}

impl From<String> for Stop {
    fn from(why: String) -> Stop {
        Stop::Broken(why)
    }
}

struct Run {
    tables: Tables,
    accounts: Accounts,
    strategies: Vec<String>,
    orders: Vec<String>,
}

pub fn run_file(path: &Path) -> Verdict {
    let name = path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let vector: Value = match std::fs::read_to_string(path)
        .map_err(|e| e.to_string())
        .and_then(|text| serde_json::from_str(&text).map_err(|e| e.to_string()))
    {
        Ok(vector) => vector,
        Err(e) => return Verdict::Failed(format!("{name}: {e}")),
    };
    let id = vector["id"].as_str().unwrap_or(&name).to_owned();
    let mut run = match start(&vector) {
        Ok(run) => run,
        Err(why) => return Verdict::Failed(format!("{id}: {why}")),
    };
    let Some(steps) = vector["steps"].as_array().filter(|steps| !steps.is_empty()) else {
        return Verdict::Failed(format!("{id}: it has no steps"));
    };
    for step in steps {
        let seq = &step["seq"];
        match run.step(step) {
            Ok(None) => {}
            Ok(Some(found)) => return Verdict::Failed(format!("{id} seq {seq} {found}")),
            Err(Stop::Unknown(why)) => {
                return Verdict::LeftOut(format!("{id} seq {seq}: {why}"));
            }
            Err(Stop::Refused(why)) => return Verdict::Failed(format!("{id} seq {seq}: {why}")),
            Err(Stop::Broken(why)) => return Verdict::Failed(format!("{id} seq {seq}: {why}")),
        }
    }
    Verdict::Passed
}

fn start(vector: &Value) -> Outcome<Run> {
    let tables = Tables::of(vector)?;
    let accounts = tables.accounts(&vector["account"])?;
    // Ties go to the smallest id, so ids follow the names' order.
    let mut strategies: Vec<String> = Vec::new();
    for step in vector["steps"].as_array().into_iter().flatten() {
        for key in ["strategy", "buyer", "seller"] {
            strategies.extend(step["event"][key].as_str().map(str::to_owned));
        }
    }
    strategies.sort();
    strategies.dedup();
    Ok(Run { tables, accounts, strategies, orders: Vec::new() })
}

impl Run {
    /// The first difference after one step.
    fn step(&mut self, step: &Value) -> Result<Option<String>, Stop> {
        let event = &step["event"];
        let wanted = &step["result"];
        let before = format!("{:?}", self.accounts);
        let result = match self.apply(event) {
            Ok(result) => Value::Object(result),
            Err(Stop::Refused(why)) => {
                if format!("{:?}", self.accounts) != before {
                    return Ok(Some(format!("refused, yet something changed: {why}")));
                }
                if wanted.get("rejected").is_none() {
                    return Ok(Some(format!("refused: {why}")));
                }
                wanted.clone()
            }
            Err(other) => return Err(other),
        };
        if let Some(found) = difference(wanted, &result, "result") {
            return Ok(Some(found));
        }
        self.accounts.check_identity(0).map_err(|e| Stop::Broken(e.to_string()))?;
        let actual = state(&self.accounts, &self.tables, &self.strategies, &step["state"])?;
        Ok(difference(&step["state"], &actual, "state"))
    }

    fn strategy(&self, name: Option<&str>) -> u16 {
        let place = name.and_then(|name| self.strategies.iter().position(|s| s == name));
        place.map_or(0, |place| place as u16 + 1)
    }

    fn order(&mut self, name: Option<&str>) -> u64 {
        let Some(name) = name else { return 0 };
        let place = self.orders.iter().position(|s| s == name).unwrap_or_else(|| {
            self.orders.push(name.to_owned());
            self.orders.len() - 1
        });
        place as u64 + 1
    }

    fn apply(&mut self, event: &Value) -> Result<Map<String, Value>, Stop> {
        let mut result = Map::new();
        match text(event, "type")? {
            "deposit" | "withdraw" => self.cash(event)?,
            "fill" => return self.fill(event),
            "mark" => {
                let id = self.tables.instrument_id(text(event, "instrument")?)?;
                self.accounts.mark(id, small(text(event, "price")?, MARK_SCALE)?)?;
            }
            "rate" => {
                let id = self.tables.asset(text(event, "asset")?)?;
                let reporting = self.accounts.reporting_asset(0)?.unwrap_or(id);
                self.accounts.rate(id, reporting, small(text(event, "price")?, MARK_SCALE)?)?;
            }
            "funding" => {
                let id = self.tables.instrument_id(text(event, "instrument")?)?;
                let rate = small(text(event, "rate")?, RATE_SCALE)?;
                let mark = small(text(event, "mark")?, MARK_SCALE)?;
                let paid = self.accounts.funding(0, id, rate, mark)?;
                result.insert("funding".into(), self.settled(id, paid));
            }
            "order_open" => return self.order_open(event),
            "order_close" => {
                let id = self.order(event["order_id"].as_str());
                self.accounts.order_close(0, id)?;
            }
            "transfer_margin" => {
                let (id, side) = self.tables.position_key(text(event, "position")?)?;
                let scale = self.settle_scale(id);
                let amount = number(text(event, "amount")?, scale)?;
                self.accounts.transfer_margin(0, id, side, amount)?;
            }
            "leverage" => {
                let id = self.tables.instrument_id(text(event, "instrument")?)?;
                let leverage = small(text(event, "leverage")?, LEVERAGE_SCALE)?;
                self.accounts.leverage(0, id, leverage)?;
            }
            "liquidation" => return self.liquidation(event),
            "settle" => return self.settle(event),
            "borrow" | "repay" | "interest" => return self.loan(event),
            "convert" => return self.convert(event),
            "internal_cross" => {
                let id = self.tables.instrument_id(text(event, "instrument")?)?;
                let spec = self.tables.spec(id);
                let qty = small(text(event, "qty")?, spec.qty_scale)?;
                let price = small(text(event, "price")?, spec.price_scale)?;
                let leg = position_side(event["position_side"].as_str())?;
                let owners = (
                    self.strategy(event["buyer"].as_str()),
                    self.strategy(event["seller"].as_str()),
                );
                self.accounts.internal_cross(0, (id, leg), owners, qty, price)?;
            }
            other => return Err(Stop::Unknown(format!("the accounts know no event '{other}'"))),
        }
        Ok(result)
    }

    fn settle_scale(&self, instrument: u32) -> u8 {
        let settle = self.tables.spec(instrument).settle;
        self.tables.asset_rows[usize::from(settle)].scale
    }

    fn settled(&self, instrument: u32, amount: i128) -> Value {
        json!(format_decimal(amount, self.settle_scale(instrument)))
    }

    fn cash(&mut self, event: &Value) -> Result<(), Stop> {
        let id = self.tables.asset(text(event, "asset")?)?;
        let scale = self.tables.asset_rows[usize::from(id)].scale;
        let amount = number(text(event, "amount")?, scale)?;
        if let Some(name) = event["instrument"].as_str() {
            let instrument = self.tables.instrument_id(name)?;
            let cost = small(text(event, "unit_cost")?, MARK_SCALE)?;
            self.accounts.deposit_at_cost(0, instrument, amount, cost)?;
        } else if event["type"] == "deposit" {
            self.accounts.deposit(0, id, amount)?;
        } else {
            self.accounts.withdraw(0, id, amount)?;
        }
        Ok(())
    }

    fn fill(&mut self, event: &Value) -> Result<Map<String, Value>, Stop> {
        let instrument = self.tables.instrument_id(text(event, "instrument")?)?;
        let strategy = self.strategy(event["strategy"].as_str());
        let order = self.order(event["order_id"].as_str());
        let spec = self.tables.spec(instrument).clone();
        let asked = small(text(event, "qty")?, spec.qty_scale)?;
        let mut fill = FillInput {
            account: 0,
            strategy,
            instrument,
            position_side: position_side(event["position_side"].as_str())?,
            side: side(text(event, "side")?)?,
            qty: asked,
            price: small(text(event, "price")?, spec.price_scale)?,
            fee: 0,
            fee_asset: spec.settle,
            reduce_only: event["reduce_only"] == true,
            order,
            realised: None,
        };
        let mut executed = asked;
        if fill.reduce_only {
            let leg = fill.position_side;
            executed = self.accounts.reducible(0, instrument, leg, fill.side, asked)?;
        }
        let fee = self.fee(&event["fee"], &fill, executed)?;
        if let Some(fee) = fee {
            (fill.fee, fill.fee_asset) = (fee.amount, fee.asset);
        }
        let outcome = self.accounts.fill(&fill)?;
        let mut result = Map::new();
        let qty = |v: i64| json!(format_decimal(i128::from(v), spec.qty_scale));
        result.insert("qty".into(), qty(outcome.qty));
        result.insert("realised".into(), json!(format_decimal(outcome.realised, COST_SCALE)));
        if spec.kind == Kind::Spot {
            let amount = self.settled(instrument, outcome.quote_amount);
            result.insert("quote_amount".into(), amount);
        } else {
            result.insert("closed".into(), qty(outcome.closed));
            result.insert("opened".into(), qty(outcome.opened));
        }
        if fee.is_some() {
            let asset = &self.tables.asset_rows[usize::from(fill.fee_asset)];
            result.insert("fee".into(), json!(format_decimal(fill.fee, asset.scale)));
            result.insert("fee_asset".into(), json!(asset.name));
        }
        Ok(result)
    }

    fn fee(&self, spec: &Value, fill: &FillInput, qty: i64) -> Result<Option<Fee>, Stop> {
        if spec.is_null() {
            return Ok(None);
        }
        let asset = match spec["asset"].as_str() {
            Some(name) => Some(self.tables.asset(name)?),
            None => None,
        };
        if let (Some(asset), Some(amount)) = (asset, spec["amount"].as_str()) {
            let scale = self.tables.asset_rows[usize::from(asset)].scale;
            return Ok(Some(Fee { asset, amount: number(amount, scale)? }));
        }
        let rate = small(text(spec, "rate")?, RATE_SCALE)?;
        let rule = match (asset, spec["discount"].as_str()) {
            (Some(asset), Some(discount)) => FeeRule::Discount {
                rate,
                discount: small(discount, RATE_SCALE)?,
                asset,
                asset_price: small(text(spec, "asset_price")?, MARK_SCALE)?,
            },
            (Some(_), None) => FeeRule::Received { rate },
            (None, _) => FeeRule::Settle { rate },
        };
        let fee = self.accounts.fee(0, fill.instrument, fill.side, qty, fill.price, rule)?;
        if asset.is_some_and(|wanted| wanted != fee.asset) {
            return Err(Stop::Unknown("a fee in a coin that is not received".into()));
        }
        Ok(Some(fee))
    }

    fn order_open(&mut self, event: &Value) -> Result<Map<String, Value>, Stop> {
        let instrument = self.tables.instrument_id(text(event, "instrument")?)?;
        let id = self.order(event["order_id"].as_str());
        let spec = self.tables.spec(instrument);
        let order = OpenOrder {
            id,
            instrument,
            position_side: position_side(event["position_side"].as_str())?,
            side: side(text(event, "side")?)?,
            qty: small(text(event, "qty")?, spec.qty_scale)?,
            price: small(text(event, "price")?, spec.price_scale)?,
            reduce_only: event["reduce_only"] == true,
        };
        let mut result = Map::new();
        match self.accounts.order_open(0, &order)? {
            OrderHold::Locked { asset, amount } => {
                let scale = self.tables.asset_rows[usize::from(asset)].scale;
                result.insert("locked".into(), json!(format_decimal(amount, scale)));
            }
            OrderHold::Margin { initial_margin, open_loss } => {
                let cost = initial_margin + open_loss;
                let margin = self.settled(instrument, initial_margin);
                result.insert("order_initial_margin".into(), margin);
                result.insert("open_loss".into(), self.settled(instrument, open_loss));
                result.insert("order_cost".into(), self.settled(instrument, cost));
            }
            OrderHold::Nothing => {}
        }
        Ok(result)
    }

    fn liquidation(&mut self, event: &Value) -> Result<Map<String, Value>, Stop> {
        let instrument = self.tables.instrument_id(text(event, "instrument")?)?;
        let spec = self.tables.spec(instrument).clone();
        let leg: PositionSide = position_side(event["position_side"].as_str())?;
        let price = small(text(event, "price")?, spec.price_scale)?;
        let qty = match event["qty"].as_str() {
            Some(qty) => Some(small(qty, spec.qty_scale)?),
            None => None,
        };
        let forced = self.accounts.liquidation(0, instrument, leg, qty, price)?;
        let qty = json!(format_decimal(i128::from(forced.qty), spec.qty_scale));
        let mut result = Map::new();
        result.insert("qty".into(), qty.clone());
        result.insert("closed".into(), qty);
        result.insert("opened".into(), json!("0"));
        result.insert("realised".into(), json!(format_decimal(forced.realised, COST_SCALE)));
        result.insert("clearance".into(), self.settled(instrument, forced.clearance));
        result.insert("insurance".into(), self.settled(instrument, forced.insurance));
        Ok(result)
    }

    fn settle(&mut self, event: &Value) -> Result<Map<String, Value>, Stop> {
        let instrument = self.tables.instrument_id(text(event, "instrument")?)?;
        let spec = self.tables.spec(instrument).clone();
        let price = small(text(event, "price")?, MARK_SCALE)?;
        let rate = small(text(event, "fee_rate")?, RATE_SCALE)?;
        let done = self.accounts.settle(0, instrument, price, rate)?;
        let qty = json!(format_decimal(i128::from(done.qty), spec.qty_scale));
        let mut result = Map::new();
        result.insert("qty".into(), qty.clone());
        result.insert("closed".into(), qty);
        result.insert("opened".into(), json!("0"));
        result.insert("realised".into(), json!(format_decimal(done.realised, COST_SCALE)));
        result.insert("fee".into(), self.settled(instrument, done.fee));
        let settle = &self.tables.asset_rows[usize::from(spec.settle)];
        result.insert("fee_asset".into(), json!(settle.name));
        Ok(result)
    }

    fn loan(&mut self, event: &Value) -> Result<Map<String, Value>, Stop> {
        let id = self.tables.asset(text(event, "asset")?)?;
        let scale = self.tables.asset_rows[usize::from(id)].scale;
        let mut result = Map::new();
        if event["type"] == "interest" {
            let principal = number(text(event, "principal")?, scale)?;
            let rate = small(text(event, "hourly_rate")?, RATE_SCALE)?;
            let hours = event["hours"].as_u64().ok_or("no hours".to_owned())? as u32;
            let charged = self.accounts.interest(0, id, principal, rate, hours)?;
            result.insert("interest".into(), json!(format_decimal(charged, scale)));
            return Ok(result);
        }
        let amount = number(text(event, "amount")?, scale)?;
        if event["type"] == "borrow" {
            self.accounts.borrow(0, id, amount)?;
        } else {
            self.accounts.repay(0, id, amount)?;
        }
        Ok(result)
    }

    fn convert(&mut self, event: &Value) -> Result<Map<String, Value>, Stop> {
        let from = self.tables.asset(text(event, "from")?)?;
        let to = self.tables.asset(text(event, "to")?)?;
        let scale = |id: u16| self.tables.asset_rows[usize::from(id)].scale;
        let amount = number(text(event, "amount")?, scale(from))?;
        let price = small(text(event, "price")?, MARK_SCALE)?;
        let rate = small(text(event, "fee_rate")?, RATE_SCALE)?;
        let to_scale = scale(to);
        let done = self.accounts.convert(0, from, to, amount, price, rate)?;
        let mut result = Map::new();
        result.insert("received".into(), json!(format_decimal(done.received, to_scale)));
        result.insert("fee".into(), json!(format_decimal(done.fee, to_scale)));
        result.insert("fee_asset".into(), event["to"].clone());
        Ok(result)
    }
}
