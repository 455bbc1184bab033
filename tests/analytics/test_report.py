"""The HTML report and `veloz report`: self-contained, small, safe with hostile texts."""

from __future__ import annotations

import argparse
import base64
import hashlib
import html.parser
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.analytics.runs import small_run, with_facts
from tests.analytics.sma_run import sma_run
from veloz.analytics import Bars, RunTables, render_html, summarise, summary_bytes
from veloz.analytics.report.payload import keep_extremes, merge_bars, return_bins
from veloz.analytics.run_folder import read_run, write_run
from veloz.apps import report
from veloz.errors import DataError

EVIL = '</script><img src=x onerror="alert(1)"><b>&\u2028'


class Elements(html.parser.HTMLParser):
    """Tags with attributes, as a browser would see them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.inside = tag

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts.append(data)

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""


@pytest.fixture(scope="module")
def run() -> RunTables:
    return sma_run()


@pytest.fixture(scope="module")
def page(run: RunTables) -> str:
    return render_html(run)


def test_the_report_is_below_400_kb_and_the_same_each_time(run: RunTables, page: str) -> None:
    assert len(page.encode()) < 400_000
    assert render_html(run, summarise(run)) == page


def test_the_report_loads_nothing(page: str) -> None:
    for tag, attributes in Elements(page).tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "form")
        assert "src" not in attributes
        assert not str(attributes.get("href", "#")).startswith(("http", "//"))
    addresses = set(re.findall(r"https?://[^\s\"')]+", page))
    assert addresses <= {"http://www.w3.org/2000/svg"}


def test_the_policy_allows_the_one_script_by_its_hash(page: str) -> None:
    elements = Elements(page)
    policy = next(str(a["content"]) for _, a in elements.tags if "http-equiv" in a)
    code = elements.scripts[-1]
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe-inline'; script" not in policy.split("script-src")[1]


def test_hostile_texts_stay_texts() -> None:
    tables = small_run([(1, 1, 100), (-1, 1, 110)], why=[EVIL, EVIL], strategy=[EVIL] * 2,
                       evidence=[EVIL] * 2)  # fmt: skip
    facts = {
        "strategy": EVIL, "parameters": {EVIL: EVIL}, "warnings": [EVIL], "environment": EVIL,
        "assumptions": [{"id": EVIL, "text": EVIL, "setting": EVIL, "maker": EVIL, "taker": "+"}],
    }  # fmt: skip
    tables = with_facts(tables, facts=facts, host={"run": EVIL, EVIL: [EVIL]})
    page = render_html(tables)
    elements = Elements(page)
    tags = {tag for tag, _ in elements.tags}
    assert "img" not in tags
    assert not any(name.startswith("on") for _, attributes in elements.tags for name in attributes)
    assert page.count("</script>") == 2
    series = json.loads(elements.scripts[0])
    assert EVIL in series["trips"]["words"]


def test_the_script_writes_no_markup() -> None:
    code = (Path(report.__file__).parents[1] / "analytics/report/assets/report.js").read_text()
    for word in (
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "Function(",
    ):
        assert word not in code


def test_a_run_without_anything_still_has_a_report() -> None:
    page = render_html(small_run([]))
    assert "The run made no trade." in page
    assert ">nan<" not in page.lower()


def test_a_long_run_stays_small_and_keeps_its_spike() -> None:
    count = 200_000
    values = 1000.0 + np.cumsum(np.random.default_rng(1).normal(0, 0.1, count))
    values[123_456] = 10.0
    kept = keep_extremes(values, 1200)
    assert kept.size <= 1200
    assert 123_456 in kept
    assert (kept[0], kept[-1]) == (0, count - 1)


def test_merged_bars_keep_open_high_low_close_and_volume(run: RunTables) -> None:
    bars = run.bars["BTC/USDT:USDT"]
    merged = merge_bars(bars, 500)
    assert merged.ts_ns.size <= 500
    assert (merged.open[0], merged.close[-1]) == (bars.open[0], bars.close[-1])
    assert (merged.high.max(), merged.low.min()) == (bars.high.max(), bars.low.min())
    assert merged.volume.sum() == pytest.approx(bars.volume.sum())
    assert merged.interval_ns % bars.interval_ns == 0


def test_candles_survive_their_packing(run: RunTables, page: str) -> None:
    packed = json.loads(Elements(page).scripts[0])["candles"]
    one = next(c for c in packed if c["symbol"] == "BTC/USDT:USDT")
    merged = merge_bars(run.bars[one["symbol"]], 2000)
    opens = np.cumsum(one["o"]) / 10 ** one["scale"]
    assert opens == pytest.approx(merged.open)
    highs = opens + (np.maximum(0, one["c"]) + np.array(one["h"])) / 10 ** one["scale"]
    assert highs == pytest.approx(merged.high)


def test_a_summary_of_another_method_is_refused(run: RunTables) -> None:
    with pytest.raises(ValueError, match="one method for both"):
        render_html(run, summarise(run, "fifo"))


def cli(*words: str) -> int:
    parser = argparse.ArgumentParser()
    report.add_parser(parser.add_subparsers())
    args = parser.parse_args(["report", *words])
    return args.run(args)


def test_a_run_folder_gives_back_the_same_tables(run: RunTables, tmp_path: Path) -> None:
    write_run(run, tmp_path)
    again = read_run(tmp_path)
    assert summary_bytes(summarise(again)) == summary_bytes(summarise(run))
    assert render_html(again) == render_html(run)


def test_wide_integers_survive_the_folder(tmp_path: Path) -> None:
    wide = small_run([(1, 10**24, 7), (-1, 10**24, 9)])
    write_run(wide, tmp_path)
    assert summary_bytes(summarise(read_run(tmp_path))) == summary_bytes(summarise(wide))


def test_the_verb_writes_the_report_and_prints_one_object(
    run: RunTables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_run(run, tmp_path)
    target = tmp_path / "out.html"
    assert cli(str(tmp_path), "--json", "--out", str(target)) == 0
    printed: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert printed["metrics"]["fills"] == len(run.fills)
    assert target.read_text() == render_html(run)


def test_the_verb_compares_several_runs(
    run: RunTables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        write_run(run, tmp_path / name)
    assert cli(str(tmp_path / "a"), str(tmp_path / "b"), "--out", str(tmp_path / "c.html")) == 0
    assert "Total return" in capsys.readouterr().out
    assert "2 runs, side by side" in (tmp_path / "c.html").read_text()


@pytest.mark.parametrize("damage", ["no folder", "bad json", "missing table", "bad table"])
def test_a_damaged_run_is_one_sentence_and_nothing_written(
    damage: str, run: RunTables, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "run"
    if damage != "no folder":
        folder.mkdir()
        write_run(run, folder)
    if damage == "bad json":
        (folder / "tables.json").write_text("{")
    if damage == "missing table":
        (folder / "fills.parquet").unlink()
    if damage == "bad table":
        (folder / "fills.parquet").write_bytes(b"PAR1 is not enough")
    before = sorted(folder.iterdir()) if folder.exists() else []
    with pytest.raises(DataError) as refused:
        cli(str(folder))
    assert "\n" not in str(refused.value)
    assert capsys.readouterr().out == ""
    assert (sorted(folder.iterdir()) if folder.exists() else []) == before


def test_bars_without_instrument_facts_are_drawn() -> None:
    times = np.arange(5, dtype=np.int64) * 60 * 10**9
    line = np.linspace(1.0, 2.0, 5)
    tables = replace(
        small_run([]), bars={"Y": Bars(times, 60 * 10**9, line, line, line, line, line)}
    )
    assert "Entries and exits" in render_html(tables)


def test_one_wild_day_does_not_squeeze_the_histogram() -> None:
    quiet = np.random.default_rng(3).normal(0.0, 0.01, 500)
    found = return_bins(np.append(quiet, [0.9, -0.9]))
    assert found is not None
    assert found["folded"] == [True, True]
    assert sum(found["counts"]) == 502
    assert len(found["counts"]) > 10
    few = return_bins(np.array([-0.01, 0.0, 0.004, 0.011, 0.02, 0.5]))
    assert few is not None
    assert few["folded"] == [False, False]


def test_a_hole_in_the_bars_is_a_reason_to_doubt(run: RunTables) -> None:
    (symbol, bars), *_ = run.bars.items()
    assert [row for row in summarise(run)["warnings"] if row["code"] == "hole"] == []
    late = bars.ts_ns + np.where(np.arange(bars.ts_ns.size) > 2, 5 * 86_400 * 10**9, 0)
    holed = replace(run, bars={symbol: replace(bars, ts_ns=late)})
    found = [row["text"] for row in summarise(holed)["warnings"] if row["code"] == "hole"]
    assert len(found) == 1
    assert f"The bars of {symbol} lack 5.0 days" in found[0]


def test_a_run_that_was_ruined_says_when_and_what_that_means(run: RunTables) -> None:
    curve = run.equity
    fallen = np.where(np.arange(curve.equity.size) > 1, -5.0, curve.equity)
    found = summarise(replace(run, equity=replace(curve, equity=fallen)))["warnings"]
    day = str(np.datetime64(int(curve.ts_ns[2]), "ns").astype("datetime64[D]"))
    text = next(row["text"] for row in found if row["code"] == "ruin")
    assert text.startswith(f"Equity reached zero on {day}: a venue would have closed")
