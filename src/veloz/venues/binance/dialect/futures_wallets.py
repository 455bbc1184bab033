"""Balances and positions of the two futures APIs, in the several forms that their versions have.

Source: Binance Derivatives, "Account" and "Trade" endpoints, v1 to v3.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz.exchange.money import shown
from veloz.exchange.words import MarginType, Market
from veloz.venues.binance.dialect.futures_shapes import price_text, qty_text
from veloz.venues.binance.dialect.vocabulary import MILLISECOND, fixed, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from veloz.exchange.listing import Listing
    from veloz.exchange.model import Position, WalletView

__all__ = [
    "NO_CAP",
    "account_position",
    "asset_shape",
    "balance_shape",
    "risk_v2",
    "risk_v3",
    "totals",
]

ZERO = Decimal(0)
NO_CAP = str(2**63 - 1)
"""A largest position that is none: the cap of the last maintenance tier."""


def balance_shape(wallet: WalletView, alias: str, market: Market) -> dict[str, Any]:
    """A row of `balance`."""
    shape: dict[str, Any] = {
        "accountAlias": alias,
        "asset": wallet.asset,
        "balance": fixed(wallet.wallet),
        "crossWalletBalance": fixed(wallet.cross_wallet),
        "crossUnPnl": fixed(wallet.cross_unrealised),
        "availableBalance": fixed(wallet.available),
        "updateTime": wallet.updated_ns // MILLISECOND,
    }
    if market is Market.COINM:
        shape["withdrawAvailable"] = fixed(wallet.max_withdraw)
    else:
        shape |= {"maxWithdrawAmount": fixed(wallet.max_withdraw), "marginAvailable": True}
    return shape


def asset_shape(wallet: WalletView) -> dict[str, Any]:
    """A row of `assets` of `account`."""
    amounts = _margins(wallet) | {
        "walletBalance": wallet.wallet,
        "unrealizedProfit": wallet.unrealised,
        "marginBalance": wallet.margin_balance,
        "crossWalletBalance": wallet.cross_wallet,
        "crossUnPnl": wallet.cross_unrealised,
        "availableBalance": wallet.available,
        "maxWithdrawAmount": wallet.max_withdraw,
    }
    return {
        "asset": wallet.asset,
        **{name: fixed(amount) for name, amount in amounts.items()},
        "updateTime": wallet.updated_ns // MILLISECOND,
    }


def totals(wallets: Iterable[WalletView]) -> dict[str, Any]:
    """The sums at the top of `account`; this venue's assets are all worth one dollar."""
    names = {
        "totalInitialMargin": "initial_margin",
        "totalMaintMargin": "maintenance_margin",
        "totalWalletBalance": "wallet",
        "totalUnrealizedProfit": "unrealised",
        "totalMarginBalance": "margin_balance",
        "totalPositionInitialMargin": "position_initial_margin",
        "totalOpenOrderInitialMargin": "open_order_initial_margin",
        "totalCrossWalletBalance": "cross_wallet",
        "totalCrossUnPnl": "cross_unrealised",
        "availableBalance": "available",
        "maxWithdrawAmount": "max_withdraw",
    }
    rows = [wallet for wallet in wallets if wallet.asset != "BNB"]
    return {
        name: fixed(sum((getattr(row, field) for row in rows), ZERO))
        for name, field in names.items()
    }


def _margins(wallet: WalletView) -> dict[str, Decimal]:
    return {
        "maintMargin": wallet.maintenance_margin,
        "initialMargin": wallet.initial_margin,
        "positionInitialMargin": wallet.position_initial_margin,
        "openOrderInitialMargin": wallet.open_order_initial_margin,
    }


def account_position(position: Position, listing: Listing, *, version: int) -> dict[str, Any]:
    """A row of `positions` of `account`."""
    shape: dict[str, Any] = {
        "symbol": position.symbol,
        "positionSide": position.position_side.value,
        "positionAmt": qty_text(listing, position.qty),
        "unrealizedProfit": fixed(position.unrealised),
        "initialMargin": fixed(position.initial_margin + position.open_order_initial_margin),
        "maintMargin": fixed(position.maintenance_margin),
        "isolatedWallet": fixed(position.isolated_wallet),
        "updateTime": position.updated_ns // MILLISECOND,
    }
    if version >= 3:
        return shape | {
            "isolatedMargin": fixed(position.isolated_margin),
            "notional": fixed(position.notional),
        }
    shape |= {
        "positionInitialMargin": fixed(position.initial_margin),
        "openOrderInitialMargin": fixed(position.open_order_initial_margin),
        "leverage": str(position.leverage),
        "isolated": position.margin_type is MarginType.ISOLATED,
        "entryPrice": _entry(position, listing),
        "breakEvenPrice": _break_even(position),
    }
    if listing.is_inverse:
        shape |= {"maxQty": _most(position), "notionalValue": fixed(position.notional)}
    else:
        shape |= {
            "maxNotional": _most(position),
            "notional": fixed(position.notional),
            "bidNotional": "0",
            "askNotional": "0",
        }
    return shape


def risk_v3(position: Position, listing: Listing) -> dict[str, Any]:
    """A row of `GET /fapi/v3/positionRisk`."""
    return _risk(position, listing) | {
        "notional": fixed(position.notional),
        "marginAsset": position.margin_asset,
        "initialMargin": fixed(position.initial_margin + position.open_order_initial_margin),
        "maintMargin": fixed(position.maintenance_margin),
        "positionInitialMargin": fixed(position.initial_margin),
        "openOrderInitialMargin": fixed(position.open_order_initial_margin),
        "adl": position.adl_quantile,
        "bidNotional": "0",
        "askNotional": "0",
    }


def risk_v2(position: Position, listing: Listing) -> dict[str, Any]:
    """A row of `positionRisk` of the earlier versions, and of COIN-M."""
    is_isolated = position.margin_type is MarginType.ISOLATED
    shape = _risk(position, listing) | {
        "leverage": str(position.leverage),
        "marginType": "isolated" if is_isolated else "cross",
        "isAutoAddMargin": "false",
    }
    if listing.is_inverse:
        return shape | {"maxQty": _most(position), "notionalValue": fixed(position.notional)}
    return shape | {"maxNotionalValue": _most(position), "notional": fixed(position.notional)}


def _risk(position: Position, listing: Listing) -> dict[str, Any]:
    return {
        "symbol": position.symbol,
        "positionSide": position.position_side.value,
        "positionAmt": qty_text(listing, position.qty),
        "entryPrice": _entry(position, listing),
        "breakEvenPrice": _break_even(position),
        "markPrice": fixed(position.mark_price),
        "unRealizedProfit": fixed(position.unrealised),
        "liquidationPrice": price_text(listing, position.liquidation_price)
        if position.liquidation_price is not None
        else "0",
        "isolatedMargin": fixed(position.isolated_margin),
        "isolatedWallet": fixed(position.isolated_wallet),
        "updateTime": position.updated_ns // MILLISECOND,
    }


def _entry(position: Position, listing: Listing) -> str:
    return fixed(position.entry_price, 8 if listing.is_inverse else max(5, listing.price_precision))


def _break_even(position: Position) -> str:
    return plain(shown(position.break_even_price, 8)) if position.qty else "0.0"


def _most(position: Position) -> str:
    return NO_CAP if position.max_notional is None else plain(position.max_notional)
