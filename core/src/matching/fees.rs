//! Fees and other products of value and rate, formed exactly and rounded once.

use super::settings::{FeeAsset, FeeRounding, FeeSettings};
use crate::instrument::{Asset, AssetId, Instrument, Kind};
use crate::order::Side;
use crate::units::{
    mul_div, pow10, rescale, Overflow, Rounding, COST_SCALE, MARK_SCALE, RATE_SCALE,
};

/// Settlement value of a signed quantity at a price, at cost scale (accounting rules A2, A5).
///
/// # Errors
///
/// [`Overflow`] if it does not fit, or the price is zero for an inverse contract.
pub fn value(inst: &Instrument, qty: i64, price: i64, scale: u8) -> Result<i128, Overflow> {
    let product = i128::from(qty) * i128::from(inst.multiplier);
    match inst.kind {
        Kind::Spot | Kind::Linear => {
            let raw = product.checked_mul(i128::from(price)).ok_or(Overflow)?;
            let decimals = inst.qty_scale + inst.multiplier_scale + scale;
            rescale(raw, decimals, COST_SCALE, Rounding::TowardZero)
        }
        Kind::Inverse => {
            let up = pow10(COST_SCALE + scale - inst.qty_scale - inst.multiplier_scale);
            mul_div(-product, up, i128::from(price), Rounding::TowardZero)
        }
    }
}

/// How a posted amount is rounded: its decimals, and the rule for a positive cost.
fn posting(settings: &FeeSettings, asset: &Asset) -> (u8, Rounding) {
    match settings.rounding {
        FeeRounding::TowardZero => (asset.scale, Rounding::TowardZero),
        FeeRounding::AgainstTrader => (asset.scale.min(8), Rounding::Up),
    }
}

/// A fee in its asset's scale: value of `qty` at `price` × `rate`; positive is paid.
///
/// # Errors
///
/// [`Overflow`] if it does not fit.
#[allow(clippy::too_many_arguments)] // one product with its named factors
pub fn fee(
    inst: &Instrument,
    assets: &[Asset],
    settings: &FeeSettings,
    side: Side,
    qty: i64,
    price: i64,
    rate: i64,
) -> Result<(i128, AssetId), Overflow> {
    let asset = match (inst.kind, settings.asset, side) {
        (Kind::Spot, FeeAsset::Received, Side::Buy) => inst.base,
        (Kind::Spot, FeeAsset::Received | FeeAsset::Quote, _) => inst.quote,
        (Kind::Spot, FeeAsset::Other { asset, .. }, _) => asset,
        (Kind::Linear | Kind::Inverse, _, _) => inst.settle,
    };
    if rate == 0 {
        return Ok((0, asset));
    }
    let held = &assets[usize::from(asset)];
    let (scale, rounding) = posting(settings, held);
    let (qty, price, rate) = (i128::from(qty), i128::from(price), i128::from(rate));
    let multiplied = qty * i128::from(inst.multiplier);
    let decimals = inst.qty_scale + inst.multiplier_scale;
    let amount = match (inst.kind, settings.asset, side) {
        (Kind::Spot, FeeAsset::Received, Side::Buy) => {
            ratio(qty, rate, 1, inst.qty_scale + RATE_SCALE, scale, rounding)?
        }
        (Kind::Spot, FeeAsset::Other { price: other, .. }, _) => {
            let value = qty.checked_mul(price).ok_or(Overflow)?;
            let decimals = inst.qty_scale + inst.price_scale;
            ratio(value, rate, i128::from(other), decimals, scale, rounding)?
        }
        (Kind::Spot | Kind::Linear, _, _) => {
            let value = multiplied.checked_mul(price).ok_or(Overflow)?;
            ratio(value, rate, 1, decimals + inst.price_scale + RATE_SCALE, scale, rounding)?
        }
        (Kind::Inverse, _, _) => {
            let value = multiplied.checked_mul(pow10(inst.price_scale)).ok_or(Overflow)?;
            ratio(value, rate, price, decimals + RATE_SCALE, scale, rounding)?
        }
    };
    Ok((rescale(amount, scale, held.scale, Rounding::TowardZero)?, asset))
}

/// A funding payment from the account's view, at the settlement asset's scale; negative is paid.
///
/// # Errors
///
/// [`Overflow`] if it does not fit.
pub fn funding(
    inst: &Instrument,
    assets: &[Asset],
    settings: &FeeSettings,
    position: i64,
    mark: i64,
    rate: i64,
) -> Result<i128, Overflow> {
    let held = &assets[usize::from(inst.settle)];
    let (scale, rounding) = posting(settings, held);
    let multiplied = i128::from(position) * i128::from(inst.multiplier);
    let decimals = inst.qty_scale + inst.multiplier_scale + RATE_SCALE;
    let (rate, mark) = (i128::from(rate), i128::from(mark));
    let paid = match inst.kind {
        Kind::Spot | Kind::Linear => {
            let value = multiplied.checked_mul(mark).ok_or(Overflow)?;
            ratio(value, rate, 1, decimals + MARK_SCALE, scale, rounding)?
        }
        Kind::Inverse => {
            let value = multiplied.checked_mul(pow10(MARK_SCALE)).ok_or(Overflow)?;
            ratio(value, rate, mark, decimals, scale, rounding)?
        }
    };
    rescale(-paid, scale, held.scale, Rounding::TowardZero)
}

/// `a × b ÷ c`, which has `decimals` decimals, at `scale`.
fn ratio(
    a: i128,
    b: i128,
    c: i128,
    decimals: u8,
    scale: u8,
    r: Rounding,
) -> Result<i128, Overflow> {
    if decimals >= scale {
        mul_div(a, b, c.checked_mul(pow10(decimals - scale)).ok_or(Overflow)?, r)
    } else {
        mul_div(a.checked_mul(pow10(scale - decimals)).ok_or(Overflow)?, b, c, r)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::{Filters, Origin, Status};

    fn instrument(kind: Kind) -> Instrument {
        Instrument {
            symbol: "test:BTC/USDT".into(),
            venue_symbol: "BTCUSDT".into(),
            kind,
            base: 0,
            quote: 1,
            settle: if kind == Kind::Inverse { 0 } else { 1 },
            price_scale: 2,
            qty_scale: 3,
            tick: 1,
            lot: 1,
            multiplier: if kind == Kind::Inverse { 100 } else { 1 },
            multiplier_scale: 0,
            maker_fee: 0,
            taker_fee: 0,
            liquidation_fee: 0,
            filters: Filters::default(),
            tiers: Vec::new(),
            expiry_ns: None,
            valid_from_ns: 0,
            status: Status::Trading,
            origin: Origin::File,
        }
    }

    fn assets() -> Vec<Asset> {
        ["BTC", "USDT", "BNB"].map(|name| Asset { name: name.into(), scale: 8 }).to_vec()
    }

    #[test]
    fn a_fee_is_paid_in_the_asset_that_the_rule_names() {
        let spot = instrument(Kind::Spot);
        let rate = 1_000_000_000_000_000; // 0.001
        let fee_in = |asset, side| {
            let settings = FeeSettings { rounding: FeeRounding::TowardZero, asset };
            fee(&spot, &assets(), &settings, side, 2_000, 500_000, rate).unwrap()
        };
        assert_eq!(fee_in(FeeAsset::Received, Side::Buy), (200_000, 0)); // 0.002 BTC
        assert_eq!(fee_in(FeeAsset::Received, Side::Sell), (1_000_000_000, 1)); // 10 USDT
        assert_eq!(fee_in(FeeAsset::Quote, Side::Buy), (1_000_000_000, 1));
        let bnb = FeeAsset::Other { asset: 2, price: 4_000_000_000_000_000_000 }; // 4 USDT each
        assert_eq!(fee_in(bnb, Side::Buy), (250_000_000, 2));
    }

    #[test]
    fn the_two_roundings_differ_in_the_last_place_and_on_rebates() {
        let linear = instrument(Kind::Linear);
        let with = |rounding, rate| {
            let settings = FeeSettings { rounding, asset: FeeAsset::Received };
            fee(&linear, &assets(), &settings, Side::Buy, 3, 10_001, rate).unwrap().0
        };
        let rate = 550_000_000_000_000; // 0.00055; the exact fee is 0.0001650165
        assert_eq!(with(FeeRounding::AgainstTrader, rate), 16_502);
        assert_eq!(with(FeeRounding::TowardZero, rate), 16_501);
        assert_eq!(with(FeeRounding::AgainstTrader, -rate), -16_501);
    }

    #[test]
    fn inverse_values_and_funding_are_in_coin() {
        let inverse = instrument(Kind::Inverse);
        // 5 contracts of 100 at 50,000: -0.01 coin
        assert_eq!(value(&inverse, 5_000, 5_000_000, 2), Ok(-10_000_000_000_000_000));
        let settings = FeeSettings { rounding: FeeRounding::TowardZero, asset: FeeAsset::Quote };
        let mark = 5_000_000_000_000; // 50,000 at mark scale
        let paid = funding(&inverse, &assets(), &settings, 5_000, mark, 1_000_000_000_000_000);
        assert_eq!(paid, Ok(-1_000)); // 0.01 × 0.001
    }
}
