//! Assets and instruments as rows of bytes: each row has a length, so that fields can be appended.
//!
//! Whole instruments are kept, filters and margin tiers too, since a recovered desk judges by them.

use crate::instrument::{Asset, Filters, Instrument, Kind, Origin, PercentPrice, Status, Tier};
use crate::record::FieldValue;

/// Appends one asset as a row.
pub fn put_asset(asset: &Asset, out: &mut Vec<u8>) {
    put_row(out, |out| {
        put_text(&asset.name, out);
        asset.scale.put(out);
    });
}

/// Reads an asset's row from the front of `bytes`; `None` if it is not one.
#[must_use]
pub fn take_asset(bytes: &mut &[u8]) -> Option<Asset> {
    let row = &mut take_bytes(bytes)?;
    Some(Asset { name: take_text(row)?, scale: u8::take(row)? })
}

/// Appends one instrument as a row.
pub fn put_instrument(instrument: &Instrument, out: &mut Vec<u8>) {
    let i = instrument;
    put_row(out, |out| {
        put_text(&i.symbol, out);
        put_text(&i.venue_symbol, out);
        (i.kind as u8).put(out);
        [i.base, i.quote, i.settle].iter().for_each(|asset| asset.put(out));
        [i.price_scale, i.qty_scale, i.multiplier_scale].iter().for_each(|scale| scale.put(out));
        [i.tick, i.lot, i.multiplier].iter().for_each(|step| step.put(out));
        [i.maker_fee, i.taker_fee, i.liquidation_fee].iter().for_each(|rate| rate.put(out));
        put_filters(&i.filters, out);
        (i.tiers.len() as u32).put(out);
        i.tiers.iter().for_each(|tier| put_tier(tier, out));
        put_option(i.expiry_ns, out);
        i.valid_from_ns.put(out);
        (i.status as u8).put(out);
        (i.origin as u8).put(out);
    });
}

/// Reads an instrument's row from the front of `bytes`; `None` if it is not one.
#[must_use]
pub fn take_instrument(bytes: &mut &[u8]) -> Option<Instrument> {
    let row = &mut take_bytes(bytes)?;
    let symbol = take_text(row)?;
    let venue_symbol = take_text(row)?;
    let kind = take_one_of(row, &[Kind::Spot, Kind::Linear, Kind::Inverse])?;
    let [base, quote, settle] = take_array(row)?;
    let [price_scale, qty_scale, multiplier_scale] = take_array(row)?;
    let [tick, lot, multiplier] = take_array(row)?;
    let [maker_fee, taker_fee, liquidation_fee] = take_array(row)?;
    let filters = take_filters(row)?;
    let count = u32::take(row)?;
    let tiers = (0..count).map(|_| take_tier(row)).collect::<Option<Vec<_>>>()?;
    let expiry_ns = take_option(row)?;
    let valid_from_ns = i64::take(row)?;
    let status =
        take_one_of(row, &[Status::Trading, Status::CancelOnly, Status::Halt, Status::Closed])?;
    let origin = take_one_of(row, &[Origin::Venue, Origin::File, Origin::Inferred])?;
    Some(Instrument {
        symbol,
        venue_symbol,
        kind,
        base,
        quote,
        settle,
        price_scale,
        qty_scale,
        tick,
        lot,
        multiplier,
        multiplier_scale,
        maker_fee,
        taker_fee,
        liquidation_fee,
        filters,
        tiers,
        expiry_ns,
        valid_from_ns,
        status,
        origin,
    })
}

fn put_filters(filters: &Filters, out: &mut Vec<u8>) {
    let f = filters;
    let bounds = [f.min_price, f.max_price, f.min_qty, f.max_qty, f.market_max_qty, f.market_lot];
    bounds.iter().for_each(|bound| bound.put(out));
    [f.min_notional, f.max_notional].iter().for_each(|bound| bound.put(out));
    let counts = [f.max_orders, f.max_conditional_orders, f.max_iceberg_parts];
    counts.iter().for_each(|count| count.put(out));
    f.percent_price.is_some().put(out);
    if let Some(band) = &f.percent_price {
        band.up.put(out);
        band.down.put(out);
        band.both_sides.put(out);
    }
}

fn take_filters(row: &mut &[u8]) -> Option<Filters> {
    let [min_price, max_price, min_qty, max_qty, market_max_qty, market_lot] = take_array(row)?;
    let [min_notional, max_notional] = take_array(row)?;
    let [max_orders, max_conditional_orders, max_iceberg_parts] = take_array(row)?;
    let percent_price = if bool::take(row)? {
        let [up, down] = take_array(row)?;
        Some(PercentPrice { up, down, both_sides: bool::take(row)? })
    } else {
        None
    };
    Some(Filters {
        min_price,
        max_price,
        min_qty,
        max_qty,
        market_max_qty,
        market_lot,
        min_notional,
        max_notional,
        max_orders,
        max_conditional_orders,
        max_iceberg_parts,
        percent_price,
    })
}

fn put_tier(tier: &Tier, out: &mut Vec<u8>) {
    tier.floor.put(out);
    put_option(tier.cap, out);
    tier.rate.put(out);
    tier.amount.put(out);
    tier.max_leverage.put(out);
}

fn take_tier(row: &mut &[u8]) -> Option<Tier> {
    Some(Tier {
        floor: i128::take(row)?,
        cap: take_option(row)?,
        rate: i64::take(row)?,
        amount: i128::take(row)?,
        max_leverage: i64::take(row)?,
    })
}

fn put_option<T: FieldValue>(value: Option<T>, out: &mut Vec<u8>) {
    value.is_some().put(out);
    if let Some(value) = value {
        value.put(out);
    }
}

fn take_option<T: FieldValue>(row: &mut &[u8]) -> Option<Option<T>> {
    Some(if bool::take(row)? { Some(T::take(row)?) } else { None })
}

fn take_array<T: FieldValue + Copy + Default, const N: usize>(row: &mut &[u8]) -> Option<[T; N]> {
    let mut values = [T::default(); N];
    for value in &mut values {
        *value = T::take(row)?;
    }
    Some(values)
}

fn take_one_of<T: Copy>(row: &mut &[u8], choices: &[T]) -> Option<T> {
    choices.get(usize::from(u8::take(row)?)).copied()
}

fn put_row(out: &mut Vec<u8>, fill: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    0_u32.put(out);
    fill(out);
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Appends a length and the text.
pub(super) fn put_text(text: &str, out: &mut Vec<u8>) {
    (text.len() as u32).put(out);
    out.extend_from_slice(text.as_bytes());
}

/// Reads a length and as many bytes.
pub(super) fn take_bytes<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = u32::take(bytes)? as usize;
    let (row, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(row)
}

/// Reads a length and a text.
pub(super) fn take_text(bytes: &mut &[u8]) -> Option<String> {
    std::str::from_utf8(take_bytes(bytes)?).ok().map(str::to_owned)
}
