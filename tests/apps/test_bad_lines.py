"""Command lines that cannot be right: one sentence, a code that is not zero, and no traceback."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from veloz.apps import cli

USAGE, CONFIG, DATA, STRATEGY = 2, 3, 4, 5
VECTORS = Path(__file__).parents[1] / "vectors" / "journal"
STRATEGY_FILE = """\
from veloz import Bars, Strategy


class Mine(Strategy):
    bars = Bars("binance:BTC/USDT", "1m")

    def on_bar(self, bar):
        pass
"""
KEY = 'venue = "binance"\nenvironment = "live"\napi_key = "abcdefgh"\nsecret = "12345678"\n'
PAPER = ["run", "mine.py", "--env", "paper"]
LIVE = ["run", "mine.py", "--env", "live"]
ASK = ["reconcile", "--account", "key.toml"]

LINES: list[tuple[list[str], int, str]] = [
    # run
    (["run"], USAGE, "the following arguments are required"),
    (["run", "mine.py"], USAGE, "--env"),
    (["run", "mine.py", "--env", "real"], USAGE, "invalid choice: 'real'"),
    (["run", "nowhere.py", "--env", "paper"], STRATEGY, "there is no strategy file nowhere.py"),
    ([*PAPER, "--set", "fast"], CONFIG, "'fast' is not NAME=VALUE"),
    ([*PAPER, "--set", "Other.fast=1"], CONFIG, "there is no strategy Other"),
    ([*PAPER, "--set", "speed=1"], CONFIG, "unknown parameter 'speed'"),
    ([*PAPER, "--limit", "max=1"], CONFIG, "there is no risk limit 'max'"),
    ([*PAPER, "--policy", "never"], USAGE, "invalid choice: 'never'"),
    ([*PAPER, "--for", "soon"], USAGE, "--for soon"),
    ([*PAPER, "--for", "0s"], USAGE, "--for 0s"),
    ([*PAPER, "--for", "9" * 400 + "d"], USAGE, "--for 999"),
    ([*PAPER, "--seed", "x"], USAGE, "invalid int value: 'x'"),
    ([*PAPER, "--seed", "-1"], CONFIG, "the seed -1 is not a whole number"),
    ([*PAPER, "--balance", "lots"], CONFIG, "balance 'lots'"),
    ([*PAPER, "--balance", "1e999999999 USDT"], CONFIG, "1e999999999"),
    ([*PAPER, "--balance", "NaN USDT"], CONFIG, "NaN"),
    ([*PAPER, "--leverage", "0"], CONFIG, "leverage '0'"),
    ([*PAPER, "--leverage", "9" * 400], CONFIG, "is not a whole number from 1 to 125"),
    ([*PAPER, "--maintenance", "half"], CONFIG, "maintenance 'half' is not a number"),
    ([*PAPER, "--maintenance", "5"], CONFIG, "maintenance 5 is not a fraction"),
    ([*PAPER, "--fees", "five"], CONFIG, "five"),
    ([*PAPER, "--latency", "-5ms"], USAGE, "--latency"),
    ([*PAPER, "--latency", "later"], CONFIG, "later"),
    ([*PAPER, "--latency", "entry=5ms;report=soon"], CONFIG, "soon"),
    ([*PAPER, "--latency", "middle=5ms"], CONFIG, "middle=5ms"),
    ([*PAPER, "--fill", "magic"], CONFIG, "magic"),
    ([*PAPER, "--fill", "queue=magic"], CONFIG, "magic"),
    ([*PAPER, "--fill", "magic=queue"], CONFIG, "magic"),
    ([*PAPER, "--limit", "price_band_bps=-5"], CONFIG, "price_band_bps"),
    ([*PAPER, "--hosts", "missing.toml"], CONFIG, "missing.toml"),
    ([*PAPER, "--hosts", "bytes.bin"], CONFIG, "bytes.bin"),
    ([*PAPER, "--hosts", "folder"], CONFIG, "folder"),
    ([*PAPER, "--hosts", "hosts.toml"], CONFIG, "'nowhere' is unknown"),
    ([*PAPER, "--simulated", "{}"], CONFIG, "not the line that `veloz exchange --json` prints"),
    ([*PAPER, "--simulated", "[" * 100_000], CONFIG, "not the line"),
    ([*PAPER, "--simulated", "{}", "--hosts", "x"], USAGE, "not allowed with"),
    ([*PAPER, "--live"], USAGE, "belong to --env live"),
    ([*PAPER, "--account", "key.toml"], USAGE, "belong to --env live"),
    (LIVE, USAGE, "trades with real orders"),
    ([*LIVE, "--live"], USAGE, "needs a key"),
    ([*LIVE, "--live", "--account", "missing.toml"], CONFIG, "there is no key file"),
    ([*LIVE, "--live", "--account", "open.toml"], CONFIG, "others can read the key file"),
    ([*LIVE, "--live", "--account", "bytes.bin"], CONFIG, "bytes.bin"),
    ([*LIVE, "--live", "--account", "folder"], CONFIG, "folder"),
    ([*LIVE, "--live", "--account", "key.toml", "--latency", "later"], CONFIG, "later"),
    # reconcile
    (["reconcile"], USAGE, "--account"),
    (["reconcile", "--account", "missing.toml"], CONFIG, "there is no key file"),
    ([*ASK, "--statement", "2026-05-04"], USAGE, "say --folder RUN"),
    ([*ASK, "--statement", "soon", "--folder", "folder"], DATA, "'soon' is not a time"),
    ([*ASK, "--statement", "0001-01-01", "--folder", "folder"], DATA, "is no time from 1678"),
    ([*ASK, "--market", "margin"], USAGE, "invalid choice: 'margin'"),
    ([*ASK, "--hosts", "bytes.bin"], CONFIG, "bytes.bin"),
    ([*ASK, "--simulated", "null"], CONFIG, "not the line"),
    # journal
    (["journal"], USAGE, "WHAT"),
    (["journal", "look", "folder"], USAGE, "invalid choice: 'look'"),
    (["journal", "ls", "nowhere"], DATA, "holds no trading journal"),
    (["journal", "ls", "folder"], DATA, "holds no trading journal"),
    (["journal", "verify", "folder"], DATA, "holds no trading journal"),
    (["journal", "tail", "folder"], DATA, "holds no trading journal"),
    (["journal", "ls", "good", "--stream", "market"], DATA, "holds no market journal"),
    (["journal", "tail", "good", "-n", "many"], USAGE, "invalid int value"),
    (["journal", "tail", "good", "-n", "-5"], USAGE, "-n -5"),
    (["journal", "tail", "good", "--record", "Nothing"], USAGE, "there is no record 'Nothing'"),
    (["journal", "ls", "other"], DATA, "other"),
    (["journal", "tail", "other"], DATA, "other"),
    (["journal", "ls", "broken"], DATA, "does not match its checksum"),
    (["journal", "tail", "broken"], DATA, "does not match its checksum"),
    # exchange
    (["exchange", "--listen", "here"], USAGE, "say HOST:PORT"),
    (["exchange", "--listen", ":80"], USAGE, "say HOST:PORT"),
    (["exchange", "--listen", "127.0.0.1:99999"], USAGE, "99999"),
    (["exchange", "--market", "moon"], USAGE, "no source of a market"),
    (["exchange", "--market", "recording"], USAGE, "no source of a market"),
    (["exchange", "--market", "generator", "x"], USAGE, "no source of a market"),
    (["exchange", "--market", "recording", "missing.gz"], DATA, "missing.gz"),
    (["exchange", "--market", "recording", "bytes.bin"], DATA, "bytes.bin"),
    (["exchange", "--market", "recording", "folder"], DATA, "folder"),
    (["exchange", "--speed", "fast"], USAGE, "invalid float value"),
    (["exchange", "--speed", "nan"], USAGE, "--speed nan"),
    (["exchange", "--speed", "0"], USAGE, "--speed 0"),
    (["exchange", "--rate", "-1"], USAGE, "--rate -1"),
    (["exchange", "--rate", "inf"], USAGE, "--rate inf"),
    (["exchange", "--accounts", "0"], USAGE, "--accounts 0"),
    (["exchange", "--accounts", "1000000000"], USAGE, "--accounts 1000000000"),
    (["exchange", "--balance", "much"], USAGE, "--balance much"),
    (["exchange", "--balance", "nan"], USAGE, "--balance nan"),
    (["exchange", "--balance", "-1"], USAGE, "--balance -1"),
    (["exchange", "--balance", "1e99999"], USAGE, "--balance 1e99999"),
    (["exchange", "--faults", "missing.json"], DATA, "missing.json"),
    (["exchange", "--faults", "bytes.bin"], CONFIG, "not JSON"),
    (["exchange", "--faults", "list.json"], CONFIG, "a fault plan is an object"),
    (["exchange", "--faults", "plan.json"], CONFIG, "'F-Z99' is not one of this venue's"),
    (["exchange", "--faults", "delay.json"], CONFIG, "delay_ms cannot be 'soon'"),
    # dst
    (["dst"], USAGE, "ACTION"),
    (["dst", "run"], USAGE, "--seeds"),
    (["dst", "run", "--seeds", "few"], USAGE, "not a range of seeds"),
    (["dst", "run", "--seeds", "5..1"], USAGE, "not a range of seeds"),
    (["dst", "run", "--seeds", "-1"], USAGE, "--seeds"),
    (["dst", "run", "--seeds", "9" * 5000], USAGE, "not a range of seeds"),
    (["dst", "run", "--seeds", "1", "--scenario", "moon"], USAGE, "invalid choice: 'moon'"),
    (["dst", "run", "--seeds", "1", "--plan", "missing.json"], DATA, "missing.json"),
    (["dst", "run", "--seeds", "1", "--plan", "bytes.bin"], DATA, "bytes.bin"),
    (["dst", "run", "--seeds", "1", "--plan", "list.json"], CONFIG, "the plan"),
    (["dst", "run", "--seeds", "1", "--plan", "plan.json"], CONFIG, "F-Z99"),
    (["dst", "run", "--seeds", "1", "--plan", "deep.json"], CONFIG, "the plan is not JSON"),
]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with things that are not what the words say they are."""
    (tmp_path / "mine.py").write_text(STRATEGY_FILE)
    (tmp_path / "bytes.bin").write_bytes(bytes(range(128, 256)))
    (tmp_path / "bytes.bin").chmod(0o600)
    (tmp_path / "key.toml").write_text(KEY)
    (tmp_path / "key.toml").chmod(0o600)
    (tmp_path / "open.toml").write_text(KEY)
    (tmp_path / "open.toml").chmod(0o644)
    (tmp_path / "hosts.toml").write_text('nowhere = "x"\n')
    (tmp_path / "list.json").write_text("[]")
    (tmp_path / "deep.json").write_text("[" * 100_000)
    (tmp_path / "plan.json").write_text('{"plan": [{"fault": "F-Z99", "when": {"at_ms": 1}}]}')
    (tmp_path / "delay.json").write_text(
        '{"plan": [{"fault": "F-C02", "args": {"delay_ms": "soon"}}]}'
    )
    (tmp_path / "folder").mkdir()
    for name in ("good", "other", "broken"):
        (tmp_path / name).mkdir()
    for path in VECTORS.glob("trading-*.vj"):
        shutil.copy(path, tmp_path / "good")
    (tmp_path / "other" / "trading-000001.vj").write_bytes(b"\x89PNG\r\n" * 30)
    image = bytearray((VECTORS / "trading-000001.vj").read_bytes())
    image[len(image) // 2] ^= 1
    (tmp_path / "broken" / "trading-000001.vj").write_bytes(bytes(image))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VELOZ_HOME", str(tmp_path / "home"))
    return tmp_path


def names(place: Path) -> list[str]:
    """What lies there, besides the interpreter's own cache."""
    return sorted(path.name for path in place.iterdir() if path.name != "__pycache__")


@pytest.mark.parametrize(("words", "code", "sentence"), LINES, ids=lambda v: str(v)[:60])
def test_a_bad_command_line_says_why_in_one_sentence(
    place: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
    code: int,
    sentence: str,
) -> None:
    there = names(place)
    ended = cli.main(words)
    told = capsys.readouterr()
    lines = told.err.splitlines()
    assert lines, told.out
    assert lines[0].startswith("error: "), told.err
    assert sentence in told.err
    assert "Traceback" not in told.err
    assert "unexpected" not in told.err
    assert len(told.err) < 3_000
    # a hint may show, indented, what a file should hold
    assert all(line.startswith(("hint:  ", "  ")) for line in lines[1:])
    assert ended == code
    assert names(place) == there, "something was written"
