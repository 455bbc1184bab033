"""Money that moved without a trade while nobody listened: found in the venue's income record.

```text
 a balance differs ─► income since the last whole round ─► which entries make the difference?
        exactly one choice ─► booked, each under the venue's own number
        none, or several   ─► a difference for a person, as before
```

An event of the private stream and the entry of the record have no number in common. What was heard
is booked already, so only the missing entries can make up the difference: of all choices of entries
the one that is exactly as large, to the last digit, is what was missed.

What a newcomer gets wrong: realised profit and commission are in the record too. They belong to
trades, which have listings of their own, and are never booked from here.

Source: USDⓈ-M and COIN-M Futures "Get Income History".
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Sequence

    from veloz.venues.binance.rest import BinanceRest

__all__ = ["Entry", "income_since", "missed"]

_PAGE = 1000
_MOST_SUMS = 20_000
"""So many different sums are looked at; an account with more entries than that needs a person."""

_WORDS = {
    "FUNDING_FEE": "funding",
    "TRANSFER": "transfer",
    "INTERNAL_TRANSFER": "transfer",
    "CROSS_COLLATERAL_TRANSFER": "transfer",
    "STRATEGY_UMFUTURES_TRANSFER": "transfer",
    "COIN_SWAP_DEPOSIT": "conversion",
    "COIN_SWAP_WITHDRAW": "conversion",
    "WELCOME_BONUS": "gift",
    "CONTEST_REWARD": "gift",
    "REFERRAL_KICKBACK": "rebate",
    "COMMISSION_REBATE": "rebate",
    "API_REBATE": "rebate",
    "INSURANCE_CLEAR": "insurance",
    "AUTO_EXCHANGE": "conversion",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the record.

    Attributes:
        kind: The venue's word.
        why: The engine's.
        asset: What moved.
        amount: Positive is received.
        symbol: The venue's symbol; empty if it is about none.
        at_ms: When.
        number: From the venue's number; never 0, and the same whenever it is asked for.
    """

    kind: str
    why: str
    asset: str
    amount: Decimal
    symbol: str
    at_ms: int
    number: int


async def income_since(rest: BinanceRest, since_ms: int) -> list[Entry] | None:
    """The entries since a time that no trade explains, oldest first.

    Returns:
        None if the record is not whole: no list, a line that cannot be read, or too many.

    Raises:
        NotSent: The request did not leave.
        OutcomeUnknown: No answer came.
    """
    answer = await rest.call("income", {"startTime": str(since_ms), "limit": str(_PAGE)})
    rows: Any = answer.value()
    if answer.status != 200 or not _is_list(rows) or len(rows) >= _PAGE:
        return None
    found: list[Entry] = []
    for row in rows:
        try:
            why = _WORDS.get(str(row["incomeType"]))
            if why is not None and not row.get("tradeId"):
                found.append(_entry(row, why))
        except (KeyError, TypeError, AttributeError, ValueError, InvalidOperation):
            return None
    return sorted(found, key=lambda entry: entry.at_ms)


def missed(entries: Sequence[Entry], difference: Decimal) -> list[Entry]:
    """The entries that make up a difference, if there is exactly one choice of them.

    Entries of one kind, symbol and amount count as the same: which of them it was changes no book.

    Args:
        entries: Of one asset.
        difference: What the venue holds less what we hold; not 0.
    """
    # By sum, how many of each distinct entry make it; None where several choices do.
    counts: dict[tuple[str, str, Decimal], list[Entry]] = {}
    for entry in entries:
        counts.setdefault((entry.kind, entry.symbol, entry.amount), []).append(entry)
    sums: dict[Decimal, tuple[Entry, ...] | None] = {Decimal(0): ()}
    for same in counts.values():
        wider = dict(sums)
        for total, choice in sums.items():
            for many in range(1, len(same) + 1):
                reached = total + many * same[0].amount
                is_new = reached not in wider and choice is not None
                # of equal ones the latest were missed: the earlier ones were heard
                wider[reached] = (*choice, *same[-many:]) if is_new and choice is not None else None
        sums = wider
        if len(sums) > _MOST_SUMS:
            return []
    return sorted(sums.get(difference) or (), key=lambda entry: entry.at_ms)


def _entry(row: Any, why: str) -> Entry:
    kind, symbol, number = str(row["incomeType"]), str(row["symbol"]), str(row["tranId"])
    # The venue's numbers are unique for each kind alone.
    seal = hashlib.blake2b(f"{kind}/{symbol}/{number}".encode(), digest_size=8).digest()
    return Entry(
        kind=kind,
        why=why,
        asset=str(row["asset"]),
        amount=Decimal(str(row["income"])),
        symbol=symbol,
        at_ms=int(row["time"]),
        number=int.from_bytes(seal, "big") or 1,
    )


def _is_list(value: object) -> TypeGuard[list[Any]]:
    return isinstance(value, list)
