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

impl Desk {
    /// What an account is worth in an asset now: every balance at its instrument's price, every
    /// contract at its mark.
    ///
    /// # Errors
    ///
    /// [`DeskError`] if a value does not fit.
    pub fn worth(&mut self, account: u16, asset: AssetId) -> Result<Worth, DeskError> {
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
