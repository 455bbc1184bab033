"""Cuts the shipped captures out of longer recordings, and writes the manifest to check them by.

    python tests/vectors/captures/cut.py RECORDINGS

The manifest's figures come from a replay of its own: dictionaries of `Decimal`, the sequence rules
written out again, nothing of the package. Short recordings are taken whole, long ones as the
longest prefix that stays small; their snapshot comes early, so the prefix still joins.
"""

import gzip
import io
import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
WHOLE_BYTES = 340_000
PREFIX_BYTES = 330_000


def main(recordings: Path) -> None:
    """Write every Binance capture and the manifest into this folder."""
    known = json.loads((recordings / "manifest.json").read_text())["captures"]
    entries = []
    for entry in known:
        if not entry["venue"].startswith("binance"):
            continue
        source = recordings / entry["file"]
        lines = gzip.decompress(source.read_bytes()).splitlines(keepends=True)
        if source.stat().st_size > WHOLE_BYTES:
            lines = prefix(lines)
        target = HERE / entry["file"]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(packed(lines))
        rows = [json.loads(line) for line in lines]
        entries.append(
            {
                "file": entry["file"],
                "venue": entry["venue"],
                "lines": len(rows),
                "channels": channels(rows),
                "book_check": book_check(rows, is_spot=entry["venue"].endswith("spot")),
                "source": entry["source"],
                "licence": entry["licence"],
            }
        )
    manifest = {"format": "see README.md", "captures": entries}
    (HERE / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n")


def packed(lines: list[bytes]) -> bytes:
    """Compress lines; equal lines give equal bytes."""
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=9, mtime=0) as file:
        file.write(b"".join(lines))
    return out.getvalue()


def prefix(lines: list[bytes]) -> list[bytes]:
    """Return the longest prefix, to a hundred lines, that compresses to PREFIX_BYTES."""
    low, high = 0, len(lines) // 100
    while low < high:
        middle = (low + high + 1) // 2
        if len(packed(lines[: middle * 100])) <= PREFIX_BYTES:
            low = middle
        else:
            high = middle - 1
    return lines[: low * 100]


def payload(row: dict[str, Any]) -> Any:
    """Return a message without its combined wrapper."""
    message = json.loads(row["data"])
    return message.get("data", message) if isinstance(message, dict) else message


def channels(rows: list[dict[str, Any]]) -> dict[str, int]:
    """Count messages by stream and by REST path."""
    counts: dict[str, int] = {}
    for row in rows:
        if row["dir"] != "in":
            continue
        if row["ch"] == "rest":
            name = "rest:/" + row["url"].split("/", 3)[3].split("?")[0]
        else:
            name = "ws:" + json.loads(row["data"])["stream"].split("@", 1)[1]
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def book_check(rows: list[dict[str, Any]], *, is_spot: bool) -> dict[str, Any]:
    """Replay each symbol's snapshot and diffs; compare with the best quotes."""
    diffs: dict[str, list[Any]] = {}
    quotes: dict[str, dict[int, tuple[Decimal, ...]]] = {}
    snapshots: dict[str, Any] = {}
    for row in rows:
        if row["dir"] != "in":
            continue
        if row["ch"] == "rest":
            if "/depth?" in row["url"]:
                symbol = row["url"].split("symbol=")[1].split("&")[0]
                snapshots[symbol] = json.loads(row["data"])
            continue
        message = payload(row)
        if message.get("e") == "depthUpdate":
            diffs.setdefault(message["s"], []).append(message)
        elif message.get("e", "bookTicker") == "bookTicker":
            top = tuple(Decimal(message[key]) for key in "bBaA")
            quotes.setdefault(message["s"], {})[message["u"]] = top
    return {
        symbol: replay(snapshots[symbol], diffs[symbol], quotes.get(symbol, {}), is_spot=is_spot)
        for symbol in sorted(diffs)
        if symbol in snapshots
    }


def replay(
    snapshot: dict[str, Any],
    diffs: list[Any],
    quotes: dict[int, tuple[Decimal, ...]],
    *,
    is_spot: bool,
) -> dict[str, Any]:
    """Apply one symbol's diffs by the venue's rules and describe the book at the end."""
    last = snapshot["lastUpdateId"]
    kept = [d for d in diffs if (d["u"] > last if is_spot else d["u"] >= last)]
    bids, asks = ({Decimal(p): q for p, q in snapshot[side]} for side in ("bids", "asks"))
    gaps = same = match = 0
    for at, diff in enumerate(kept):
        if at == 0:
            joins = diff["U"] <= last + 1 if is_spot else diff["U"] <= last
        else:
            joins = diff["U"] == last + 1 if is_spot else diff["pu"] == last
        gaps += not joins
        last = diff["u"]
        for side, levels in ((bids, diff["b"]), (asks, diff["a"])):
            for price, qty in levels:
                if Decimal(qty) == 0:
                    side.pop(Decimal(price), None)
                else:
                    side[Decimal(price)] = qty
        if last in quotes:
            bid, ask = max(bids), min(asks)
            same += 1
            match += quotes[last] == (bid, Decimal(bids[bid]), ask, Decimal(asks[ask]))
    best = {
        "bids": [[f"{p:f}", bids[p]] for p in sorted(bids, reverse=True)[:10]],
        "asks": [[f"{p:f}", asks[p]] for p in sorted(asks)[:10]],
    }
    return {
        "diffs": len(diffs),
        "gaps": gaps,
        "snapshots": 1,
        "dropped_stale": len(diffs) - len(kept),
        "chains": gaps == 0,
        "applied": len(kept),
        "final": {**best, "n_bids": len(bids), "n_asks": len(asks), "u": last},
        "bookTicker_same_u": same,
        "bookTicker_top_match": match,
    }


if __name__ == "__main__":
    main(Path(sys.argv[1]))
