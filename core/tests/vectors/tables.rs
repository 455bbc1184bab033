//! The tables of a vector: assets, instruments, names.

use serde_json::Value;
use std::collections::BTreeMap;
use veloz_core::account::{Accounts, LEVERAGE_SCALE};
use veloz_core::instrument::{Asset, Filters, Instrument, Kind, Origin, Status, Tier};
use veloz_core::order::{PositionSide, Side};
use veloz_core::units::{parse_decimal, COST_SCALE, RATE_SCALE};

/// Why a vector cannot be run at all, or where it differs.
pub type Outcome<T> = Result<T, String>;

pub struct Tables {
    pub asset_rows: Vec<Asset>,
    pub instrument_rows: Vec<Instrument>,
    pub assets: BTreeMap<String, u16>,
    pub instruments: BTreeMap<String, u32>,
    pub hedge: bool,
}

pub fn text<'a>(value: &'a Value, key: &str) -> Outcome<&'a str> {
    value[key].as_str().ok_or_else(|| format!("no text '{key}' in {value}"))
}

pub fn number(text: &str, scale: u8) -> Outcome<i128> {
    parse_decimal(text, scale).map_err(|e| format!("{text} at {scale} decimals: {e:?}"))
}

pub fn small(text: &str, scale: u8) -> Outcome<i64> {
    i64::try_from(number(text, scale)?).map_err(|_| format!("{text} does not fit 64 bits"))
}

impl Tables {
    pub fn of(vector: &Value) -> Outcome<Tables> {
        let mut tables = Tables {
            asset_rows: Vec::new(),
            instrument_rows: Vec::new(),
            assets: BTreeMap::new(),
            instruments: BTreeMap::new(),
            hedge: vector["account"]["position_mode"] == "hedge",
        };
        for (name, asset) in vector["assets"].as_object().ok_or("no assets")? {
            let scale = asset["scale"].as_u64().ok_or("no scale")? as u8;
            tables.add_asset(name, scale);
        }
        for (name, spec) in vector["instruments"].as_object().ok_or("no instruments")? {
            let row = tables.instrument(name, spec)?;
            tables.instruments.insert(name.clone(), tables.instrument_rows.len() as u32);
            tables.instrument_rows.push(row);
        }
        Ok(tables)
    }

    fn add_asset(&mut self, name: &str, scale: u8) -> u16 {
        let id = self.asset_rows.len() as u16;
        self.asset_rows.push(Asset { name: name.to_owned(), scale });
        self.assets.insert(name.to_owned(), id);
        id
    }

    /// The row of an asset; coins that only name a contract (`USD`) are added when first met.
    fn row_of(&mut self, name: &str) -> u16 {
        match self.assets.get(name) {
            Some(&id) => id,
            None => self.add_asset(name, 8),
        }
    }

    fn instrument(&mut self, name: &str, spec: &Value) -> Outcome<Instrument> {
        let kind = match text(spec, "kind")? {
            "spot" => Kind::Spot,
            "linear" => Kind::Linear,
            "inverse" => Kind::Inverse,
            other => return Err(format!("unknown kind {other}")),
        };
        let size = match kind {
            Kind::Spot => "1",
            Kind::Linear => text(spec, "multiplier")?,
            Kind::Inverse => text(spec, "face")?,
        };
        let multiplier_scale = size.split_once('.').map_or(0, |(_, d)| d.len() as u8);
        let quote = self.row_of(text(spec, "quote")?);
        let settle = match kind {
            Kind::Spot => quote,
            Kind::Linear | Kind::Inverse => self.row_of(text(spec, "settle")?),
        };
        let liquidation_fee = match spec["liquidation_fee_rate"].as_str() {
            Some(rate) => small(rate, RATE_SCALE)?,
            None => 0,
        };
        let tiers = spec["tiers"]
            .as_array()
            .map_or(Ok(Vec::new()), |rows| rows.iter().map(tier).collect::<Outcome<Vec<Tier>>>())?;
        Ok(Instrument {
            symbol: name.to_owned(),
            venue_symbol: name.to_owned(),
            kind,
            base: self.row_of(text(spec, "base")?),
            quote,
            settle,
            price_scale: spec["price_scale"].as_u64().ok_or("no price_scale")? as u8,
            qty_scale: spec["qty_scale"].as_u64().ok_or("no qty_scale")? as u8,
            tick: 1,
            lot: 1,
            multiplier: small(size, multiplier_scale)?,
            multiplier_scale,
            maker_fee: 0,
            taker_fee: 0,
            liquidation_fee,
            filters: Filters::default(),
            tiers,
            expiry_ns: None,
            valid_from_ns: 0,
            status: Status::Trading,
            origin: Origin::File,
        })
    }

    /// Accounts with the vector's one account, its modes and leverages.
    pub fn accounts(&self, account: &Value) -> Outcome<Accounts> {
        let say = |e: veloz_core::account::AccountError| e.to_string();
        let mut accounts = Accounts::new(&self.asset_rows, &self.instrument_rows).map_err(say)?;
        let reporting = match account["reporting"].as_str() {
            Some(name) => Some(self.asset(name)?),
            None => None,
        };
        accounts.add_account(self.hedge, reporting).map_err(say)?;
        for (name, leverage) in account["leverage"].as_object().into_iter().flatten() {
            let leverage = leverage.as_str().ok_or("leverage is not text")?;
            let leverage = small(leverage, LEVERAGE_SCALE)?;
            accounts.leverage(0, self.instrument_id(name)?, leverage).map_err(say)?;
        }
        for (name, mode) in account["margin_mode"].as_object().into_iter().flatten() {
            let id = self.instrument_id(name)?;
            if self.spec(id).kind != Kind::Spot {
                accounts.margin_mode(0, id, mode == "isolated").map_err(say)?;
            }
        }
        Ok(accounts)
    }

    pub fn asset(&self, name: &str) -> Outcome<u16> {
        self.assets.get(name).copied().ok_or_else(|| format!("unknown asset {name}"))
    }

    pub fn instrument_id(&self, name: &str) -> Outcome<u32> {
        self.instruments.get(name).copied().ok_or_else(|| format!("unknown instrument {name}"))
    }

    pub fn spec(&self, id: u32) -> &Instrument {
        &self.instrument_rows[id as usize]
    }

    /// `NAME:SIDE`, or `NAME` for spot.
    pub fn position_key(&self, key: &str) -> Outcome<(u32, PositionSide)> {
        match key.rsplit_once(':') {
            Some((name, side)) if self.instruments.contains_key(name) => {
                Ok((self.instrument_id(name)?, position_side(Some(side))?))
            }
            _ => Ok((self.instrument_id(key)?, PositionSide::Both)),
        }
    }
}

pub fn position_side(text: Option<&str>) -> Outcome<PositionSide> {
    match text {
        None | Some("BOTH") => Ok(PositionSide::Both),
        Some("LONG") => Ok(PositionSide::Long),
        Some("SHORT") => Ok(PositionSide::Short),
        Some(other) => Err(format!("unknown position side {other}")),
    }
}

pub fn side(text: &str) -> Outcome<Side> {
    match text {
        "buy" => Ok(Side::Buy),
        "sell" => Ok(Side::Sell),
        other => Err(format!("unknown side {other}")),
    }
}

fn tier(row: &Value) -> Outcome<Tier> {
    Ok(Tier {
        floor: number(text(row, "floor")?, COST_SCALE)?,
        cap: match row["cap"].as_str() {
            Some(cap) => Some(number(cap, COST_SCALE)?),
            None => None,
        },
        rate: small(text(row, "rate")?, RATE_SCALE)?,
        amount: number(text(row, "amount")?, COST_SCALE)?,
        max_leverage: 0,
    })
}
