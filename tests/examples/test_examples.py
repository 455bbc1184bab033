"""The example strategies on real data: exact numbers, so that any change of engine or data shows.

The figures were not derived by hand; `tests/oracle` and the matching scenarios say whether the
engine is right. These say whether it still does the same.
"""

from __future__ import annotations

import ast
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import veloz as vz
from veloz.environments.loading import load_strategy
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files

if TYPE_CHECKING:
    from veloz.environments import Run

ROOT = Path(__file__).resolve().parent.parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
PERPETUAL = "binance:BTC/USDT:USDT"
BARS = ROOT / "examples" / "data" / "binance_usdm"
BOOK = Path(__file__).parent / "data"


def catalogue(folder: Path, *files: tuple[Path, str | None]) -> Path:
    """A catalogue of these files and the kind of their rows."""
    for path, kind in files:
        import_files([path], folder, Options(symbol=PERPETUAL, kind=kind))
    return folder


@pytest.fixture(scope="session")
def bars(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One-minute bars and funding of a perpetual."""
    return catalogue(
        tmp_path_factory.mktemp("bars"),
        (BARS / "BTCUSDT_1m.parquet", None),
        (BARS / "BTCUSDT_funding.parquet", "funding"),
        (BARS / "BTCUSDT_mark_8h.parquet", "mark"),
    )


@pytest.fixture(scope="session")
def book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A minute of levels and trades."""
    return catalogue(
        tmp_path_factory.mktemp("book"),
        (BOOK / "BTCUSDT_2023-04-04_depth.parquet", None),
        (BOOK / "BTCUSDT_2023-04-04_trades.parquet", None),
    )


def trade(name: str, data: Path, **more: object) -> Run:
    return vz.backtest(str(ROOT / "examples" / name), str(data), check_identity=True, **more)


def ends(run: Run) -> tuple[int, Decimal, dict[str, Decimal]]:
    return run.fills_count, run.final_equity, run.positions


def test_sma_cross(bars: Path) -> None:
    run = trade("sma_cross.py", bars, start="2025-05-10", end="2025-05-13", fees="0.0005")
    assert ends(run) == (199, Decimal("9772.33770895"), {PERPETUAL: Decimal("-0.01")})
    assert run.counts["orders"] == run.fills_count


def test_bollinger_reversion(bars: Path) -> None:
    run = trade("bollinger_reversion.py", bars, start="2025-05-10", end="2025-05-20")
    assert ends(run) == (324, Decimal("9730.96737298"), {})
    why = list(run.tables.orders.why)
    assert {reason: why.count(reason) for reason in sorted(set(why))} == {
        "back at the middle band": 152,
        "closed above the upper band": 83,
        "closed below the lower band": 79,
        "stop loss": 162,  # one per entry; ten were reached
    }
    stops = [row for row, kind in enumerate(run.tables.orders.type) if kind == "stop"]
    ended = [str(run.tables.orders.status[row]) for row in stops]
    assert {status: ended.count(status) for status in sorted(set(ended))} == {
        "canceled": 152,
        "filled": 10,
    }
    paid = run.tables.funding
    assert (paid.ts_ns.size, sum(paid.amount)) == (9, 13825498)  # 0.13825498 USDT received


def test_market_maker(book: Path) -> None:
    run = trade("market_maker.py", book, fees="maker=0,taker=0.0005")
    assert ends(run) == (10, Decimal("9999.971"), {PERPETUAL: Decimal("0.01")})
    # What filled it: trades through its price, and the queue before it running out.
    assert {k: n for k, n in run.counts["evidence"].items() if n} == {"through": 9, "queue": 1}
    assert [run.counts[name] for name in ("orders", "cancels", "rejected")] == [48, 38, 3]
    assert run.tables.fills.is_maker.all()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_is_short_and_documented(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 60
    tree = ast.parse(text)
    assert ast.get_docstring(tree)
    classes = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assert len(classes) == 1
    assert ast.get_docstring(classes[0])
    strategy = load_strategy(str(path))
    assert strategy.warnings == ()
    assert all(p.doc for p in strategy.strategy.parameters().values())
