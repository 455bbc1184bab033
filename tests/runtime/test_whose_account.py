"""One engine an account, whatever its key is called; and filters that changed while it was down."""

from __future__ import annotations

import asyncio
import contextlib
import json
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.test_in_memory import check_ledger, churn
from tests.runtime.world import FOLDER, HOME, Place
from veloz.environments.live import live
from veloz.environments.trading.lifetime import Home, Stop
from veloz.errors import ConfigError
from veloz.exchange.words import Market
from veloz.secrets import Credential
from veloz.storage.journal_tail import door_tail
from veloz.storage.journal_writer import Room


async def trade_as(
    place: Place, doors: Any, stop: Stop, name: str, key: Any, folder: Path
) -> dict[str, Any]:
    """A live run under a name and with a key of its own."""
    home = Home(
        HOME,
        make_tail=door_tail(doors.files, doors.threads),
        room=Room(segment_bytes=1 << 22, reserve_bytes=1 << 18),
    )
    credential = Credential(name, "binance", "simulated", key.api_key, key.secret, "")
    settings = place.settings("live", churn("usdm"), folder=folder)
    settings = replace(settings, account=f"binance/{name}")
    return await live(
        settings, credential, doors, home, stop, confirm=lambda _plan: True, tell=place.tell
    )


@pytest.mark.parametrize("is_other_key", [False, True])
def test_a_copy_of_the_key_file_and_a_second_key_are_the_same_account(is_other_key: bool) -> None:
    place = Place(91)
    key = place.key
    if is_other_key:
        venue = place.simulation.venue
        key = venue.keys.issue(place.owner, now_ms=venue.now_ms())

    async def main() -> None:
        async with place.open():
            doors, stop = place.boot(), Stop()
            first = asyncio.create_task(
                trade_as(place, doors, stop, "main", place.key, Path("/runs/one"))
            )
            await asyncio.sleep(10.0)
            with pytest.raises(ConfigError, match="binance/copy is in use by another process"):
                await trade_as(place, doors, Stop(), "copy", key, Path("/runs/two"))
            stop.ask()
            await first

    place.world.run(main())


def test_two_accounts_trade_beside_each_other() -> None:
    place = Place(92)
    other = place.simulation.open_account({(Market.USDM, "USDT"): Decimal(100_000)})

    async def main() -> list[dict[str, Any]]:
        async with place.open():
            doors, stop = place.boot(), Stop()
            asyncio.get_running_loop().call_later(20.0, stop.ask)
            return await asyncio.gather(
                trade_as(place, doors, stop, "main", place.key, Path("/runs/one")),
                trade_as(place, doors, stop, "other", other, Path("/runs/two")),
            )

    for outcome in place.world.run(main()):
        assert outcome["differences"] == []
        assert outcome["fills"] > 5


@pytest.mark.parametrize("has_snapshot", [False, True])
def test_filters_that_changed_are_taken_over_at_a_restart(has_snapshot: bool) -> None:
    place = Place(93)
    host = place.world.host("engine")
    seconds = 25.0 if has_snapshot else 10.0

    async def main() -> dict[str, Any]:
        async with place.open():
            settings = place.settings("live", churn("usdm", step=200))
            first = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
            await asyncio.sleep(seconds)
            assert has_snapshot == any("snapshot" in name for name in host.disk.list(FOLDER))
            host.kill()
            first.cancel()
            with contextlib.suppress(asyncio.CancelledError, Exception):
                await first
            for listing in place.exchange.listings(Market.USDM):
                if listing.symbol == "BTCUSDT":
                    lot = replace(listing.lot, minimum=Decimal("0.02"), step=Decimal("0.02"))
                    changed = replace(listing, tick=Decimal("0.5"), lot=lot)
                    place.exchange.list_symbol(changed)
            await asyncio.sleep(3.0)
            settings = place.settings("live", churn("usdm", qty="0.02"))
            return await place.trade_for(settings, 60.0)

    outcome = place.world.run(main())
    (told,) = [row["change"] for row in place.words("instrument_changed")]
    assert told.startswith("binance:BTC/USDT:USDT: ")
    assert "tick 10 → 50" in told
    assert "lot 1 → 20" in told
    assert (outcome["refused"], outcome["rejected"]) == (0, 0)
    assert outcome["differences"] == []
    check_ledger(place, outcome, ["usdm"])
    tables = json.loads(host.disk.read(FOLDER / "tables.json"))
    (earlier,) = tables["earlier"]
    assert (earlier["tick"], tables["instruments"][0]["tick"]) == (10, 50)
    assert tables["instruments"][0]["valid_from_ns"] > earlier["valid_from_ns"]
    # another start changes nothing more
    assert len(place.words("recovered")) == 1


def test_filters_finer_than_the_journal_can_say_need_a_new_folder() -> None:
    place = Place(94)

    async def main() -> None:
        async with place.open():
            await place.trade_for(place.settings("live", churn("usdm")), 10.0)
            for listing in place.exchange.listings(Market.USDM):
                if listing.symbol == "BTCUSDT":
                    finer = replace(listing, tick=Decimal("0.0001"), price_precision=4)
                    place.exchange.list_symbol(finer)
            with pytest.raises(ConfigError, match=r"tick of .* is now 0.0001, finer than the 2"):
                await place.trade_for(place.settings("live", churn("usdm")), 10.0)

    place.world.run(main())
