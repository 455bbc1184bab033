"""The data passport: what a series holds, where it came from, and what is wrong with it."""

from __future__ import annotations

from typing import Any

from veloz.storage.catalogue import Catalogue, Time
from veloz.storage.check import check_series
from veloz.storage.decimals import text
from veloz.storage.report import Checked
from veloz.storage.times import format_span, format_time


def passport(
    catalogue: Catalogue, symbol: str, kind: str, start: Time | None = None, end: Time | None = None
) -> dict[str, Any]:
    """Checks a series and describes it in plain values, ready for JSON.

    Returns:
        `symbol`, `kind`, `range`, `rows`, `files`, `missing`, `findings`, `is_clean` (no error),
        `latency` (`raw` and `corrected`, ns), `clock`, `instrument`, `sources`, `digest`.

    Raises:
        DataError: If there is no such series, or no row in the range.
    """
    return describe(catalogue, check_series(catalogue, symbol, kind, start, end), start, end)


def describe(
    catalogue: Catalogue, checked: Checked, start: Time | None = None, end: Time | None = None
) -> dict[str, Any]:
    """The passport of a series that was checked."""
    index = checked.index
    instrument = catalogue.instrument(index.symbol)
    digest = catalogue.digest(index.symbol, index.kind, start, end)
    return {
        "symbol": index.symbol,
        "kind": index.kind,
        "range": [format_time(checked.first), format_time(checked.last)] if checked.rows else [],
        "rows": checked.rows,
        "files": len(digest.files),
        "missing": checked.missing,
        "is_clean": not any(finding.is_error for finding in checked.findings.values()),
        "findings": [finding.to_row() for finding in checked.findings.values()],
        "latency": {
            "raw": checked.latency_raw.to_row() if checked.latency_raw else None,
            "corrected": checked.latency.to_row() if checked.latency else None,
        },
        "clock": [dict(offset) for source in index.sources for offset in source.clock],
        "instrument": {
            "origin": instrument.origin,
            "note": instrument.origin_note,
            "tick": text(instrument.tick, instrument.price_scale),
            "lot": text(instrument.lot, instrument.qty_scale),
        },
        "sources": [
            {"name": s.name, "sha256": s.sha256, "importer": s.importer, "notes": list(s.notes)}
            for s in index.sources
        ],
        "digest": digest.sha256,
    }


def as_text(passport: dict[str, Any]) -> str:
    """A passport for people to read."""
    lines = [
        f"{passport['symbol']}  {passport['kind']}",
        f"  range       {' to '.join(passport['range']) or 'unreadable'}",
        f"  rows        {passport['rows']:,} in {passport['files']} files"
        + (f", {passport['missing']:,} missing" if passport["missing"] else ""),
        f"  instrument  tick {passport['instrument']['tick']}, lot {passport['instrument']['lot']}"
        f" ({passport['instrument']['origin']}: {passport['instrument']['note']})".replace(
            ": )", ")"
        ),
    ]
    for name, figures in passport["latency"].items():
        if figures:
            lines.append(f"  latency     {name}: {_latency(figures)}")
    for offset in passport["clock"]:
        if offset["offset_min_ns"]:
            low, high = (_ms(offset[f"offset_{end}_ns"]) for end in ("min", "max"))
            lines.append(
                f"  clock       {offset['connection']}: behind by {low.lstrip('-')} to "
                f"{high.lstrip('-')}, floor {format_span(offset['floor_ns'])}"
            )
    for source in passport["sources"]:
        notes = "".join(f"; {note}" for note in source["notes"])
        lines.append(f"  source      {source['name']} ({source['sha256'][:12]}){notes}")
    lines.append(f"  digest      {passport['digest'][:16]}")
    if not passport["findings"]:
        lines.append("  findings    none")
    for finding in passport["findings"]:
        first = finding["first"]
        place = f"{first['time']}" + (
            f", {first['source']} row {first['row']}" if first["row"] else ""
        )
        lines.append(
            f"  {finding['level']:<11} {finding['code']}: {finding['count']:,} "
            f"{finding['meaning']}; "
            f"first {place}: {first['detail']}"
        )
    return "\n".join(lines)


def _latency(figures: dict[str, int]) -> str:
    parts = [f"{n} {_ms(figures[f'{n}_ns'])}" for n in ("min", "p50", "p99")]
    negative = f", {figures['negative']:,} negative" if figures["negative"] else ""
    return ", ".join(parts) + negative


def _ms(ns: int) -> str:
    return f"{ns / 1e6:.3f} ms"
