"""How figures are shown to a person: grouped, signed, with a word where there is none.

Not defined is `n/a`; rounded to zero but not zero is `<0.01`; never `NaN`, `-0.00` or a fake zero.
"""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

NOT_DEFINED = "n/a"
MINUS = "\u2212"


def show(value: Any, unit: str, *, sign: bool = False, minus: str = MINUS) -> str:
    """A metric of the JSON as text.

    Args:
        value: Number, decimal text, `inf`, or `None`.
        unit: As in `Metric.unit`.
        sign: Print a plus.
        minus: Which minus; the terminal takes `-`.

    >>> show(0.1234, "fraction"), show(None, "ratio"), show("1234.5", "money")
    ('12.34 %', 'n/a', '1,234.50')
    """
    if value is None:
        return NOT_DEFINED
    if value in ("inf", "-inf"):
        return "∞" if value == "inf" else f"{minus}∞"
    match unit:
        case "money":
            text = money(value, sign=sign)
        case "fraction" | "fraction/year":
            text = percent(float(value), sign=sign)
        case "count":
            text = f"{int(value):,}"
        case "s":
            text = duration(float(value))
        case "days":
            text = duration(float(value) * 86_400.0)
        case "bps":
            text = _fixed(float(value), 2, sign) + " bps"
        case _:
            text = _fixed(float(value), 2, sign)
    return text.replace("-", minus)


def money(value: Any, *, sign: bool = False, decimals: int | None = None) -> str:
    """An amount, grouped: two decimals from 1 up, more below, as many as it needs to show.

    >>> money("0.00012345"), money("-1234567.891", sign=True), money("0")
    ('0.00012345', '-1,234,567.89', '0.00')
    """
    amount = value if isinstance(value, Decimal) else Decimal(str(value))
    places = decimals if decimals is not None else (2 if abs(amount) >= 1 or not amount else 8)
    shown = amount.quantize(Decimal(1).scaleb(-places), ROUND_HALF_EVEN)
    text = f"{abs(shown):,f}"
    if decimals is None and places == 8:
        whole, _, part = text.partition(".")
        text = f"{whole}.{part.rstrip('0').ljust(2, '0')}"
    if shown == 0:
        return text if amount == 0 else f"<{Decimal(1).scaleb(-places):f}"
    return ("-" if shown < 0 else "+" if sign else "") + text


def percent(value: float, *, sign: bool = False) -> str:
    """A fraction in per cent: two decimals, one from 100 up.

    >>> percent(0.05, sign=True), percent(12.5), percent(0.00001)
    ('+5.00 %', '1,250.0 %', '<0.01 %')
    """
    hundredths = value * 100.0
    return _fixed(hundredths, 1 if abs(hundredths) >= 100.0 else 2, sign) + " %"


def duration(seconds: float) -> str:
    """A time span in its two largest units.

    >>> duration(93_784), duration(0.0042), duration(59.94)
    ('1 d 2 h', '4.2 ms', '59.9 s')
    """
    if seconds < 0:
        return "-" + duration(-seconds)
    if seconds == 0:
        return "0 s"
    for limit, factor, name in ((1e-6, 1e9, "ns"), (1e-3, 1e6, "µs"), (1.0, 1e3, "ms")):
        if seconds < limit:
            return f"{seconds * factor:.3g} {name}"
    if seconds < 60.0:
        return f"{seconds:.3g} s"
    whole = round(seconds)
    for size, name, part, small in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // part
            return f"{whole // size:,} {name}" + (f" {rest} {small}" if rest else "")
    return f"{whole} s"


def _fixed(value: float, places: int, sign: bool) -> str:
    text = f"{value:{'+' if sign and value else ''},.{places}f}"
    if float(text.replace(",", "")) == 0.0:
        return f"{0:.{places}f}" if value == 0.0 else f"<{10.0**-places:.{places}f}"
    return text
