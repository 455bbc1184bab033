"""`veloz journal`: what is listed, followed and checked, as text and as JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.apps.conftest import checked

from veloz.apps.cli import main

VECTORS = Path(__file__).parents[1] / "vectors" / "journal"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A journal of two segments, closed."""
    for name in ("trading-000001.vj", "trading-000002.vj"):
        shutil.copy(VECTORS / name, tmp_path / name)
    return tmp_path


def test_ls_lists_segments_and_counts_records(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "ls", str(folder), "--json"]) == 0
    shape = checked("journal-ls", capsys.readouterr().out)
    assert [row["name"] for row in shape["segments"]] == ["trading-000001.vj", "trading-000002.vj"]
    assert [row["last_sequence"] for row in shape["segments"]] == [5, 8]
    assert shape["records"] == {"Trade": 8, "Verdict": 2}
    assert shape["account"] == "binance/main"
    assert main(["journal", "ls", str(folder)]) == 0
    assert "batches 6 to 8" in capsys.readouterr().out


def test_tail_shows_the_last_records_over_segments(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "tail", str(folder), "-n", "4", "--json"]) == 0
    rows = checked("journal-tail", capsys.readouterr().out)["records"]
    assert [(row["record"], row["batch_sequence"]) for row in rows] == [
        ("Trade", 6),
        ("Verdict", 6),
        ("Trade", 7),
        ("Trade", 8),
    ]
    assert rows[1]["reason"] == "limit 6"
    assert main(["journal", "tail", str(folder), "--record", "Verdict", "-n", "9"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2
    assert "reason=limit 3" in lines[0]
    assert main(["journal", "tail", str(folder), "-n", "0", "--json"]) == 0
    assert checked("journal-tail", capsys.readouterr().out)["records"] == []


def test_tail_follows_to_the_end_of_a_closed_journal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "tail", str(folder), "--follow", "-n", "2", "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["batch_sequence"] for line in lines] == [7, 8]


def test_verify_says_whether_every_bit_is_right(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "verify", str(folder), "--json"]) == 0
    shape = checked("journal-verify", capsys.readouterr().out)
    assert (shape["is_whole"], shape["batches"], shape["trouble"]) == (True, 8, None)
    second = folder / "trading-000002.vj"
    data = bytearray(second.read_bytes())
    data[-200] ^= 1
    second.write_bytes(data)
    assert main(["journal", "verify", str(folder), "--json"]) == 1
    shape = checked("journal-verify", capsys.readouterr().out)
    assert shape["first_broken"] == 7
    assert main(["journal", "verify", str(folder)]) == 1
    assert "trouble: trading-000002.vj is damaged" in capsys.readouterr().out
    assert main(["journal", "tail", str(folder)]) == 4
    assert "veloz journal verify" in capsys.readouterr().err


def test_what_is_no_journal_is_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["journal", "verify", str(tmp_path)]) == 4
    assert "holds no trading journal" in capsys.readouterr().err
    (tmp_path / "trading-000001.vj").write_bytes(b"PAR1 something else")
    for what in ("ls", "tail", "verify"):
        assert main(["journal", what, str(tmp_path), "--json"]) == 4
        shown = json.loads(capsys.readouterr().out)
        assert "do not start as a VeloZ journal" in shown["error"]["message"]
    assert main(["journal"]) == 2
