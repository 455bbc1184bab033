"""Files that others may have written, damaged or put in place of ours."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.fuzz.damage import json_damage, raw_damage, text_damage
from tests.fuzz.parser import NAMED, Parser
from veloz._core import Journal, JournalReader, SegmentCursor, read_snapshot
from veloz.environments.trading.addresses import of_file, of_simulated
from veloz.environments.trading.folder import raise_epoch, read_json
from veloz.environments.trading.tables import Tables
from veloz.net.limits import Bucket, Leases
from veloz.net.real.host import RealFiles
from veloz.net.simulated import SimulatedClock, VirtualLoop
from veloz.secrets import read_credential
from veloz.storage import journal as journals
from veloz.storage.catalogue import Catalogue
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files
from veloz.storage.instruments import read_instruments
from veloz.storage.journal import JournalBroken
from veloz.storage.journal_cursor import JournalCursor
from veloz.storage.journal_resume import open_journal
from veloz.storage.snapshots import snapshot_bytes

__all__ = ["PARSERS"]

ACCOUNT = "sim/main"
BARS = b"time,open,high,low,close,volume\n" + b"".join(
    b"2024-01-01 00:%02d:00,42000.1,42010,41990.5,42005,1.25\n" % minute for minute in range(6)
)
TRADES = b"time,price,qty,side,trade_id\n" + b"".join(
    b"17040672000%02d,42000.1,0.5,buy,%d\n" % (n, n) for n in range(6)
)
DUMP = b"".join(
    b"17040672%02d000,42000,42010,41990,42005,1.25,17040672%02d999,52500,3,0.5,21000,0\n"
    % (n, n + 59)
    for n in (0,)
)


@dataclass
class _Bytes:
    """A reader of bytes."""

    corpus: Sequence[bytes]
    take: Callable[[bytes], object]

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        return self.take(data) is not None

    def state(self) -> object:
        return None


@dataclass
class _File:
    """A reader of a file."""

    path: Path
    corpus: Sequence[bytes]
    take: Callable[[Path], object]
    mode: int = 0o644

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        self.path.write_bytes(data)
        self.path.chmod(self.mode)
        return self.take(self.path) is not None

    def state(self) -> object:
        return None


def batches(count: int = 6) -> bytes:
    """A closed journal segment."""
    journal = Journal(ACCOUNT, "test")
    for number in range(count):
        journal.save(number, bytes(range(40)) * (1 + number))
    return journal.close()


class _Segments:
    """A journal's folder; a damaged segment is refused, cut at its tail, or whole."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "trading-000001.vj"
        vectors = Path(__file__).parents[1] / "vectors" / "journal"
        self.corpus = [
            batches(),
            batches(1),
            *(p.read_bytes() for p in sorted(vectors.glob("*.vj"))),
        ]
        self.corpus = [body for body in self.corpus if len(body) < 200_000]
        self._states = [self._batches(body) for body in self.corpus]

    @staticmethod
    def _batches(body: bytes) -> list[object]:
        found, offset = list[object](), 0
        reader = JournalReader(body)
        while offset is not None:
            rows, offset = reader.records(offset, 1_000)
            found += rows
        return found

    def read(self, data: bytes, kind: int) -> bool:
        for old in self._folder.iterdir():
            old.unlink()
        self._path.write_bytes(data)
        check = journals.verify(self._folder)
        if check.trouble is None and data[: len(self.corpus[kind])] != self.corpus[kind]:
            # What it takes for whole is a beginning of what was written.
            seen = self._batches(data)
            assert seen == self._states[kind][: len(seen)], "invented or changed"
        with JournalCursor(self._folder) as cursor:
            while cursor.read():
                pass
        found = open_journal(RealFiles(), self._folder, account=ACCOUNT)
        return found.sequence > 0

    def state(self) -> object:
        return None


def _segment_cursor(data: bytes) -> object:
    size = 14 + int.from_bytes(data[10:14], "little") + 4
    cursor = SegmentCursor(data[:size])
    return cursor.read(data[size:], 1_000)


def _snapshot(data: bytes) -> object:
    return read_snapshot(data)


KEY_FILE = (
    b'name = "main"\nvenue = "binance"\nenvironment = "testnet"\napi_key = "abcdef"\n'
    b'secret = "0123456789abcdef"\n'
)
ADDRESSES = (
    b'environment = "testnet"\nproxy = "socks5://127.0.0.1:1080"\n\n[spot]\n'
    b'rest = "https://testnet.binance.vision"\nstreams = "wss://stream.testnet.binance.vision"\n'
    b'ws_api = "wss://ws-api.testnet.binance.vision/ws-api/v3"\n'
)
INSTRUMENTS = (
    b'[[instruments]]\nsymbol = "binance:BTC/USDT:USDT"\ntick = "0.1"\nlot = "0.001"\n'
    b'min_qty = "0.001"\nmin_notional = "5"\nmaker_fee = "0.0002"\ntaker_fee = "0.0005"\n'
)
SIMULATED = json.dumps(
    {
        **{
            market: {
                "rest": "http://127.0.0.1:8000",
                "ws": "ws://127.0.0.1:8000",
                "ws_api": "ws://127.0.0.1:8000/ws-api/v3",
            }
            for market in ("spot", "usdm", "coinm")
        },
        "accounts": [],
    }
).encode()
TABLES = Tables((("USDT", 8),), ({"symbol": "binance:BTC/USDT"},), ("spot",), (1,), (5,)).text()


class _Leases:
    """The file in which processes of one address share the venue's limits."""

    corpus = (b'{"weight-1m@60@28333333": 120}', b"{}")

    def __init__(self, folder: Path) -> None:
        self._loop = VirtualLoop()
        self._clock = SimulatedClock(self._loop)
        self._path = folder / "leases.json"

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        self._path.write_bytes(data)
        leases = Leases(RealFiles(), self._path, self._clock, is_engine=True)
        bucket = Bucket("weight-1m", 6_000, 60)
        return leases.take([(bucket, 5)])

    def state(self) -> object:
        return None

    def close(self) -> None:
        self._loop.close()


class _Import:
    """`veloz data import`: all of a file or nothing, and the catalogue opens afterwards."""

    def __init__(self, folder: Path, name: str, corpus: Sequence[bytes], **options: Any) -> None:
        self._path = folder / name
        self._root = folder / "catalog"
        self._options = Options(**{"symbol": "binance:BTC/USDT:USDT", **options})
        self.corpus = corpus

    def read(self, data: bytes, kind: int) -> bool:
        del kind
        if self._root.exists():
            shutil.rmtree(self._root)
        self._path.write_bytes(data)
        try:
            import_files([self._path], self._root, self._options)
        except BaseException:
            assert not self._root.exists() or not Catalogue(self._root).symbols()
            raise
        catalogue = Catalogue(self._root)
        assert catalogue.symbols() is not None
        return True

    def state(self) -> object:
        return None


def _zip_of(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def _zip_damage(data: bytes, dice: Random) -> bytes:
    """Half of the time the archive, else what is in it."""
    if dice.random() < 0.5:
        return raw_damage(data, dice)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            name = archive.namelist()[0]
            return _zip_of(name, text_damage(archive.read(name), dice))
    except (zipfile.BadZipFile, IndexError, OSError, ValueError, NotImplementedError, EOFError):
        return raw_damage(data, dice)
    except Exception:
        return raw_damage(data, dice)


def _parquet() -> bytes:
    columns = {
        "time": pa.array([1_704_067_200_000 + 60_000 * n for n in range(6)]),
        **{name: pa.array([1.5, 2.0, 1.0, 1.5, 2.5, 2.0]) for name in ("open", "close")},
        "high": pa.array([9.0] * 6),
        "low": pa.array([0.5] * 6),
        "volume": pa.array([1.0] * 6),
    }
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def _capture() -> list[bytes]:
    folder = Path(__file__).parents[1] / "vectors" / "captures" / "binance_spot"
    with gzip.open(folder / "2021-10-12_4sym_depth_bookTicker_aggTrade_kline.jsonl.gz") as lines:
        rows = [line for line, _ in zip(lines, range(60), strict=False)]
    return [b"".join(rows), b"".join(rows[:8])]


def _epoch(path: Path) -> object:
    return raise_epoch(RealFiles(), path.parent, ACCOUNT, 1)


def _text(read: Callable[[str], object]) -> Callable[[bytes], object]:
    return lambda data: read(data.decode("utf-8", "surrogateescape"))


JOURNAL = (*NAMED, JournalBroken)
SNAPSHOT = snapshot_bytes(batches(1), 1, bytes(32), b"state" * 20)
BAR = {"interval": "1m"}

PARSERS = [
    Parser("journal.segment", _Segments, raw_damage, JOURNAL, rounds=100),
    Parser(
        "journal.cursor",
        lambda _f: _Bytes([batches()], _segment_cursor),
        raw_damage,
        (*JOURNAL, ValueError),
    ),
    Parser(
        "journal.snapshot",
        lambda _f: _Bytes([SNAPSHOT], _snapshot),
        raw_damage,
        (*JOURNAL, ValueError),
    ),
    Parser(
        "files.key",
        lambda f: _File(f / "key.toml", [KEY_FILE], read_credential, 0o600),
        text_damage,
    ),
    Parser(
        "files.addresses",
        lambda _f: _Bytes([ADDRESSES], _text(lambda t: of_file(t, "a.toml"))),
        text_damage,
    ),
    Parser("files.simulated", lambda _f: _Bytes([SIMULATED], _text(of_simulated))),
    Parser(
        "files.instruments",
        lambda f: _File(f / "i.toml", [INSTRUMENTS], read_instruments),
        text_damage,
        rounds=200,
    ),
    Parser("files.tables", lambda _f: _Bytes([TABLES], lambda d: Tables.of(d, "tables.json"))),
    Parser(
        "files.run",
        lambda f: _File(
            f / "run.json", [b'{"format": "veloz.trading/1"}'], lambda p: read_json(RealFiles(), p)
        ),
    ),
    Parser(
        "files.epoch",
        lambda f: _File(f / "account-sim-main.epoch", [b"7\n", b"123456"], _epoch),
        text_damage,
        rounds=150,
    ),
    Parser("files.leases", _Leases, rounds=60),
    Parser(
        "import.bars_csv", lambda f: _Import(f, "rows.csv", [BARS], **BAR), text_damage, rounds=8
    ),
    Parser(
        "import.trades_csv",
        lambda f: _Import(f, "rows.csv", [TRADES], kind="trade"),
        text_damage,
        rounds=8,
    ),
    Parser(
        "import.dump_zip",
        lambda f: _Import(
            f, "BTCUSDT-1m-2024-01-01.zip", [_zip_of("BTCUSDT-1m-2024-01-01.csv", DUMP)]
        ),
        _zip_damage,
        rounds=8,
    ),
    Parser(
        "import.parquet",
        lambda f: _Import(f, "rows.parquet", [_parquet()], **BAR),
        raw_damage,
        rounds=8,
    ),
    Parser("import.capture", lambda f: _Import(f, "rows.jsonl", _capture()), json_damage, rounds=8),
]
