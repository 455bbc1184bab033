//! The venue's words → the desk's.

use veloz_core::desk::{CashKind, Origin};
use veloz_core::order::{Expiry, OrderType, PositionSide, Tif};
use veloz_core::order_state::FoundStatus;

use crate::binance::report::{OrderReport, OrderStatus};
use crate::binance::Market;

/// A number for a cash entry that streams and listings agree on, so that each counts once.
pub(super) fn entry(ts_ns: i64, kind: CashKind, asset: u16, instrument: u32, amount: i128) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64; // FNV-1a
    let words = [
        (ts_ns / 1_000_000) as u64,
        kind as u64,
        u64::from(asset),
        u64::from(instrument),
        amount as u64,
    ];
    for byte in words.iter().flat_map(|word| word.to_le_bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash.max(1)
}

pub(super) fn cash_kind(reason: &str) -> Option<CashKind> {
    Some(match reason {
        "FUNDING_FEE" => CashKind::Funding,
        "DEPOSIT" | "WITHDRAW" | "WITHDRAW_REJECT" | "MARGIN_TRANSFER" | "ASSET_TRANSFER"
        | "ADMIN_DEPOSIT" | "ADMIN_WITHDRAW" | "COIN_SWAP_DEPOSIT" | "COIN_SWAP_WITHDRAW" => {
            CashKind::Transfer
        }
        "INSURANCE_CLEAR" => CashKind::Insurance,
        "AUTO_EXCHANGE" => CashKind::Conversion,
        "ADJUSTMENT" => CashKind::Gift,
        "OPTIONS_PREMIUM_FEE" | "OPTIONS_SETTLE_PROFIT" => CashKind::Fee,
        _ => return None,
    })
}

pub(super) fn found_status(status: OrderStatus) -> FoundStatus {
    match status {
        OrderStatus::Filled => FoundStatus::Filled,
        OrderStatus::Canceled => FoundStatus::Canceled,
        OrderStatus::Rejected => FoundStatus::Rejected,
        OrderStatus::Expired | OrderStatus::ExpiredInMatch => FoundStatus::Expired,
        OrderStatus::PendingNew
        | OrderStatus::New
        | OrderStatus::PartiallyFilled
        | OrderStatus::PendingCancel
        | OrderStatus::NewInsurance
        | OrderStatus::NewAdl => FoundStatus::Open,
    }
}

pub(super) fn expiry(r: &OrderReport<'_>) -> Expiry {
    if r.status.and_then(|word| word.known) == Some(OrderStatus::ExpiredInMatch) {
        return Expiry::Stp;
    }
    match (r.reason.as_deref().unwrap_or_default(), r.tif, r.kind) {
        ("INSUFFICIENT_LIQUIDITY", ..) => Expiry::NoLiquidity,
        ("EXECUTION_RULE_PRICE_RANGE_EXCEEDED", ..) => Expiry::PriceBand,
        ("UNFILLED_FOK_ORDER_EXPIRED", ..) | (_, Some("FOK"), _) => Expiry::Fok,
        ("UNFILLED_IOC_QUANTITY_EXPIRED", ..) | (_, Some("IOC"), _) => Expiry::Ioc,
        (_, Some("GTD"), _) => Expiry::Gtd,
        (_, Some("GTX"), _) => Expiry::PostOnly,
        (_, _, Some("MARKET")) => Expiry::NoLiquidity,
        _ => Expiry::Delisted,
    }
}

pub(super) fn kind_of(market: Market, kind: &str) -> OrderType {
    match kind {
        "MARKET" | "LIQUIDATION" => OrderType::Market,
        "STOP_LOSS" | "STOP_MARKET" => OrderType::Stop,
        "STOP_LOSS_LIMIT" | "STOP" => OrderType::StopLimit,
        "TAKE_PROFIT" if market == Market::Spot => OrderType::TakeProfit,
        "TAKE_PROFIT_MARKET" => OrderType::TakeProfit,
        "TAKE_PROFIT_LIMIT" | "TAKE_PROFIT" => OrderType::TakeProfitLimit,
        "TRAILING_STOP_MARKET" => OrderType::TrailingStop,
        _ => OrderType::Limit,
    }
}

pub(super) fn tif_of(tif: Option<&str>) -> Tif {
    match tif {
        Some("IOC") => Tif::Ioc,
        Some("FOK") => Tif::Fok,
        Some("GTD") => Tif::Gtd,
        _ => Tif::Gtc,
    }
}

pub(super) fn leg_of(side: Option<&str>) -> PositionSide {
    match side {
        Some("LONG") => PositionSide::Long,
        Some("SHORT") => PositionSide::Short,
        _ => PositionSide::Both,
    }
}

pub(super) fn origin_of(r: &OrderReport<'_>) -> Origin {
    let id = r.client_id.as_deref().unwrap_or_default();
    if id.starts_with("adl_autoclose") {
        Origin::Deleveraging
    } else if id.starts_with("settlement_autoclose-") || id.starts_with("delivery_autoclose-") {
        Origin::Settlement
    } else if id.starts_with("autoclose-") || r.kind == Some("LIQUIDATION") {
        Origin::Liquidation
    } else {
        Origin::Hand
    }
}
