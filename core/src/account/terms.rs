//! What an instrument is worth: the value rules of linear, inverse and spot, in scaled integers.
//!
//! A value at cost scale is `numerator ÷ denominator`: linear values are whole there, inverse
//! ones are a quotient by the price. Every figure that is posted or decided on starts from that
//! fraction, so that one product is formed exactly and cut once (rule A1).

use crate::account::error::AccountError;
use crate::account::exact::Fine;
use crate::instrument::{Asset, AssetId, Instrument, Kind, Tier};
use crate::units::{
    div_round, mul_div, pow10, Overflow, Rounding, COST_SCALE, MARK_SCALE, RATE_SCALE,
};

/// Decimals of a leverage: 2.5× is 250.
pub const LEVERAGE_SCALE: u8 = 2;

/// The part of an instrument that money depends on.
#[derive(Clone, Debug)]
pub(crate) struct Terms {
    pub(crate) symbol: String,
    pub(crate) kind: Kind,
    pub(crate) base: AssetId,
    pub(crate) quote: AssetId,
    pub(crate) settle: AssetId,
    pub(crate) price_scale: u8,
    /// Decimals of a position's quantity below one quantity unit; 0 but for spot.
    pub(crate) dust_scale: u8,
    pub(crate) settle_scale: u8,
    pub(crate) base_scale: u8,
    pub(crate) qty_scale: u8,
    /// Multiplier or face value with its decimals and those of the quantity taken out of it.
    multiplier: i128,
    multiplier_scale: u8,
    pub(crate) lot: i64,
    pub(crate) liquidation_fee: i64,
    pub(crate) tiers: Vec<Tier>,
}

impl Terms {
    pub(crate) fn new(instrument: &Instrument, assets: &[Asset]) -> Result<Terms, AccountError> {
        let scale = |id: AssetId| {
            assets.get(usize::from(id)).map(|a| a.scale).ok_or(AccountError::UnknownAsset(id))
        };
        let base_scale = scale(instrument.base)?;
        let settle_scale = scale(instrument.settle)?;
        scale(instrument.quote)?;
        let spot = instrument.kind == Kind::Spot;
        let qty_scale = if spot { base_scale } else { instrument.qty_scale };
        let decimals =
            [instrument.price_scale.max(MARK_SCALE), instrument.multiplier_scale, qty_scale];
        let decimals: u32 = decimals.iter().map(|&d| u32::from(d)).sum();
        let in_base = !spot || instrument.qty_scale <= base_scale;
        if decimals > u32::from(COST_SCALE) || !in_base || instrument.multiplier <= 0 {
            return Err(AccountError::BadScale(instrument.symbol.clone()));
        }
        Ok(Terms {
            symbol: instrument.symbol.clone(),
            kind: instrument.kind,
            base: instrument.base,
            quote: instrument.quote,
            settle: instrument.settle,
            price_scale: instrument.price_scale,
            dust_scale: if spot { base_scale - instrument.qty_scale } else { 0 },
            settle_scale,
            base_scale,
            qty_scale: instrument.qty_scale,
            multiplier: i128::from(instrument.multiplier),
            multiplier_scale: instrument.multiplier_scale,
            lot: instrument.lot.max(1),
            liquidation_fee: instrument.liquidation_fee,
            tiers: instrument.tiers.clone(),
        })
    }

    /// An error that names this instrument.
    #[cold]
    pub(crate) fn overflow(&self) -> AccountError {
        AccountError::Overflow(self.symbol.clone())
    }

    /// The absolute value at cost scale of `qty` position units, as a fraction.
    #[inline]
    pub(crate) fn fraction(
        &self,
        qty: i128,
        price: i64,
        price_scale: u8,
    ) -> Result<(i128, i128), Overflow> {
        let decimals = self.qty_scale + self.dust_scale + self.multiplier_scale;
        let face = qty.abs().checked_mul(self.multiplier).ok_or(Overflow)?;
        match self.kind {
            Kind::Spot | Kind::Linear => {
                let value = face.checked_mul(i128::from(price)).ok_or(Overflow)?;
                let up = pow10(COST_SCALE - decimals - price_scale);
                Ok((value.checked_mul(up).ok_or(Overflow)?, 1))
            }
            Kind::Inverse => {
                let up = pow10(COST_SCALE + price_scale - decimals);
                Ok((face.checked_mul(up).ok_or(Overflow)?, i128::from(price)))
            }
        }
    }

    /// The absolute value at cost scale, cut (rule A2).
    #[inline]
    pub(crate) fn notional(&self, qty: i128, price: i64, scale: u8) -> Result<i128, Overflow> {
        let (numerator, denominator) = self.fraction(qty, price, scale)?;
        if denominator == 1 {
            return Ok(numerator);
        }
        div_round(numerator, denominator, Rounding::TowardZero)
    }

    /// The signed settlement value `v(q, p)` at cost scale: a long inverse position owes coin.
    #[inline]
    pub(crate) fn value(&self, qty: i128, price: i64, scale: u8) -> Result<i128, Overflow> {
        let notional = self.notional(qty, price, scale)?;
        Ok(if (qty < 0) == (self.kind == Kind::Inverse) { notional } else { -notional })
    }

    /// `N × rate`, the product formed exactly and cut at the settlement currency's scale; it has
    /// the sign of `qty × rate`. Fees and funding.
    #[inline]
    pub(crate) fn at_rate(
        &self,
        qty: i128,
        price: i64,
        price_scale: u8,
        rate: i64,
    ) -> Result<i128, Overflow> {
        let decimals = self.qty_scale + self.dust_scale + self.multiplier_scale;
        let face = qty.checked_mul(self.multiplier).ok_or(Overflow)?;
        let (numerator, denominator, up, down) = match self.kind {
            Kind::Spot | Kind::Linear => {
                let value = face.checked_mul(i128::from(price)).ok_or(Overflow)?;
                (value, 1, self.settle_scale, decimals + price_scale + RATE_SCALE)
            }
            Kind::Inverse => {
                (face, i128::from(price), self.settle_scale + price_scale, decimals + RATE_SCALE)
            }
        };
        if up > down {
            let numerator = numerator.checked_mul(pow10(up - down)).ok_or(Overflow)?;
            return mul_div(numerator, i128::from(rate), denominator, Rounding::TowardZero);
        }
        let denominator = pow10(down - up).checked_mul(denominator).ok_or(Overflow)?;
        mul_div(numerator, i128::from(rate), denominator, Rounding::TowardZero)
    }

    /// `N × rate`, exact to 36 decimals.
    pub(crate) fn fine_at_rate(
        &self,
        (numerator, denominator): (i128, i128),
        rate: i64,
    ) -> Result<Fine, Overflow> {
        let unit = denominator.checked_mul(pow10(RATE_SCALE)).ok_or(Overflow)?;
        Fine::ratio(numerator, i128::from(rate), unit)
    }

    /// `N ÷ leverage`, exact to 36 decimals.
    pub(crate) fn fine_over_leverage(
        &self,
        (numerator, denominator): (i128, i128),
        leverage: i64,
    ) -> Result<Fine, Overflow> {
        let divisor = denominator.checked_mul(i128::from(leverage)).ok_or(Overflow)?;
        Fine::ratio(numerator, pow10(LEVERAGE_SCALE), divisor)
    }

    /// A cost-scale figure cut at the settlement currency's scale.
    #[inline]
    pub(crate) fn post(&self, at_cost_scale: i128) -> i128 {
        if self.settle_scale == 8 {
            // A constant divisor is several times faster than one from the table.
            return at_cost_scale / pow10(COST_SCALE - 8);
        }
        at_cost_scale / pow10(COST_SCALE - self.settle_scale)
    }

    /// A posted amount of the settlement currency, at cost scale.
    #[inline]
    pub(crate) fn at_cost(&self, posted: i128) -> Result<i128, Overflow> {
        posted.checked_mul(pow10(COST_SCALE - self.settle_scale)).ok_or(Overflow)
    }

    /// A fill's quantity in position units.
    #[inline]
    pub(crate) fn units(&self, qty: i64) -> i128 {
        i128::from(qty) * pow10(self.dust_scale)
    }

    /// `m × |q|` (linear) or `f × |q|` (inverse) and the decimals it carries.
    pub(crate) fn face(&self, qty: i128) -> Result<(i128, u8), Overflow> {
        let decimals = self.qty_scale + self.dust_scale + self.multiplier_scale;
        Ok((qty.checked_mul(self.multiplier).ok_or(Overflow)?, decimals))
    }

    /// The average entry price at `price_scale + 6`, half to even; `None` when flat.
    ///
    /// # Errors
    ///
    /// [`Overflow`] if it does not fit.
    pub(crate) fn average(&self, qty: i128, cost: i128) -> Result<Option<i128>, Overflow> {
        if qty == 0 || cost == 0 {
            return Ok(None);
        }
        let (face, decimals) = self.face(qty)?;
        let shown = self.price_scale + 6;
        let price = match self.kind {
            // C ÷ (Q·m), from scales 18 and `decimals`; the exponent may have either sign.
            Kind::Spot | Kind::Linear => scaled(cost, face, shown + decimals, COST_SCALE)?,
            Kind::Inverse => scaled(face, -cost, shown + COST_SCALE, decimals)?,
        };
        Ok(Some(price))
    }
}

/// `a ÷ b × 10^(up − down)`, half to even.
pub(crate) fn scaled(a: i128, b: i128, up: u8, down: u8) -> Result<i128, Overflow> {
    if up >= down {
        mul_div(a, pow10(up - down), b, Rounding::HalfEven)
    } else {
        let divisor = b.checked_mul(pow10(down - up)).ok_or(Overflow)?;
        mul_div(a, 1, divisor, Rounding::HalfEven)
    }
}
