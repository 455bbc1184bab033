"""What a strategy asks to hear, and from which stored kinds it can be served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from veloz.errors import ConfigError, DataError, StrategyError
from veloz.storage.symbols import did_you_mean

if TYPE_CHECKING:
    from veloz.environments.sources import Source
    from veloz.strategy import Strategy

PUBLISHED = {
    "index": ("index", "mark"),
    "open_interest": ("open_interest",),
    "liquidations": ("liquidation",),
    "tickers": ("ticker",),
}
"""Subscriptions to what moves no order and no money, and the stored kinds that can serve them."""


def known(symbol: str, source: Source) -> None:
    """Refuses a symbol that the data do not hold.

    Raises:
        ConfigError: With the nearest ones that there are.
    """
    symbols = source.symbols()
    if symbol not in symbols:
        raise ConfigError(
            f"the data hold no {symbol}: {did_you_mean(symbol, symbols)}",
            hint="Set the strategy's symbol parameter, e.g. --set symbol=…, or import its data.",
        )


def wanted_data(strategy: Strategy) -> dict[str, dict[str, tuple[int, ...]]]:
    """Kinds of data by symbol, with the intervals of bars, in the order of declaration."""
    wanted: dict[str, dict[str, tuple[int, ...]]] = {}
    for subscription in type(strategy).subscriptions().values():
        kinds = wanted.setdefault(subscription.resolve(strategy), {})
        have = kinds.get(subscription.kind, ())
        if subscription.kind == "bars":
            kinds["bars"] = tuple(sorted({*have, subscription.interval_ns}))
        else:
            kinds[subscription.kind] = ()
    if not wanted:
        raise StrategyError(
            f"{type(strategy).__name__} subscribes to nothing, so nothing would ever happen",
            hint='Declare data on the class, e.g. bars = Bars("symbol", "1m").',
        )
    return wanted


def level_of(symbol: str, kinds: Mapping[str, Sequence[int]], source: Source) -> str:
    """How a symbol is matched: by the finest data that the strategy asks for and the source has.

    Raises:
        DataError: The source lacks data that the strategy asks for.
    """
    has = set(source.kinds(symbol))
    needs = {
        **{kind: set(stored) for kind, stored in PUBLISHED.items()},
        "marks": {"mark"},
        "books": {"tick"},
        "trades": {"tick", "trade", "agg_trade"},
        "quotes": {"tick", "quote"},
    }
    for kind, any_of in needs.items():
        if kind in kinds and not has & any_of:
            have = ", ".join(sorted(has)) or "nothing"
            raise DataError(
                f"the strategy asks for {kind} of {symbol}, and the data hold {have}: import them, "
                "or take another symbol"
            )
    if "books" in kinds or ("tick" in has and ("trades" in kinds or "quotes" in kinds)):
        return "book"
    if "quotes" in kinds:
        return "quote"
    return "trade" if "trades" in kinds else "bar"
