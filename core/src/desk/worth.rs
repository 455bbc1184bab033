//! What an account is worth now, in one currency.

use super::{Desk, DeskError};
use crate::instrument::{AssetId, InstrumentId, Kind};
use crate::units::{mul_div, pow10, Rounding, COST_SCALE};

/// What an account is worth, in one currency, at cost scale; `None` where a rate is missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worth {
    /// Balances less liabilities, and unrealised profit.
    pub equity: Option<i128>,
    /// Signed value of positions, coins of spot instruments included.
    pub net_exposure: Option<i128>,
    /// Absolute value of positions.
    pub gross_exposure: Option<i128>,
}

/// The part of an account's worth that prices do not change, while it holds one currency.
#[derive(Clone, Debug)]
pub(super) struct Settled {
    account: u16,
    asset: AssetId,
    /// Balance less liability, at cost scale.
    held: i128,
    /// Open linear positions that settle in the asset: row, signed quantity, cost.
    positions: Vec<(InstrumentId, i64, i128)>,
}

impl Desk {
    /// The settled part, if the account is simple enough: one currency and linear contracts in it.
    fn settle(&self, account: u16, asset: AssetId) -> Option<Settled> {
        let mut held = 0;
        for row in 0..self.assets.len() as AssetId {
            let balance = self.accounts.balance(account, row).ok()?;
            let amount = balance.wallet() - balance.liability;
            if row == asset {
                held = amount.checked_mul(pow10(COST_SCALE - self.assets[row as usize].scale))?;
            } else if amount != 0 {
                return None;
            }
        }
        let mut positions = Vec::new();
        for position in self.accounts.positions(account).ok()? {
            let instrument = &self.instruments[position.instrument as usize];
            if position.qty == 0 && position.dust == 0 {
                continue;
            }
            if instrument.kind != Kind::Linear || instrument.settle != asset {
                return None;
            }
            positions.push((position.instrument, position.qty, position.cost));
        }
        Some(Settled { account, asset, held, positions })
    }

    /// What a simple account is worth; works out the settled part if money moved since.
    #[inline]
    fn settled_worth(&mut self, account: u16, asset: AssetId) -> Option<Worth> {
        let known = self.settled.as_ref().is_some_and(|s| s.account == account && s.asset == asset);
        if !known {
            self.settled = self.settle(account, asset);
        }
        self.worth_of(self.settled.as_ref()?)
    }

    /// What the settled part is worth at the present prices; `None` if a price is no tick.
    fn worth_of(&self, settled: &Settled) -> Option<Worth> {
        let (mut equity, mut net, mut gross) = (settled.held, 0_i128, 0_i128);
        for &(row, qty, cost) in &settled.positions {
            let market = &self.markets[row as usize];
            if market.mark > 0 || market.last <= 0 {
                return None;
            }
            let value = self.instruments[row as usize].notional(qty, market.last).ok()?;
            equity += value - cost;
            net += value;
            gross += value.abs();
        }
        Some(Worth { equity: Some(equity), net_exposure: Some(net), gross_exposure: Some(gross) })
    }

    /// Equity that carries contracts which settle in an asset, at cost scale.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a value does not fit.
    pub(super) fn carrying_equity(
        &mut self,
        account: u16,
        asset: AssetId,
    ) -> Result<i128, DeskError> {
        if let Some(equity) = self.settled_worth(account, asset).and_then(|worth| worth.equity) {
            return Ok(equity);
        }
        for row in 0..self.instruments.len() as InstrumentId {
            self.value(row)?;
        }
        let equity = self.accounts.equity(account, asset);
        equity.map_err(|error| DeskError(error.to_string()))
    }

    /// What an account is worth in an asset now: every balance at its instrument's price, every
    /// contract at its mark.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a value does not fit.
    pub fn worth(&mut self, account: u16, asset: AssetId) -> Result<Worth, DeskError> {
        if let Some(worth) = self.settled_worth(account, asset) {
            return Ok(worth);
        }
        for row in 0..self.instruments.len() as InstrumentId {
            self.value(row)?;
        }
        let too_large = |_| DeskError("what the account is worth does not fit".to_owned());
        let refused = |error: crate::account::AccountError| DeskError(error.to_string());
        let (mut equity, mut net, mut gross) = (0_i128, 0_i128, 0_i128);
        for row in 0..self.assets.len() as AssetId {
            let balance = self.accounts.balance(account, row).map_err(refused)?;
            let held = balance.wallet() - balance.liability;
            if held == 0 {
                continue;
            }
            let up = pow10(COST_SCALE - self.assets[row as usize].scale);
            let held = held.checked_mul(up).ok_or(crate::units::Overflow).map_err(too_large)?;
            let Some(value) = self.convert(held, row, asset).map_err(too_large)? else {
                return Ok(Worth::default());
            };
            equity += value;
            let is_traded_coin = row != asset
                && self.instruments.iter().any(|i| i.kind == Kind::Spot && i.base == row);
            if is_traded_coin {
                (net, gross) = (net + value, gross + value.abs());
            }
        }
        for position in self.accounts.positions(account).map_err(refused)? {
            let instrument = &self.instruments[position.instrument as usize];
            if position.qty == 0 || instrument.kind == Kind::Spot {
                continue;
            }
            let profit = self.accounts.unrealised(position).map_err(refused)?;
            // What a position is worth is what it cost and what it gained since.
            let value = (position.cost + profit).abs();
            let settle = instrument.settle;
            let profit = self.convert(profit, settle, asset).map_err(too_large)?;
            let value = self.convert(value, settle, asset).map_err(too_large)?;
            let (Some(profit), Some(value)) = (profit, value) else { return Ok(Worth::default()) };
            equity += profit;
            net += if position.qty < 0 { -value } else { value };
            gross += value;
        }
        Ok(Worth { equity: Some(equity), net_exposure: Some(net), gross_exposure: Some(gross) })
    }

    /// An amount at cost scale in another asset, by the price of an instrument between the two;
    /// `None` if there is none with a price.
    fn convert(
        &self,
        amount: i128,
        from: AssetId,
        to: AssetId,
    ) -> Result<Option<i128>, crate::units::Overflow> {
        if from == to {
            return Ok(Some(amount));
        }
        for (row, instrument) in self.instruments.iter().enumerate() {
            let price = i128::from(self.reference_price(row as InstrumentId));
            if price == 0 {
                continue;
            }
            let unit = pow10(instrument.price_scale);
            if instrument.base == from && instrument.quote == to {
                return mul_div(amount, price, unit, Rounding::TowardZero).map(Some);
            }
            if instrument.base == to && instrument.quote == from {
                return mul_div(amount, unit, price, Rounding::TowardZero).map(Some);
            }
        }
        Ok(None)
    }
}
