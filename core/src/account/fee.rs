//! Commissions: one product, cut toward zero, in the coin that the venue takes (rules A10, A15).

use crate::account::error::AccountError;
use crate::account::terms::Terms;
use crate::account::wallet::positive;
use crate::account::Accounts;
use crate::instrument::{AssetId, InstrumentId, Kind};
use crate::order::Side;
use crate::units::{mul_div, pow10, Overflow, Rounding, COST_SCALE, MARK_SCALE, RATE_SCALE};

/// How a venue charges a fill; rates at rate scale, negative for a rebate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeeRule {
    /// In the settlement currency (spot: the quote).
    Settle {
        /// Share of the notional.
        rate: i64,
    },
    /// Spot: in the coin that is received. Contracts: as `Settle`.
    Received {
        /// Share of what is received.
        rate: i64,
    },
    /// In a third coin, cheaper; in full in the received coin if its balance is too small.
    Discount {
        /// Share of the notional before the discount.
        rate: i64,
        /// Part of it that is waived, at rate scale.
        discount: i64,
        /// The coin.
        asset: AssetId,
        /// Its price in the settlement currency, at mark scale.
        asset_price: i64,
    },
}

/// A fee that is known to the last digit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fee {
    /// The coin it is paid in.
    pub asset: AssetId,
    /// At the coin's scale; positive is paid.
    pub amount: i128,
}

impl Accounts {
    /// The fee of a fill of `qty` at `price`, in quantity and price units.
    ///
    /// # Errors
    ///
    /// [`AccountError`] for an unknown row, a price that is not positive, or an overflow.
    #[inline]
    pub fn fee(
        &self,
        account: u16,
        instrument: InstrumentId,
        side: Side,
        qty: i64,
        price: i64,
        rule: FeeRule,
    ) -> Result<Fee, AccountError> {
        positive(i128::from(price), "price")?;
        let terms = self.terms(instrument)?;
        let rate = match rule {
            FeeRule::Discount { rate, discount, asset, asset_price } => {
                let row = self.balance(account, asset)?;
                let scale = self.asset_scale(asset)?;
                let amount = discounted(terms, (qty, price), (rate, discount), (asset_price, scale))
                    .map_err(|_| terms.overflow())?;
                if row.free() >= amount {
                    return Ok(Fee { asset, amount });
                }
                rate
            }
            FeeRule::Received { rate } | FeeRule::Settle { rate } => rate,
        };
        let over = |_: Overflow| terms.overflow();
        let in_base = terms.kind == Kind::Spot
            && side == Side::Buy
            && !matches!(rule, FeeRule::Settle { .. });
        if in_base {
            let (units, unit) = (terms.units(qty), pow10(RATE_SCALE));
            let amount = mul_div(units, i128::from(rate), unit, Rounding::TowardZero);
            return Ok(Fee { asset: terms.base, amount: amount.map_err(over)? });
        }
        let amount = if terms.kind == Kind::Spot {
            let quote = terms.post(terms.notional(terms.units(qty), price, terms.price_scale).map_err(over)?);
            mul_div(quote, i128::from(rate), pow10(RATE_SCALE), Rounding::TowardZero)
        } else {
            terms.at_rate(i128::from(qty), price, terms.price_scale, rate)
        };
        Ok(Fee { asset: terms.settle, amount: amount.map_err(over)? })
    }
}

/// `N × rate × (1 − discount) ÷ asset price`, cut at the coin's scale.
fn discounted(
    terms: &Terms,
    (qty, price): (i64, i64),
    (rate, discount): (i64, i64),
    (asset_price, scale): (i64, u8),
) -> Result<i128, Overflow> {
    let (value, divisor) = terms.fraction(terms.units(qty), price, terms.price_scale)?;
    let one = pow10(RATE_SCALE);
    // The share that is paid carries 36 decimals as a product of two rates; without their common
    // zeros it fits one integer for every rate that a venue states, and is refused if not.
    let factor = i128::from(rate) * (one - i128::from(discount));
    let zeros = trailing_zeros(factor).min(RATE_SCALE * 2);
    let unit = pow10(RATE_SCALE * 2 - zeros);
    // In units of cost scale: value × factor ÷ unit ÷ (asset_price ÷ 10^8), then to the coin's.
    let price = i128::from(asset_price).checked_mul(divisor).ok_or(Overflow)?;
    let divisor = price.checked_mul(pow10(COST_SCALE - MARK_SCALE - scale.min(10)));
    let up = pow10(scale - scale.min(10));
    let divisor = divisor.and_then(|d| d.checked_mul(unit)).ok_or(Overflow)?;
    let factor = (factor / pow10(zeros)).checked_mul(up).ok_or(Overflow)?;
    mul_div(value, factor, divisor, Rounding::TowardZero)
}

fn trailing_zeros(mut value: i128) -> u8 {
    let mut zeros = 0;
    while value != 0 && value % 10 == 0 {
        value /= 10;
        zeros += 1;
    }
    zeros
}

/// The part of `whole` that belongs to each quantity, cut; the remainder goes to the largest
/// quantity, of equals to the first (rules A37, A39). Quantities are not negative.
///
/// # Errors
///
/// [`Overflow`] if a product does not fit.
pub fn split(whole: i128, quantities: &[i64]) -> Result<Vec<i128>, Overflow> {
    let total: i128 = quantities.iter().map(|&q| i128::from(q)).sum();
    if total == 0 {
        return Ok(vec![0; quantities.len()]);
    }
    let mut parts = Vec::with_capacity(quantities.len());
    let mut largest = 0;
    for (index, &qty) in quantities.iter().enumerate() {
        parts.push(mul_div(whole, i128::from(qty), total, Rounding::TowardZero)?);
        if qty > quantities[largest] {
            largest = index;
        }
    }
    let given: i128 = parts.iter().sum();
    parts[largest] += whole - given;
    Ok(parts)
}
