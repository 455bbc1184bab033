"""Runs: a feed, a gateway and a clock around one engine."""

from veloz.environments.backtest import Session, backtest
from veloz.environments.run import Run
from veloz.environments.settings import BacktestSettings
from veloz.environments.sources import ArraySource, CatalogueSource
from veloz.environments.testing import StrategyTest, test

__all__ = [
    "ArraySource",
    "BacktestSettings",
    "CatalogueSource",
    "Run",
    "Session",
    "StrategyTest",
    "backtest",
    "test",
]
