"""The demo's last act: the same two strategies on a venue that loses its connections.

```text
real recording ─► simulated exchange ─┬─► live engine: orders, fills, a ledger to compare with
     on loopback, cut twice           └─► paper engine: the same market, fills made here
```

The exchange's clock is set so that a minute ends early in the act: strategies that trade on bars
hear one too.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.environments.trading.settings import TradingSettings
    from veloz.venues.binance.dialect import Simulation

__all__ = ["text", "trade_on_venue"]

SYMBOL = "binance:BTC/USDT:USDT"
STRATEGIES = (("sma_cross.py", {"fast": 2, "slow": 3}), ("market_maker.py", {}))
RECORDING = "BTCUSDT_2023-04-04_5min.jsonl.gz"
_BEFORE_S = 200
"""Of the recording goes by before the strategies come: their bars have a history then."""
_MINUTE_ENDS_AFTER_S = 12
_NS = 1_000_000_000


class VenueTime:
    """The exchange's clock: driven by hand at first, then at the pace of ours."""

    def __init__(self) -> None:
        now_ns = time.time_ns()
        minute_ns = 60 * _NS
        starts_ns = now_ns - now_ns % minute_ns + minute_ns - _MINUTE_ENDS_AFTER_S * _NS
        self.at_ns = starts_ns - _BEFORE_S * _NS
        self._offset_ns: int | None = None

    def now_ns(self) -> int:
        """What the exchange takes for the time."""
        if self._offset_ns is None:
            return self.at_ns
        return time.time_ns() + self._offset_ns

    def go(self) -> None:
        """From here on it runs by itself."""
        self._offset_ns = self.at_ns - time.time_ns()


async def trade_on_venue(examples: Path, data: Path, out: Path, seconds: float) -> dict[str, Any]:
    """Trades for some seconds, with the connections cut twice.

    Args:
        examples: Where the strategies are.
        data: Where the recording is.
        out: Folder for the two runs; what an earlier demo left in it is removed.
        seconds: How long.

    Returns:
        `live` and `paper` as their `run.json` has the end, `cuts`, and if the `law` holds of both.
    """
    from veloz.environments.law import check_law
    from veloz.environments.live import live
    from veloz.environments.paper import paper
    from veloz.environments.trading.lifetime import Home, Stop
    from veloz.net.real import real_doors
    from veloz.secrets import Credential

    shutil.rmtree(out, ignore_errors=True)
    simulation, clock = _venue(data)
    stop, told = Stop(), list[str]()
    async with real_doors() as venue, real_doors() as doors, real_doors() as others:
        shape = await simulation.serve(venue.sockets)
        clock.go()
        beating = asyncio.create_task(simulation.run())
        simulation.faults.load({"plan": [_cut(seconds / 3), _cut(seconds * 2 / 3)]})
        asyncio.get_running_loop().call_later(seconds, stop.asked.set)
        key = simulation.accounts[0]
        credential = Credential("demo", "binance", "simulated", key.api_key, key.secret, "")
        home = Home(out / "home")
        doors.files.make_folder(out)
        ended = await asyncio.gather(
            live(
                _settings("live", examples, out, shape),
                credential,
                doors,
                home,
                stop,
                confirm=lambda _plan: True,
                tell=lambda name, _fields: told.append(name),
            ),
            paper(_settings("paper", examples, out, shape), others, home, stop),
        )
        beating.cancel()
        await asyncio.gather(beating, return_exceptions=True)
        laws = [check_law(doors.files, out / name) for name in ("live", "paper")]
    return {
        "live": ended[0],
        "paper": ended[1],
        "cuts": simulation.faults.counts().get("F-A02", 0),
        "law": all(law.holds for law in laws),
    }


def _venue(data: Path) -> tuple[Simulation, VenueTime]:
    """The exchange, with some of the recording behind it."""
    from veloz.exchange.exchange import Exchange
    from veloz.exchange.words import Market
    from veloz.venues.binance.dialect import (
        Recording,
        Simulation,
        default_listings,
        read_recording,
    )

    clock = VenueTime()
    dice = [random.Random(number) for number in (1, 2)]  # noqa: S311 - play money
    exchange = Exchange(default_listings(), now_ns=clock.now_ns, random=dice[0])
    simulation = Simulation(exchange, clock_ns=clock.now_ns, random=dice[1])
    simulation.drivers.append(Recording(exchange, read_recording(data / RECORDING)))
    simulation.open_account({(Market.USDM, "USDT"): Decimal(100_000)})
    simulation.beat()
    for _ in range(_BEFORE_S * 4):
        clock.at_ns += _NS // 4
        simulation.beat()
    return simulation, clock


def _settings(environment: Any, examples: Path, out: Path, shape: Any) -> TradingSettings:
    import json

    from veloz.environments.trading.addresses import of_simulated
    from veloz.environments.trading.settings import Seat, TradingSettings

    return TradingSettings(
        environment=environment,
        seats=tuple(Seat(str(examples / file), values) for file, values in STRATEGIES),
        folder=out / environment,
        hosts=of_simulated(json.dumps(shape)),
        account=f"binance/demo-{environment}",
        balance={"USDT": Decimal(100_000)},
        records_market=True,
    )


def _cut(after_s: float) -> dict[str, Any]:
    return {"fault": "F-A02", "when": {"at_ms": int(after_s * 1000)}, "args": {}}


def text(shape: dict[str, Any]) -> str:
    """The act for a reader."""
    live, paper = shape["live"], shape["paper"]
    lost = live["sessions"]["usdm"]["events"]["holes"]
    lines = [
        f"Both on a simulated exchange fed by the recording, {live['seconds']:.0f} s over loopback",
        f"  orders  {live['orders']:,}, fills {live['fills']:,}; on paper {paper['orders']:,} and "
        f"{paper['fills']:,}",
        f"  cut     {shape['cuts']} times; the private stream was lost {lost} times and repaired",
        "  ledger  " + ("reconciled: every fill once, balances equal" if not live["differences"]
                        else f"{len(live['differences'])} differences from the exchange"),
        "  law     " + ("both journals recover, and verify byte for byte" if shape["law"]
                        else "a run does not verify; `veloz verify` names the difference"),
    ]  # fmt: skip
    return "\n".join(lines)
