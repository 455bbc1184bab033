"""Symbols: parsed, written and spelled for file names in one place.

    binance:BTC/USDT               spot
    binance:BTC/USDT:USDT          linear perpetual, settled in the quote currency
    binance:BTC/USD:BTC            inverse perpetual, settled in the base coin
    binance:BTC/USD:BTC-211231     dated contract, delivered on 2021-12-31

The file spelling joins the same words with `-` (`BTC-USD-BTC-211231`) under folders for venue and
market. Everything but capital letters and digits is percent-encoded, so that two symbols never
share a folder, not even where file names ignore case.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import PurePosixPath

from veloz.errors import DataError

_FORM = re.compile(
    r"(?P<venue>[a-z][a-z0-9_]*):(?P<base>[^\s/:-]+)/(?P<quote>[^\s/:-]+)"
    r"(?::(?P<settle>[^\s/:-]+)(?:-(?P<expiry>\d{6}))?)?"
)
_UNSAFE = re.compile(r"[^A-Z0-9]")
_DELIVERY_HOUR = 8  # Binance, OKX and Bybit deliver dated contracts at 08:00 UTC


@dataclass(frozen=True, order=True)
class Symbol:
    """A tradable thing, by venue and assets.

    Attributes:
        venue: Lower case, e.g. `binance`.
        base: What is bought and sold.
        quote: The currency of the price.
        settle: The currency of profit and margin; `None` for spot.
        expiry: `YYMMDD` of a dated contract.
    """

    venue: str
    base: str
    quote: str
    settle: str | None = None
    expiry: str | None = None

    def __post_init__(self) -> None:
        """Refuses a settlement currency that is neither quote nor base.

        Raises:
            DataError: If it is.
        """
        if self.settle not in (None, self.quote, self.base):
            raise DataError(
                f"symbol {self} settles in {self.settle}, which is neither its quote nor its base: "
                "only spot, linear and inverse instruments are supported"
            )

    def __str__(self) -> str:
        """The symbol as users write it."""
        text = f"{self.venue}:{self.base}/{self.quote}"
        if self.settle is not None:
            text += f":{self.settle}"
        return f"{text}-{self.expiry}" if self.expiry else text

    @property
    def market(self) -> str:
        """`spot`, `linear` or `inverse`."""
        if self.settle is None:
            return "spot"
        return "linear" if self.settle == self.quote else "inverse"

    @property
    def expiry_ns(self) -> int | None:
        """When a dated contract is delivered, in ns since the epoch."""
        if self.expiry is None:
            return None
        day = datetime.strptime(self.expiry, "%y%m%d").replace(tzinfo=UTC, hour=_DELIVERY_HOUR)
        return int(day.timestamp()) * 1_000_000_000

    @property
    def path(self) -> PurePosixPath:
        """Where a catalogue keeps it: `venue/market/BASE-QUOTE[-SETTLE[-YYMMDD]]`."""
        words = [self.base, self.quote, self.settle, self.expiry]
        name = "-".join(_encode(word) for word in words if word is not None)
        return PurePosixPath(self.venue, self.market, name)


def parse_symbol(text: str) -> Symbol:
    """The symbol that a text names.

    Raises:
        DataError: If the text has none of the four forms.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise DataError(
            f"{text!r} is not a symbol: write venue:BASE/QUOTE for spot (binance:BTC/USDT), "
            "venue:BASE/QUOTE:SETTLE for a perpetual (binance:BTC/USDT:USDT), "
            "with -YYMMDD behind a dated contract"
        )
    venue, _, pair = text.partition(":")
    if pair.islower():
        raise DataError(f"{text!r} is not a symbol: assets are in capitals, {venue}:{pair.upper()}")
    return Symbol(**match.groupdict())


def symbol_of_path(path: PurePosixPath) -> Symbol:
    """The symbol whose `path` this is.

    Raises:
        DataError: If it is no such path.
    """
    try:
        venue, market, name = path.parts
        words = [_decode(word) for word in name.split("-")]
        symbol = Symbol(venue, *words)
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is not the folder of a symbol in a catalogue") from error
    if symbol.market != market:
        raise DataError(f"{path} is not the folder of a symbol in a catalogue")
    return symbol


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """A hint for a misspelt word: the nearest known ones, or the first few of all."""
    known = sorted(known)
    if not known:
        return "there are none yet"
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(near)}?"
    more = f" and {len(known) - 6} more" if len(known) > 6 else ""
    return f"known are {', '.join(known[:6])}{more}"


def _encode(word: str) -> str:
    def escape(match: re.Match[str]) -> str:
        return "".join(f"%{byte:02X}" for byte in match.group().encode())

    return _UNSAFE.sub(escape, word)


def _decode(word: str) -> str:
    raw = re.sub(
        rb"%([0-9A-F]{2})", lambda match: bytes([int(match.group(1), 16)]), word.encode("ascii")
    )
    return raw.decode()
