"""When nothing can go on: a disk that refuses, a full one, and an engine that stopped for good."""

from __future__ import annotations

import asyncio
import errno
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.strategies import Churn
from tests.runtime.world import FOLDER, RHYTHM, Place
from veloz.apps.cli import EXIT_CODES
from veloz.environments.law import check_law
from veloz.environments.trading.connection import signer_of
from veloz.environments.trading.lifetime import Home, Stop
from veloz.environments.trading.run import TradingRun
from veloz.environments.trading.settings import Rhythm, Seat
from veloz.errors import DataError, VelozError
from veloz.exchange.words import Market
from veloz.net.doors import Doors
from veloz.secrets import Credential
from veloz.storage.journal_tail import door_tail
from veloz.storage.journal_writer import Room

FILE = str(Path(__file__).parent / "strategies.py")
SYMBOL = "binance:BTC/USDT:USDT"


def waiting(**parameters: object) -> Seat:
    return Seat(f"{FILE}:Waiting", {"symbol": SYMBOL, **parameters})


def left_open(place: Place) -> int:
    """Orders that rest at the venue, and stops that wait there."""
    owner, market = place.owner, Market.USDM
    algos = place.exchange.algo_orders(owner, market, only_open=True)
    return len(place.exchange.open_orders(owner, market)) + len(algos)


def exit_code(error: VelozError) -> int:
    return next((code for kind, code in EXIT_CODES if isinstance(error, kind)), 6)


@pytest.mark.parametrize(
    ("call", "code"), [("fdatasync", errno.EIO), ("pwrite", errno.EIO), ("pwrite", errno.ENOSPC)]
)
def test_a_journal_that_the_disk_refuses_ends_the_run_and_cancels_what_is_open(
    call: str, code: int
) -> None:
    place = Place(21)
    disk = place.world.host("engine").disk

    async def main() -> DataError:
        async with place.open():
            settings = place.settings("live", waiting(), records_market=call == "pwrite")
            task = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
            await asyncio.sleep(12.0)
            assert left_open(place) == 2
            disk.fail(call, code, times=10**6)
            with pytest.raises(DataError) as refused:
                await asyncio.wait_for(task, 60.0)
            assert left_open(place) == 0
            disk.mend()
            # The same folder goes on: what was cancelled meanwhile is found.
            place.world.host("engine").kill()
            outcome = await place.trade_for(place.settings("live", waiting()), 60.0)
            assert outcome["differences"] == []
            return refused.value

    error = place.world.run(main())
    said = str(error)
    assert said.startswith("the run ended: the journal /runs/one/trading-000001.vj is sealed: ")
    assert str(error.hint) == (
        "look at the cause, then start again in the same folder: it recovers"
    )
    assert exit_code(error) == 4
    assert place.words("rescued") == [{"cancelled": ["BTCUSDT"], "left": []}]
    assert [row["kind"] for row in place.words("journal")][-1] == "sealed"


def test_where_the_venue_is_out_of_reach_too_its_own_countdown_cancels() -> None:
    place = Place(22)
    disk, network = place.world.host("engine").disk, place.world.network

    async def main() -> None:
        async with place.open():
            rhythm = Rhythm(reconcile_s=20.0, countdown_s=20.0)
            settings = place.settings("live", waiting(has_stop=0), rhythm=rhythm)
            task = asyncio.create_task(place.trade(settings, place.boot(), Stop()))
            await asyncio.sleep(12.0)
            assert left_open(place) == 1
            network.refuse = lambda dial: "connect" if dial.caller == "engine" else None
            for link in list(network.links):
                link.cut("the network is gone")
            disk.fail("pwrite", errno.EIO, times=10**6)
            with pytest.raises(DataError, match="is sealed"):
                await asyncio.wait_for(task, 120.0)
            await asyncio.sleep(25.0)
            assert left_open(place) == 0

    place.world.run(main())
    assert place.words("rescued") == [{"cancelled": [], "left": ["BTCUSDT"]}]


def test_a_full_disk_lets_only_cancels_leave_until_there_is_room_again() -> None:
    place = Place(23)
    disk = place.world.host("engine").disk
    room = Room(segment_bytes=1 << 16, reserve_bytes=1 << 15)
    whole = disk.capacity

    def used() -> int:
        return sum(disk.size(folder / name) for folder in (FOLDER,) for name in disk.list(folder))

    async def main() -> dict[str, Any]:
        async with place.open():
            stop = Stop()
            seat = Seat(f"{FILE}:Churn", {"symbol": SYMBOL, "step": 100})
            # No snapshots: they are files too, and this is about the journal.
            settings = place.settings("live", seat, rhythm=Rhythm(snapshot_s=1e6))
            task = asyncio.create_task(place.trade(settings, place.boot(), stop, room=room))
            await asyncio.sleep(8.0)
            disk.capacity = 0
            for _ in range(600):
                await asyncio.sleep(0.1)
                if [row for row in place.words("journal") if row["kind"] == "no_room"]:
                    break
            await asyncio.sleep(8.0)
            rejected = place.words("status")[-1]
            sent = len(place.exchange.all_orders(place.owner, Market.USDM, "BTCUSDT"))
            await asyncio.sleep(2.0)
            assert len(place.exchange.all_orders(place.owner, Market.USDM, "BTCUSDT")) == sent
            assert not task.done(), rejected
            disk.capacity = whole
            await asyncio.sleep(6.0)
            assert len(place.exchange.all_orders(place.owner, Market.USDM, "BTCUSDT")) > sent
            stop.ask()
            return await task

    outcome = place.world.run(main())
    kinds = [row["kind"] for row in place.words("journal")]
    assert [kind for kind in kinds if "room" in kind] == ["no_room", "room_again"]
    assert outcome["differences"] == []
    assert outcome["wound_down"]


def live_run(place: Place, doors: Doors, *seats: Seat) -> TradingRun:
    """A run whose engine the test can reach."""
    key = place.key
    credential = Credential("test", "binance", "simulated", key.api_key, key.secret, "")
    home = Home(Path("/home/veloz"), make_tail=door_tail(doors.files, doors.threads))
    return TradingRun(
        place.settings("live", *seats, rhythm=RHYTHM),
        doors,
        home,
        signer=signer_of(credential),
        tell=place.tell,
    )


@pytest.mark.parametrize("where", ["frame", "upkeep"])
def test_an_engine_that_stops_for_good_ends_the_run_and_cancels_what_is_open(where: str) -> None:
    place = Place(24)
    most = {"asset": "USDT", "amount": "1" + "0" * 30, "why": "gift"}

    async def main() -> VelozError:
        async with place.open():
            run = live_run(place, place.boot(), waiting())
            task = asyncio.create_task(run.run(Stop()))
            await asyncio.sleep(12.0)
            assert left_open(place) == 2
            # More money than fits: no input can follow it.
            run.shell.input("cash", **most)
            if where == "frame":
                run.shell.input("cash", **most)
            else:
                with pytest.raises(RuntimeError, match="stopped for good"):
                    run.engine.input("cash", run.shell.now_ns(), **most)
            with pytest.raises(VelozError) as ended:
                await asyncio.wait_for(task, 90.0)
            assert left_open(place) == 0
            return ended.value

    error = place.world.run(main())
    assert str(error).startswith("the run ended: the engine stopped for good, only cancels leave: ")
    assert exit_code(error) == 6
    assert len(place.words("failed")) == 1


def test_a_tape_that_the_disk_refuses_ends_the_record_and_not_the_run() -> None:
    place = Place(25)
    host = place.world.host("engine")

    class Picky:
        """The disk, but for the market's file."""

        def __init__(self, disk: Any) -> None:
            self.disk = disk
            self.tapes: set[int] = set()

        def __getattr__(self, name: str) -> Any:
            return getattr(self.disk, name)

        def open_segment(self, path: Path, size: int) -> int:
            fd = self.disk.open_segment(path, size)
            if path.name.startswith("market-"):
                self.tapes.add(fd)
            return fd

        def pwrite(self, fd: int, data: bytes, offset: int) -> None:
            if fd in self.tapes and offset > 20_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            self.disk.pwrite(fd, data, offset)

    async def main() -> dict[str, Any]:
        async with place.open():
            doors = place.boot()
            files: Any = Picky(doors.files)
            doors = Doors(
                doors.clock, doors.random, files, doors.sockets, doors.http, doors.threads
            )
            stop = Stop()
            asyncio.get_running_loop().call_later(20.0, stop.ask)
            seat = Seat(f"{FILE}:{Churn.__name__}", {"symbol": SYMBOL, "step": 200})
            settings = place.settings("live", seat, records_market=True)
            return await place.trade(settings, doors, stop)

    outcome = place.world.run(main())
    assert outcome["fills"] > 5
    assert outcome["differences"] == []
    (told,) = [row for row in place.words("journal") if row["kind"] == "market"]
    assert "the run cannot be verified: [Errno 28]" in told["detail"]
    law = check_law(host.disk, FOLDER)
    assert law.difference is not None
    assert "the recorded market ends at message" in law.difference
    assert law.recovered == law.recorded
