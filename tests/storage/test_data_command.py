"""`veloz data` as a user types it: what it prints, its JSON and its exit codes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ROOT / "examples/data/binance_usdm/BTCUSDT_2023-04-04_5min.jsonl.gz"

Veloz = Callable[..., CompletedProcess[str]]


def shape(verb: str) -> Draft202012Validator:
    page = (ROOT / "docs/data-guide.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```json\n(.*?)^```$", page, re.M | re.S)
    title = f"what veloz data {verb} --json prints"
    (found,) = (s for s in map(json.loads, blocks) if s["title"] == title)
    Draft202012Validator.check_schema(found)
    assert not Draft202012Validator(found).is_valid({"surely": "not this"})
    return Draft202012Validator(found)


def last_object(ended: CompletedProcess[str]) -> dict:
    return json.loads(ended.stdout.splitlines()[-1])


@pytest.mark.timeout(120)
def test_import_ls_head_and_check_of_a_recording(veloz: Veloz) -> None:
    ended = veloz("data", "import", RECORDING, "--json")
    assert ended.returncode == 0, ended.stderr
    assert ended.stderr == ""
    result = last_object(ended)
    shape("import").validate(result)
    book = result["books"]["binance:BTC/USDT:USDT"]
    assert (len(book["bids"]), len(book["asks"])) == (10, 10)
    assert float(book["bids"][0][0]) < float(book["asks"][0][0])
    assert last_object(veloz("data", "import", RECORDING, "--json"))["files"][0]["already"]

    listed = last_object(veloz("data", "ls", "--json"))
    shape("ls").validate(listed)
    assert {row["kind"] for row in listed["series"]} == {"mark", "quote", "tick", "trade"}

    symbol = "binance:BTC/USDT:USDT"
    head = last_object(veloz("data", "head", symbol, "trade", "--rows", "2", "--json"))
    shape("head").validate(head)
    assert len(head["rows"]) == 2
    assert head["rows"][0]["price"] == "28145.1"
    assert "28145.1" in veloz("data", "head", symbol, "trade").stdout

    ended = veloz("data", "check", symbol, "trade", "--json")
    assert ended.returncode == 0
    shape("check").validate(last_object(ended))


def test_check_exits_with_one_if_there_are_errors(veloz: Veloz, tmp_path: Path) -> None:
    start = 1_704_067_200_000
    lines = [f"{start + i * 60_000},1,2,1,2,3" for i in (0, 1, 5)]
    (tmp_path / "a.csv").write_text("\n".join(["time,open,high,low,close,volume", *lines]))
    options = ("--symbol", "binance:BTC/USDT", "--interval", "1m")
    shown = veloz("data", "import", "a.csv", *options)
    assert "3 rows" in shown.stdout
    assert "inferred" in shown.stdout
    ended = veloz("data", "check")
    assert ended.returncode == 1
    assert "gap: 3 missing" in ended.stdout
    assert "a.csv row 3" in ended.stdout


def test_synth_prints_what_it_stored(veloz: Veloz) -> None:
    ended = veloz("data", "synth", "--model", "trades", "--seed", "2", "--rows", "500", "--json")
    shape("synth").validate(last_object(ended))
    assert "trade" in veloz("data", "ls").stdout


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("import", "nothing.parquet"), "no file nothing.parquet"),
        (("ls",), "veloz data import"),
        (("head", "binance:BTC/USDT", "trade"), "no catalogue"),
        (("import", "x", "--column", "open"), "OURS=THEIRS"),
        (("import", "x", "--utc-offset", "8"), "+HH:MM"),
        (("import", "x", "--clock-floor", "soon"), "span of time"),
        (("synth", "--model", "bars", "--seed", "1", "--rows", "0"), "--rows 1"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    veloz: Veloz, words: tuple[str, ...], says: str
) -> None:
    ended = veloz("data", *words)
    assert ended.returncode in (2, 3, 4)
    assert says in ended.stderr
    assert ended.stdout == ""
