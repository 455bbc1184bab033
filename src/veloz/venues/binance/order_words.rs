//! Binance's words and figures of an order in ours.

use veloz_core::desk::Origin;
use veloz_core::instrument::Instrument;
use veloz_core::order::{OrderType, PositionSide, Tif};

use super::cell::Number;

pub(super) fn units(number: Option<Number>, scale: u8) -> Option<i64> {
    number.and_then(|number| number.units(scale).ok())
}

/// A mean price has more digits than a price; those beyond its units are cut.
pub(super) fn cut(number: Number, scale: u8) -> i64 {
    let down = veloz_core::units::pow10(number.scale.saturating_sub(scale));
    let up = veloz_core::units::pow10(scale.saturating_sub(number.scale));
    i64::try_from(number.value / down * up).unwrap_or(0)
}

/// A number made of figures that never change, so that a repetition has the same.
pub(super) fn number_of(figures: &[i128]) -> u64 {
    let bytes = figures.iter().flat_map(|figure| figure.to_le_bytes());
    let hash = bytes.fold(0xCBF2_9CE4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3)
    });
    hash | 1
}

pub(super) fn origin_of(client_id: &str) -> Origin {
    if client_id.starts_with("adl_autoclose") {
        Origin::Deleveraging
    } else if client_id.starts_with("settlement_autoclose-")
        || client_id.starts_with("delivery_autoclose-")
    {
        Origin::Settlement
    } else if client_id.starts_with("autoclose-") {
        Origin::Liquidation
    } else {
        Origin::Hand
    }
}

/// Binance names the limit form of a futures stop `STOP`, and the market form of a spot one
/// `STOP_LOSS`.
pub(super) fn kind_of(i: &Instrument, word: &str) -> OrderType {
    let is_spot = i.kind == veloz_core::instrument::Kind::Spot;
    match word {
        "LIMIT" | "LIMIT_MAKER" => OrderType::Limit,
        "STOP" | "STOP_LOSS_LIMIT" => OrderType::StopLimit,
        "STOP_MARKET" | "STOP_LOSS" => OrderType::Stop,
        "TAKE_PROFIT" if !is_spot => OrderType::TakeProfitLimit,
        "TAKE_PROFIT_LIMIT" => OrderType::TakeProfitLimit,
        "TAKE_PROFIT_MARKET" | "TAKE_PROFIT" => OrderType::TakeProfit,
        "TRAILING_STOP_MARKET" => OrderType::TrailingStop,
        _ => OrderType::Market,
    }
}

pub(super) fn tif_of(word: Option<&str>) -> Tif {
    match word {
        Some("IOC") => Tif::Ioc,
        Some("FOK") => Tif::Fok,
        Some("GTD") => Tif::Gtd,
        _ => Tif::Gtc,
    }
}

pub(super) fn leg_of(word: Option<&str>) -> PositionSide {
    match word {
        Some("LONG") => PositionSide::Long,
        Some("SHORT") => PositionSide::Short,
        _ => PositionSide::Both,
    }
}
