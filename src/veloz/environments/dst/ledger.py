"""What the engine's journal says, read from the disk as anyone could: orders, fills, places.

The oracles compare it with the exchange's own ledger. Nothing here asks the engine.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from veloz._core import JournalReader
from veloz.environments.dst.process import FOLDER
from veloz.environments.trading.tables import TABLES, Tables, market_of

if TYPE_CHECKING:
    from veloz.net.simulated import Disk

__all__ = ["BookedFill", "JournalLedger", "is_segment", "read_ledger"]


@dataclass(frozen=True)
class BookedFill:
    """One execution, as a ledger has it.

    Attributes:
        market: Of the instrument.
        symbol: The venue's.
        trade_id: The venue's.
        side: `BUY` or `SELL`.
    """

    market: str
    symbol: str
    trade_id: int
    side: str
    price: Decimal
    qty: Decimal
    fee: Decimal
    fee_asset: str

    @property
    def key(self) -> tuple[str, str, int, str, Decimal]:
        """Both sides of one trade may be ours, and two fills may have one number (F-D04)."""
        return (self.market, self.symbol, self.trade_id, self.side, self.qty.normalize())


@dataclass
class JournalLedger:
    """The journal of a run.

    Attributes:
        fills: In the order of booking.
        placed: Where the command of each order and leg is: name of the segment, end of its batch in
            bytes.
        refused: Handles of orders that a risk rule refused.
        counts: Records by type.
        segments: Names, in order.
        booked: Place in `fills` of each order's trade.
        tables: What the rows in it mean.
    """

    tables: Tables

    fills: list[BookedFill] = field(default_factory=list[BookedFill])
    placed: dict[tuple[int, int], tuple[str, int]] = field(
        default_factory=dict[tuple[int, int], tuple[str, int]]
    )
    refused: set[int] = field(default_factory=set[int])
    counts: Counter[str] = field(default_factory=Counter[str])
    segments: list[str] = field(default_factory=list[str])
    booked: dict[tuple[int, int], int] = field(default_factory=dict[tuple[int, int], int])


def read_ledger(disk: Disk) -> JournalLedger:
    """Reads every segment on the disk.

    Args:
        disk: The engine's.

    Raises:
        ValueError: A segment is no journal.
        DataError: The tables cannot be read.
    """
    path = FOLDER / TABLES
    found = JournalLedger(Tables.of(disk.read(path), str(path)))
    for name, image in disk.images():
        if not is_segment(name) or not any(image[:16]):
            continue  # the segment that was made ahead
        found.segments.append(name)
        reader = JournalReader(image)
        offset: int | None = 0
        while offset is not None:
            end = offset
            rows, offset = reader.records(offset, 1)
            end = reader.whole_bytes() if offset is None else offset
            for row in rows:
                _take(found, row, name, end)
    return found


def is_segment(name: str) -> bool:
    """True for a segment of the run's journal; one that was put aside is none."""
    return name.startswith(f"{FOLDER}/trading-") and name.endswith(".vj")


def _take(found: JournalLedger, row: dict[str, Any], name: str, end: int) -> None:
    kind = row["record"]
    found.counts[kind] += 1
    if kind == "PlaceCommand":
        found.placed[row["order"], 0] = (name, end)
    elif kind == "OrderLeg":
        found.placed.setdefault((row["order"], row["leg"]), (name, end))
    elif kind == "Refused" and row["request"] == 0:
        found.refused.add(row["order"])
    elif kind == "Fill":
        found.booked[row["order"], row["trade_id"]] = len(found.fills)
        found.fills.append(_fill(row, found.tables))
    elif kind == "FillFee":
        at = found.booked[row["order"], row["trade_id"]]
        fee = Decimal(row["fee"]).scaleb(-8)
        asset = found.tables.assets[int(row["fee_asset"])]
        found.fills[at] = replace(found.fills[at], fee=fee, fee_asset=asset)


def _fill(row: dict[str, Any], tables: Tables) -> BookedFill:
    instrument = tables.instruments[row["instrument"]]
    return BookedFill(
        market_of(instrument["symbol"]),
        instrument["venue_symbol"],
        row["trade_id"],
        "BUY" if row["side"] > 0 else "SELL",
        Decimal(row["price"]).scaleb(-instrument["price_scale"]),
        Decimal(row["qty"]).scaleb(-instrument["qty_scale"]),
        Decimal(row["fee"]).scaleb(-8),
        tables.assets[int(row["fee_asset"])],
    )
