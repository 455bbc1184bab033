"""`Run`: what a finished backtest gives: figures, tables, a report, and a folder.

```text
RUN/config.json  run.json  metrics.json  tables.json  report.html
    trading-000001.vj                                  the journal
    fills.parquet orders.parquet equity.parquet …      made from it
```

`run.json` alone may differ between equal runs: it holds wall time, versions and paths.
"""

from __future__ import annotations

import json
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from veloz import __version__
from veloz.analytics import (
    Bars,
    EquityCurve,
    InstrumentFacts,
    LedgerLine,
    RunTables,
    render_html,
    summarise,
    summary_bytes,
    text_block,
)
from veloz.analytics.report.card import html_card
from veloz.analytics.run_folder import write_run
from veloz.environments.csv_tables import write_csv
from veloz.environments.frames import equity_columns, fill_columns, order_columns, relation
from veloz.environments.journal_tables import JournalTables
from veloz.environments.sources import bars_in_pieces
from veloz.errors import ConfigError

if TYPE_CHECKING:
    from veloz._core import Backtest
    from veloz.environments.sources import Source
    from veloz.environments.spool import JournalSpool
    from veloz.storage.instruments import Instrument

JOURNAL = "trading-000001.vj"
RUN_FORMAT = "veloz.run/1"


@dataclass(frozen=True)
class RunFacts:
    """What is known of a run before it is measured.

    Attributes:
        strategy: Name of the class.
        path: Its file, absolute, if it has one.
        data: The catalogue's folder, absolute; None if the data were in memory.
        parameters: Values by name, JSON types.
        config: Everything that decided the result, JSON types.
        digests: Hashes of data, code, parameters, config and engine.
        warnings: Sentences about weak assumptions.
        currency: The reporting currency.
        instruments: By row.
        wanted: Kinds of data by symbol.
        bar_intervals: Bars that the strategy heard, by symbol, ns.
        heard: Rows of each feed, and which indicators were ready at the end.
        seconds: Wall time of the engine's run.
    """

    strategy: str
    path: str | None
    data: str | None
    parameters: Mapping[str, Any]
    config: Mapping[str, Any]
    digests: Mapping[str, str]
    warnings: tuple[str, ...]
    currency: str
    instruments: tuple[Instrument, ...]
    wanted: Mapping[str, tuple[str, ...]]
    bar_intervals: Mapping[str, tuple[int, ...]]
    heard: Mapping[str, Any]
    seconds: float


class Run:
    """A finished backtest.

    Figures and tables are made when they are first asked for. In a notebook it shows its summary.
    """

    def __init__(
        self, core: Backtest, facts: RunFacts, spool: JournalSpool, source: Source
    ) -> None:
        self._core, self.facts, self._spool, self._source = core, facts, spool, source
        self.counts: dict[str, Any] = core.counts()
        self.folder: Path | None = None

    @property
    def id(self) -> str:
        """Name of the run: its strategy and the head of its digests."""
        head = "".join(self.facts.digests[name][:3] for name in ("code", "data", "config"))
        return f"{self.facts.strategy.lower()}-{head}"

    @property
    def fills_count(self) -> int:
        """Number of executions."""
        return int(self.counts["fills"])

    @property
    def seconds(self) -> float:
        """Wall time of the engine's run."""
        return self.facts.seconds

    @property
    def final_equity(self) -> Decimal:
        """Equity at the end in the reporting currency, exactly.

        Raises:
            ConfigError: An asset has no rate to the reporting currency.
        """
        equity = self._core.equity(self.facts.currency)
        if equity is None:
            raise ConfigError(
                f"equity has no value in {self.facts.currency}: a held asset has no price in it",
                hint="Take another --report-currency.",
            )
        return Decimal(equity)

    @property
    def positions(self) -> dict[str, Decimal]:
        """Open positions at the end: signed quantity by symbol."""
        return {symbol: Decimal(qty) for symbol, qty in self._core.positions()}

    @property
    def journal(self) -> bytes:
        """The trading journal."""
        return self._spool.read()

    @property
    def journal_hash(self) -> str:
        """The hash that seals the journal."""
        return self._core.journal_hash()

    @cached_property
    def tables(self) -> RunTables:
        """Equity, fills, orders and funding as columns."""
        facts = self.facts
        core_assets = sorted({a for i in facts.instruments for a in (i.base, i.quote, i.settle)})
        journal = JournalTables(
            self.journal, facts.instruments, ("external", facts.strategy), core_assets,
            facts.currency,
        )  # fmt: skip
        return RunTables(
            currency=facts.currency,
            equity=self._equity(),
            fills=journal.fills(),
            orders=journal.orders(),
            funding=journal.funding(),
            instruments={i.symbol: _instrument_facts(i) for i in facts.instruments},
            bars=self._bars(),
            ledger=[
                LedgerLine(
                    currency=asset,
                    **{
                        name: Decimal(value)
                        for name, value in lines.items()
                        if name not in {"wallet", "liability", "rounding"}
                    },
                )
                for asset, lines in self._core.ledger().items()
                if any(Decimal(value) for value in lines.values())
            ],
            facts=self._metric_facts(),
            host=self._host(),
        )

    def _metric_facts(self) -> dict[str, Any]:
        facts = self.facts
        assumptions = [
            {"id": id_, "setting": symbol, "maker": maker, "taker": taker, "text": text}
            for symbol, id_, text, maker, taker in self._core.assumptions()
        ]
        return {
            "strategy": facts.strategy,
            "parameters": dict(facts.parameters),
            "environment": "backtest",
            "seed": facts.config["seed"],
            "config": dict(facts.config),
            "digests": {k: v for k, v in facts.digests.items() if k != "engine"},
            "assumptions": assumptions,
            "warnings": list(facts.warnings),
            "evidence": self.counts["evidence"],
            "journal": self.journal_hash,
        }

    def _host(self) -> dict[str, Any]:
        return {
            "format": RUN_FORMAT,
            "id": self.id,
            "veloz": __version__,
            "engine": self.facts.digests["engine"],
            "python": platform.python_version(),
            "numpy": np.__version__,
            "platform": sys.platform,
            "strategy_file": self.facts.path,
            "data": self.facts.data,
            "finished_unix_s": int(time.time()),
            "engine_seconds": round(self.seconds, 6),
            "rows": self.counts["rows"],
            "heard": dict(self.facts.heard),
        }

    def _equity(self) -> EquityCurve:
        times, equity, net, gross = self._core.equity_columns()
        ts_ns = np.frombuffer(times, "<i8")
        curve, gross_value = np.frombuffer(equity, "<f8"), np.frombuffer(gross, "<f8")
        opening = self._opening(curve)
        with np.errstate(divide="ignore", invalid="ignore"):
            leverage = np.where(curve > 0, gross_value / curve, np.nan)
        return EquityCurve.of(
            ts_ns=ts_ns,
            equity=curve,
            position_value=np.frombuffer(net, "<f8"),
            exposure=gross_value,
            leverage=leverage,
            first=opening,
            last=self.final_equity,
        )

    def _opening(self, curve: Any) -> Decimal:
        balance = self.facts.config["balance"]
        if set(balance) == {self.facts.currency}:
            return Decimal(balance[self.facts.currency])
        return Decimal(repr(float(curve[0])))

    def _bars(self) -> dict[str, Bars]:
        start, end = self.facts.config["start_ns"], self.facts.config["end_ns"]
        bars: dict[str, Bars] = {}
        for instrument in self.facts.instruments:
            symbol, intervals = instrument.symbol, self.facts.bar_intervals[instrument.symbol]
            if not intervals:
                continue
            _, pieces = bars_in_pieces(self._source, symbol, min(intervals), start, end)
            whole = list(pieces)
            price, qty = 10.0**instrument.price_scale, 10.0**instrument.qty_scale

            def column(name: str, whole: Any = whole) -> Any:
                return np.concatenate([piece[name] for piece in whole])

            bars[symbol] = Bars(
                ts_ns=column("ts_open"),
                interval_ns=min(intervals),
                open=column("open") / price,
                high=column("high") / price,
                low=column("low") / price,
                close=column("close") / price,
                volume=column("volume") / qty,
            )
        return bars

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The metrics: plain JSON types, equal for equal runs."""
        return summarise(self.tables)

    @property
    def metrics(self) -> dict[str, Any]:
        """Single figures by name."""
        return self.summary["metrics"]

    def text(self) -> str:
        """The summary as a block of text."""
        return text_block(self.summary)

    def html(self) -> str:
        """The report: one self-contained page."""
        return render_html(self.tables, self.summary)

    def table(self, name: str) -> Any:
        """`fills`, `orders`, `equity` or `funding` as stored: exact integers, and times in ns.

        The result speaks the Arrow stream interface: `polars.DataFrame(run.table("fills"))`,
        `pyarrow.table(run.table("fills"))`; `.df()` and `.arrow()` work too.

        Raises:
            ValueError: There is no such table.
        """
        if name not in {"fills", "orders", "equity", "funding"}:
            raise ValueError(f"no table {name!r}; there are fills, orders, equity, funding")
        table = getattr(self.tables, name)
        columns = {
            field: column if column.dtype != object or _is_text(column) else column.astype(str)
            for field, column in vars(table).items()
            if isinstance(column, np.ndarray)
        }
        return relation(columns)

    @property
    def orders(self) -> Any:
        """The orders in readable units, for any data frame library (as `table`)."""
        return relation(order_columns(self.tables))

    @property
    def fills(self) -> Any:
        """The fills in readable units, for any data frame library (as `table`)."""
        return relation(fill_columns(self.tables))

    @property
    def equity(self) -> Any:
        """The equity curve with its times, for any data frame library (as `table`)."""
        return relation(equity_columns(self.tables))

    def write(self, out: Path, *, has_report: bool = True, has_csv: bool = False) -> Path:
        """Writes the run's own folder below `out` and returns it.

        The folder appears whole or not at all; an equal run's folder is replaced.

        Args:
            out: Made if it is not there.
            has_report: Whether the folder gets `report.html`.
            has_csv: Whether it gets `orders.csv` and `fills.csv`, as accountants take them.
        """
        out.mkdir(parents=True, exist_ok=True)
        target = out / self.id
        # A name of its own, so that two equal runs at a time cannot mix their files.
        part = Path(tempfile.mkdtemp(prefix=f".{self.id}.", suffix=".part", dir=out))
        try:
            self._fill(part, has_report=has_report, has_csv=has_csv)
            part.chmod(0o755)
            _replace(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self.folder = target
        return target

    def _fill(self, part: Path, *, has_report: bool, has_csv: bool) -> None:
        write_run(self.tables, part)
        self._spool.save(part / JOURNAL)
        (part / "metrics.json").write_bytes(summary_bytes(self.summary))
        config = json.dumps(dict(self.facts.config), indent=1, sort_keys=True)
        (part / "config.json").write_text(config + "\n", encoding="utf-8")
        if has_report:
            (part / "report.html").write_text(self.html(), encoding="utf-8")
        if has_csv:
            write_csv(self.tables, part)

    def _repr_html_(self) -> str:
        return html_card(self.summary, self.tables.equity.equity)

    def __repr__(self) -> str:
        return (
            f"Run({self.id}: {self.fills_count} fills, "
            f"final equity {self.final_equity} {self.facts.currency})"
        )


def _replace(part: Path, target: Path) -> None:
    """Puts a finished folder in the place of an old one, which stays until the new one is there."""
    old = part.with_suffix(".old")
    if target.exists():
        target.rename(old)
    part.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _is_text(column: Any) -> bool:
    return not len(column) or isinstance(column[0], str)


def _instrument_facts(instrument: Instrument) -> InstrumentFacts:
    return InstrumentFacts(
        symbol=instrument.symbol,
        kind=instrument.kind,
        price_scale=instrument.price_scale,
        qty_scale=instrument.qty_scale,
        settle=instrument.settle,
        multiplier=Decimal(instrument.multiplier).scaleb(-instrument.multiplier_scale),
    )
