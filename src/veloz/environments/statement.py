"""One day of an account: what a run's journal booked, beside what the venue lists.

```text
 journal's fills of the day ─┐
 venue's trades of the day ──┴─► trades, volume, fees, realised profit: equal, or not, by asset
```
"""

from __future__ import annotations

from collections import defaultdict
from decimal import ROUND_DOWN, Decimal
from typing import TYPE_CHECKING, Any

from veloz.environments.trading.tables import ASSET_SCALE
from veloz.storage.instruments import COST_SCALE
from veloz.storage.journal import columns_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veloz.environments.trading.connection import MarketConnection
    from veloz.environments.trading.tables import Tables
    from veloz.venues.binance.hosts import Market

__all__ = ["DAY_NS", "statement"]

DAY_NS = 86_400_000_000_000
_PAGE = 1000

Figures = dict[tuple[str, str, str], Decimal]
"""By market, what it is, and of which symbol or asset."""


async def statement(
    day_ns: int,
    segments: Sequence[bytes],
    tables: Tables,
    connections: Mapping[Market, MarketConnection],
) -> list[dict[str, str]]:
    """Every figure of a day, ours and the venue's.

    Args:
        day_ns: When the day begins, UTC.
        segments: Of the run's trading journal.
        tables: The run's.
        connections: The venue, by market.

    Returns:
        Rows with `market`, `what`, `of`, `ours`, `theirs`, as exact text.

    Raises:
        FeedError: The venue does not answer.
    """
    ours, theirs = _booked(day_ns, segments, tables), await _listed(day_ns, tables, connections)
    return [
        {
            "market": market,
            "what": what,
            "of": name,
            "ours": _plain(ours[market, what, name]),
            "theirs": _plain(theirs[market, what, name]),
        }
        for market, what, name in sorted({*ours, *theirs})
    ]


def _booked(day_ns: int, segments: Sequence[bytes], tables: Tables) -> Figures:
    figures: Figures = defaultdict(Decimal)
    markets: dict[tuple[int, int], str] = {}
    for segment in segments:
        fills: dict[str, Any] = columns_of(segment, "Fill")
        for at in range(len(fills["trade_id"])):
            row = tables.instruments[int(fills["instrument"][at])]
            # What was taken over at the start stands at no trade of the venue's.
            is_adopted = int(fills["trade_id"][at]) >= 1 << 56
            if is_adopted or not day_ns <= int(fills["ts_exchange"][at]) < day_ns + DAY_NS:
                continue
            market, symbol = tables.markets[int(fills["account"][at])], row["venue_symbol"]
            markets[int(fills["order"][at]), int(fills["trade_id"][at])] = market
            figures[market, "trades", symbol] += 1
            qty = Decimal(int(fills["qty"][at])).scaleb(-row["qty_scale"])
            figures[market, "volume", symbol] += qty
            fee = Decimal(int(fills["fee"][at])).scaleb(-ASSET_SCALE)
            figures[market, "fees", tables.assets[int(fills["fee_asset"][at])]] += fee
            if market != "spot":
                realised = Decimal(int(fills["realised"][at])).scaleb(-COST_SCALE)
                # The wallet books whole units; what is below goes by neither book.
                unit = Decimal(1).scaleb(-ASSET_SCALE)
                figures[market, "realised", row["settle"]] += realised.quantize(unit, ROUND_DOWN)
        try:
            late: dict[str, Any] = columns_of(segment, "FillFee")
        except KeyError:
            continue  # written before there was such a record
        for at in range(len(late["trade_id"])):
            of = markets.get((int(late["order"][at]), int(late["trade_id"][at])))
            if of is not None:
                fee = Decimal(int(late["fee"][at])).scaleb(-ASSET_SCALE)
                figures[of, "fees", tables.assets[int(late["fee_asset"][at])]] += fee
    return figures


async def _listed(
    day_ns: int, tables: Tables, connections: Mapping[Market, MarketConnection]
) -> Figures:
    figures: Figures = defaultdict(Decimal)
    for market, connection in connections.items():
        for symbol in tables.named(market):
            for row in await _trades(connection, symbol, day_ns // 1_000_000):
                figures[market, "trades", symbol] += 1
                figures[market, "volume", symbol] += Decimal(row["qty"])
                figures[market, "fees", row["commissionAsset"]] += Decimal(row["commission"])
                if market != "spot":
                    asset = row.get("marginAsset") or row["commissionAsset"]
                    figures[market, "realised", asset] += Decimal(row["realizedPnl"])
    return figures


async def _trades(connection: MarketConnection, symbol: str, day_ms: int) -> list[dict[str, Any]]:
    """The venue's trades of a day, page by page."""
    last_ms = day_ms + DAY_NS // 1_000_000 - 1
    params = {"symbol": symbol, "startTime": str(day_ms), "endTime": str(last_ms)}
    found: list[dict[str, Any]] = []
    while True:
        answer = await connection.asked("my_trades", params | {"limit": str(_PAGE)})
        page: Any = answer.value()
        found += [row for row in page if row["time"] <= last_ms]
        if len(page) < _PAGE or page[-1]["time"] > last_ms:
            return found
        params = {"symbol": symbol, "fromId": str(int(page[-1]["id"]) + 1)}


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
