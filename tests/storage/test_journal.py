"""Journal files: what is written comes back, what is cut or damaged is named."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from veloz._core import JournalReader
from veloz.storage import journal

VECTORS = Path(__file__).parents[1] / "vectors" / "journal"
GOLDEN = VECTORS / "format-1.vj"
FIRST, SECOND = VECTORS / "trading-000001.vj", VECTORS / "trading-000002.vj"


def copied(folder: Path, *, second: Path = SECOND) -> Path:
    """Lay a run folder with a journal of two segments."""
    folder.mkdir(exist_ok=True)
    shutil.copy(FIRST, folder / "trading-000001.vj")
    shutil.copy(second, folder / "trading-000002.vj")
    return folder


def test_columns_keep_width_sign_and_every_digit() -> None:
    columns = journal.read_columns(GOLDEN, "Verdict")
    assert columns["batch_sequence"].tolist() == [3, 6, 9, 12, 15, 18]
    assert columns["batch_market_sequence"].tolist() == [30, 60, 90, 120, 150, 180]
    assert columns["batch_now_ns"].dtype == np.int64
    assert columns["order"].dtype == np.uint64
    assert columns["amount"].dtype == object
    assert list(columns["amount"]) == [-(1 << 90) - n for n in (3, 6, 9, 12, 15, 18)]
    assert columns["allowed"].tolist() == [False, True, False, True, False, True]
    assert columns["side"].dtype == np.int8
    assert columns["side"].tolist() == [-1] * 6
    assert columns["reason"] == [f"limit {n}".encode() for n in (3, 6, 9, 12, 15, 18)]


def test_a_declared_type_without_records_has_empty_columns() -> None:
    columns = journal.read_columns(GOLDEN, "Quote")
    assert columns["bid_price"].shape == (0,)


def test_an_undeclared_type_is_an_error() -> None:
    with pytest.raises(KeyError, match="declares no record type Nothing"):
        journal.read_columns(GOLDEN, "Nothing")


def test_columns_run_through_all_segments(tmp_path: Path) -> None:
    columns = journal.read_columns(copied(tmp_path), "Trade")
    assert columns["batch_sequence"].tolist() == list(range(1, 9))
    assert columns["trade_id"].tolist() == list(range(1, 9))


def test_records_come_as_dicts_in_order(tmp_path: Path) -> None:
    found = list(journal.records(copied(tmp_path)))
    assert [row["record"] for row in found[:5]] == ["Trade", "Trade", "Trade", "Verdict", "Trade"]
    assert [row["batch_sequence"] for row in found] == [1, 2, 3, 3, 4, 5, 6, 6, 7, 8]
    verdict = found[3]
    assert verdict["amount"] == -(1 << 90) - 3
    assert verdict["allowed"] is False
    assert verdict["reason"] == b"limit 3"
    assert verdict["batch_now_ns"] == 1_003


def test_records_are_the_same_however_many_are_read_at_once() -> None:
    reader = JournalReader(GOLDEN.read_bytes())
    found, offset = reader.records(0, 3)
    while offset is not None:
        more, offset = reader.records(offset, 3)
        found += more
    assert found == list(journal.records(GOLDEN))
    assert len(found) == 26


def test_the_header_explains_the_records() -> None:
    header = journal.header(GOLDEN)
    assert header["account"] == "binance/main"
    assert header["stream"] == "trading"
    assert header["assets"][1] == {"name": "USDT", "scale": 8}
    assert header["instruments"][0]["symbol"] == "binance:BTC/USDT:USDT"
    assert header["instruments"][0]["price_scale"] == 2
    number, fields = header["records"]["Verdict"]
    assert number == 300
    assert fields[0] == ("order", "uint64")
    assert fields[-1] == ("reason", "bytes")


def test_a_closed_journal_is_whole(tmp_path: Path) -> None:
    check = journal.verify(copied(tmp_path))
    assert check.is_whole
    assert (check.batches, check.records, check.unknown_records) == (8, 10, 0)
    assert (check.torn_bytes, check.first_broken, check.trouble) == (0, None, None)
    assert check.chain == journal.verify(SECOND).chain
    assert len(check.chain) == 64


def test_a_torn_tail_is_cut_and_told(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    last = folder / "trading-000002.vj"
    data = last.read_bytes()
    last.write_bytes(data[:-60])  # the seal and a part of batch 8
    check = journal.verify(folder)
    assert not check.is_whole
    assert not check.is_sealed
    assert check.first_broken is None
    assert check.torn_bytes > 0
    assert "was not written whole" in str(check.trouble)
    assert journal.read_columns(folder, "Trade")["batch_sequence"].tolist() == list(range(1, 8))


@pytest.mark.parametrize(("damaged", "batch"), [("trading-000001.vj", 4), ("trading-000002.vj", 7)])
def test_a_changed_byte_is_named_and_never_read(tmp_path: Path, damaged: str, batch: int) -> None:
    folder = copied(tmp_path)
    data = bytearray((folder / damaged).read_bytes())
    data[-200] ^= 4
    (folder / damaged).write_bytes(data)
    check = journal.verify(folder)
    assert check.first_broken == batch
    assert f"{damaged} is damaged from batch {batch} on" in str(check.trouble)
    with pytest.raises(journal.JournalBroken, match=damaged):
        list(journal.records(folder))
    with pytest.raises(journal.JournalBroken, match=damaged):
        journal.read_columns(folder, "Trade")


def test_a_cut_between_segments_is_found(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    first = folder / "trading-000001.vj"
    first.write_bytes(first.read_bytes()[:-60])
    check = journal.verify(folder)
    assert check.first_broken == 6
    assert "trading-000002.vj does not continue" in str(check.trouble)


def test_a_missing_first_segment_is_found(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    (folder / "trading-000001.vj").unlink()
    assert "a segment is missing" in str(journal.verify(folder).trouble)
    with pytest.raises(journal.JournalBroken):
        list(journal.records(folder))


def test_a_last_segment_that_ends_in_its_header_holds_nothing(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    last = folder / "trading-000002.vj"
    last.write_bytes(last.read_bytes()[:50])
    assert len(list(journal.records(folder))) == 6
    check = journal.verify(folder)
    assert check.torn_bytes == 50
    assert "ends inside its header" in str(check.trouble)


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="give a run folder or a segment file"):
        journal.verify(tmp_path)
    other = tmp_path / "trading-000001.vj"
    other.write_bytes(b"PAR1 is something else")
    with pytest.raises(ValueError, match="do not start as a VeloZ journal"):
        journal.verify(other)


def test_equal_journals_have_no_difference(tmp_path: Path) -> None:
    assert journal.first_difference(copied(tmp_path / "a"), copied(tmp_path / "b")) is None


def test_the_first_difference_names_segment_batch_record_and_field(tmp_path: Path) -> None:
    left = copied(tmp_path / "a")
    right = copied(tmp_path / "b", second=VECTORS / "other-000002.vj")
    assert journal.first_difference(left, right) == (
        "trading-000002.vj: batch 8: record 1: Trade, qty is 17 against 18"
    )


def test_a_segment_too_many_is_a_difference(tmp_path: Path) -> None:
    left, right = copied(tmp_path / "a"), copied(tmp_path / "b")
    (right / "trading-000002.vj").unlink()
    expected = "segment trading-000002.vj is in the first journal only"
    assert journal.first_difference(left, right) == expected


def test_appended_pieces_make_the_same_file(tmp_path: Path) -> None:
    data = FIRST.read_bytes()
    with journal.JournalFile(tmp_path) as file:
        for start in range(0, len(data), 100):
            file.append(data[start : start + 100])
        assert file.path.name == "trading-000001.vj"
    assert (tmp_path / "trading-000001.vj").read_bytes() == data
    if os.name == "posix":
        assert (tmp_path / "trading-000001.vj").stat().st_mode & 0o777 == 0o600


def test_a_full_segment_is_rolled(tmp_path: Path) -> None:
    first, second = FIRST.read_bytes(), SECOND.read_bytes()
    with journal.JournalFile(tmp_path, roll_bytes=1_000) as file:
        file.append(first[:900])
        assert not file.is_full
        file.append(first[900:1_100])
        assert file.is_full
        file.roll(first[1_100:])
        assert not file.is_full
        file.append(second)
    assert journal.verify(tmp_path).is_whole
    assert journal.first_difference(tmp_path, copied(tmp_path / "copy")) is None


def test_a_journal_is_never_overwritten(tmp_path: Path) -> None:
    folder = copied(tmp_path)
    with pytest.raises(FileExistsError):
        journal.JournalFile(folder)


def test_a_failed_append_can_be_repeated(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    signal = pytest.importorskip("signal")
    data = FIRST.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with journal.JournalFile(tmp_path) as file:
        file.append(data[:500])
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (800, limits[1]))
            with pytest.raises(OSError, match=r"[Ff]ile too large"):
                file.append(data[500:])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, handler)
        file.append(data[500:])
    assert (tmp_path / "trading-000001.vj").read_bytes() == data
