"""Made markets: the same seed gives the same bytes, and the process is the one asked for."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from veloz.errors import DataError
from veloz.storage.catalogue import Catalogue
from veloz.storage.kinds import TICK_BUY, TICK_TRADE
from veloz.storage.passport import passport
from veloz.storage.synthetic import MODELS, Synthetic, hawkes_times, synthesize

SYMBOL = "synthetic:BTC/USDT"


def tree(folder: Path) -> dict[str, str]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.mark.parametrize("model", MODELS)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, model: str) -> None:
    for folder, seed in (("a", 4), ("b", 4), ("c", 5)):
        synthesize(Synthetic(model, seed, rows=3000), tmp_path / folder)
    assert tree(tmp_path / "a") == tree(tmp_path / "b")
    assert tree(tmp_path / "a") != tree(tmp_path / "c")


@pytest.mark.parametrize("model", MODELS)
def test_a_made_market_has_no_defect(tmp_path: Path, model: str) -> None:
    (stored,) = synthesize(Synthetic(model, 1, rows=5000), tmp_path)
    described = passport(Catalogue(tmp_path), SYMBOL, stored.kind)
    assert described["findings"] == []


def test_bars_walk_with_the_volatility_and_drift_asked_for(tmp_path: Path) -> None:
    settings = Synthetic("bars", 2, rows=50_000, volatility=0.002, drift=0.00001)
    synthesize(settings, tmp_path)
    bars = Catalogue(tmp_path).bars(SYMBOL, "1m")
    returns = np.diff(np.log(bars["close"]))
    assert returns.std() == pytest.approx(0.002, rel=4 / np.sqrt(2 * 50_000))
    assert returns.mean() == pytest.approx(0.00001, abs=4 * 0.002 / np.sqrt(50_000))
    assert abs(np.corrcoef(returns[1:], returns[:-1])[0, 1]) < 4 / np.sqrt(50_000)
    assert (bars["open"][1:] == bars["close"][:-1]).all()


def test_trades_come_at_the_rate_and_in_the_clusters_of_a_hawkes_process() -> None:
    mu, branching, decay = 2.0, 0.6, 8.0
    times = hawkes_times(np.random.default_rng(3), 400_000, mu=mu, branching=branching, decay=decay)
    rate = len(times) / times[-1]
    counts = np.bincount((times / 50.0).astype(int))[:-1]
    # Known truth: mean rate mu / (1 - n), and over long windows variance / mean = (1 - n) ** -2.
    dispersion = (1 - branching) ** -2
    error = np.sqrt(dispersion / len(times))
    assert rate == pytest.approx(mu / (1 - branching), rel=4 * error)
    assert counts.var() / counts.mean() == pytest.approx(
        dispersion, rel=5 * np.sqrt(2 / len(counts)) + 0.02
    )


def test_orders_of_the_book_come_at_their_rates(tmp_path: Path) -> None:
    settings = Synthetic("l2", 6, rows=60_000, rate=1.5)
    synthesize(settings, tmp_path)
    (piece,) = Catalogue(tmp_path).ticks(SYMBOL, rows=100_000)
    seconds = (piece["ts_exchange"][-1] - piece["ts_exchange"][0]) / 1e9
    prints = (piece["flags"] & TICK_TRADE) != 0
    buys = prints & ((piece["flags"] & TICK_BUY) != 0)
    expected = 2 * settings.rate * seconds
    assert prints.sum() == pytest.approx(expected, abs=4 * np.sqrt(expected))
    assert buys.sum() == pytest.approx(expected / 2, abs=4 * np.sqrt(expected / 2))
    # A limit order, a cancel and a taken lot each change one level: in the long run as many lots
    # arrive as leave, so half of the changes are arrivals.
    distance = np.arange(1, settings.levels + 1)
    limit = 2 * float((settings.limit_rate * distance**-settings.limit_power).sum())
    levels = (~prints).sum() - 2 * settings.levels
    assert levels / seconds == pytest.approx(2 * limit, rel=0.03)


@pytest.mark.parametrize(
    "wrong",
    [
        {"model": "dice"},
        {"rows": 0},
        {"branching": 1.0},
        {"rate": 0.0},
        {"interval": "soon"},
        {"symbol": "BTC"},
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path: Path, wrong: dict[str, object]) -> None:
    settings = {"model": "trades", "seed": 1, **wrong}
    with pytest.raises(DataError):
        synthesize(Synthetic(**settings), tmp_path)  # type: ignore[arg-type]
