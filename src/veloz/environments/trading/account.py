"""The account at the venue before there is an engine, and taking it over into one.

```text
 survey ─► what is held, what is open, what the key may ─► the plan that a person confirms
 adopt  ─► balances as transfers, positions as external orders that were filled
```
"""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

from veloz._core import parse_wire_id
from veloz.environments.trading.connection import MarketConnection
from veloz.environments.trading.engine import hedged
from veloz.errors import ConfigError
from veloz.venues.binance.hosts import Environment

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from veloz._core import BinanceSigner
    from veloz.environments.trading.connection import Budgets
    from veloz.environments.trading.engine import Seated
    from veloz.environments.trading.folder import Start
    from veloz.environments.trading.shell import EngineShell
    from veloz.environments.trading.tables import Tables
    from veloz.net.doors import Doors
    from veloz.venues.binance.hosts import Hosts, Market
    from veloz.venues.venue import Difference

__all__ = ["Survey", "adopt", "adopt_differences", "check_modes", "check_rights", "survey"]


_MONEY_RIGHTS = ("enableWithdrawals", "enableInternalTransfer", "permitsUniversalTransfer")
_TRIES = 3


@dataclass(frozen=True)
class Survey:
    """One market's account as the venue shows it.

    Attributes:
        at_ms: The venue's time just before.
        balances: By asset.
        positions: (venue symbol, side, signed quantity, entry price).
        open_orders: Number by venue symbol, of those that are not ours.
        own_orders: The same of orders that the run's own journal gave.
        leverage: By venue symbol.
        is_hedge: The account keeps a long and a short leg of each contract.
    """

    at_ms: int
    balances: dict[str, Decimal] = field(default_factory=dict[str, Decimal])
    positions: tuple[tuple[str, str, Decimal, str], ...] = ()
    open_orders: dict[str, int] = field(default_factory=dict[str, int])
    own_orders: dict[str, int] = field(default_factory=dict[str, int])
    leverage: dict[str, int] = field(default_factory=dict[str, int])
    is_hedge: bool = False

    def plain(self) -> dict[str, Any]:
        """As JSON values."""
        return {
            "balances": {name: f"{amount:f}" for name, amount in sorted(self.balances.items())},
            "positions": [
                {"symbol": symbol, "side": side, "qty": f"{qty:f}", "entry_price": price}
                for symbol, side, qty, price in self.positions
            ],
            "open_orders": dict(sorted(self.open_orders.items())),
            "own_orders": dict(sorted(self.own_orders.items())),
        }


async def survey(connection: MarketConnection, own: Collection[Start] = ()) -> Survey:
    """Asks the venue for all of it.

    Args:
        connection: To one market.
        own: The starts of the run whose orders are its own.
    """
    at_ms = connection.clock.now_ms()
    rows = await connection.positions()
    balances = await connection.balances()
    ours, others = Counter[str](), Counter[str]()
    for order in await connection.open_orders():
        parsed = parse_wire_id(order.client_order_id)
        is_ours = parsed is not None and parsed[:2] in own
        (ours if is_ours else others)[order.symbol] += 1
    return Survey(
        at_ms,
        balances,
        tuple((row.symbol, row.side, row.qty, price) for row, price in rows),
        dict(others),
        dict(ours),
        await connection.leverage(),
        await connection.is_hedge(),
    )


async def check_rights(
    spot: Hosts | None, doors: Doors, budgets: Budgets, signer: BinanceSigner
) -> None:
    """Refuses a key that could take money away.

    Args:
        spot: The spot hosts of the key's environment: the venue answers for all markets there.
        doors: The world.
        budgets: The venue's limits.
        signer: The key.

    Raises:
        ConfigError: The key may withdraw or transfer, or may not trade; or nobody can tell.
    """
    if spot is None or spot.environment in {Environment.TESTNET, Environment.DEMO}:
        return  # the test hosts do not have the question, and no money either
    connection = MarketConnection(spot, doors, budgets.of(spot), signer)
    await connection.clock.ask(connection.rest)
    for _ in range(_TRIES):
        rights = _rights((await connection.asked("api_restrictions")).value())
        if rights is not None:
            break
        await asyncio.sleep(1.0)
    else:
        raise ConfigError(
            "the venue does not say what the key may do",
            hint="look at the key's rights at the venue; trading needs no right to withdraw",
        )
    too_much = [name for name, may in rights.items() if may]
    if too_much:
        raise ConfigError(
            f"the key may take money out of the account: {', '.join(too_much)}",
            hint="make a key that may read and trade, and nothing else",
        )


def _rights(value: Any) -> dict[str, bool] | None:
    """What an answer says of the rights to move money; None if it is not one, or a damaged one."""
    if not isinstance(value, dict) or "enableWithdrawals" not in value:
        return None
    said = cast("dict[str, Any]", value)
    rights = {name: said[name] for name in _MONEY_RIGHTS if name in said}
    return rights if all(isinstance(may, bool) for may in rights.values()) else None


def check_modes(surveys: Mapping[Market, Survey], made: Sequence[Seated], tables: Tables) -> None:
    """Refuses to trade an account in another position mode than strategies and journal mean.

    Raises:
        ConfigError: They differ.
    """
    words = {True: "hedge mode", False: "one-way mode"}
    for market in tables.markets:
        if market == "spot":
            continue
        mine = [seated.name for seated in made if market in seated.markets]
        wanted, begun = market in hedged(made), market in tables.hedge
        if mine and wanted != begun:
            raise ConfigError(
                f"the run was begun in {words[begun]} on {market}, and {mine[0]} now trades in "
                f"{words[wanted]}",
                hint="begin a new folder once the account is in the other mode at the venue",
            )
        seen = surveys.get(market)
        if seen is not None and seen.is_hedge != begun:
            declared = '"hedge"' if seen.is_hedge else '"one-way"'
            raise ConfigError(
                f"the account is in {words[seen.is_hedge]} on {market}, and "
                f"{mine[0] if mine else 'the run'} trades in {words[begun]}",
                hint=f"declare position_mode = {declared} on the strategy if it is written for that"
                ", or switch the account's mode at the venue",
            )


def adopt(shell: EngineShell, tables: Tables, account: int, seen: Survey) -> None:
    """Books what an account held before the run began."""
    for asset, amount in seen.balances.items():
        shell.input(
            "cash",
            account=account,
            why="transfer",
            asset=asset,
            amount=amount,
            ts_exchange=seen.at_ms * 1_000_000,
        )
    named = tables.named(tables.markets[account])
    for symbol, side, qty, price in seen.positions:
        _take_position(shell, tables, account, (named[symbol], side), (qty, price))
    shell.engine.synced(account, seen.at_ms * 1_000_000, shell.now_ns())
    shell.settle()


def adopt_differences(
    shell: EngineShell,
    tables: Tables,
    account: int,
    found: list[Difference],
    prices: dict[tuple[str, str], str],
) -> int:
    """Takes over the venue's figures where a person said so; returns how many."""
    named, taken = tables.named(tables.markets[account]), 0
    for difference in found:
        change = Decimal(0)
        if difference.kind in {"balance", "position"}:
            change = Decimal(difference.theirs) - Decimal(difference.ours)
        if difference.kind == "balance" and difference.subject in tables.assets:
            fields: dict[str, Any] = {"asset": difference.subject, "amount": change}
            at_ns = shell.now_ns()
            shell.input("cash", account=account, why="transfer", ts_exchange=at_ns, **fields)
            taken += 1
        elif difference.kind == "position":
            symbol, _, side = difference.subject.partition(" ")
            price = prices.get((symbol, side), "0")
            if symbol in named and Decimal(price) > 0:
                leg, held = (named[symbol], side), (change, price)
                _take_position(shell, tables, account, leg, held)
                taken += 1
    return taken


def _take_position(
    shell: EngineShell,
    tables: Tables,
    account: int,
    leg: tuple[str, str],
    held: tuple[Decimal, str],
) -> None:
    """A position as an order of somebody else that was filled at its price."""
    (symbol, side), (qty, price) = leg, held
    now_ns = shell.now_ns()
    scale = next(row["price_scale"] for row in tables.instruments if row["symbol"] == symbol)
    # A mean entry price has more digits than a price; the wallet does not hold the difference.
    at = Decimal(price).quantize(Decimal(1).scaleb(-scale))
    client_id = f"opening {symbol} {side} {now_ns}"
    shell.input(
        "external",
        account=account,
        symbol=symbol,
        side="buy" if qty > 0 else "sell",
        type="market",
        qty=abs(qty),
        price=0,
        origin="hand",
        position_side=side.lower(),
        client_id=client_id,
        ts_exchange=now_ns,
    )
    order = next(
        row["order"]
        for row in shell.engine.view("orders", account)
        if row["client_order_id"] == client_id
    )
    shell.input(
        "fill", order=order, trade_id=now_ns, qty=abs(qty), price=at, fee=0, ts_exchange=now_ns
    )
