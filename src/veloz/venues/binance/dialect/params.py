"""Parameters of one request, read with the venue's own complaints.

A parameter is read by name and kind; what is missing, malformed or left over is refused with the
code and the sentence that the venue uses.

Source: Binance Spot API, "Error codes for Binance", 11xx.
"""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from veloz.venues.binance.dialect.errors import error
from veloz.venues.binance.dialect.vocabulary import decode

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["Params", "split_query"]

DECIMAL_FORM = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
INT_FORM = r"^[0-9]{1,20}$"
# Read by the proof of a request, before its work.
ENVELOPE = frozenset({"timestamp", "recvWindow", "signature", "apiKey"})
ID_FORM = r"^[a-zA-Z0-9-_]{1,36}$"
FUTURES_ID_FORM = r"^[\.A-Z\:/a-z0-9_-]{1,36}$"


def split_query(text: str) -> list[tuple[str, str]]:
    """Names and values of a query string or form body, percent-decoded, in their order."""
    pairs: list[tuple[str, str]] = []
    for part in text.split("&"):
        if part:
            name, _, value = part.partition("=")
            pairs.append((unquote_plus(name), unquote_plus(value)))
    return pairs


class Params:
    """The parameters of one request.

    Args:
        pairs: Names and values; a name that stands twice is refused with -1101.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, str] = {}
        self._read = set(ENVELOPE)
        for name, value in pairs:
            if name in self._values:
                raise error(-1101)
            self._values[name] = value

    @classmethod
    def of_json(cls, values: Mapping[str, Any]) -> Params:
        """The `params` of a WebSocket request or one element of a batch."""
        return cls((name, json_text(value)) for name, value in values.items() if value is not None)

    def __contains__(self, name: str) -> bool:
        self._read.add(name)
        return self._values.get(name, "") != ""

    def names(self) -> list[str]:
        """The names that were sent."""
        return list(self._values)

    def raw(self) -> dict[str, str]:
        """A copy of names and values."""
        return dict(self._values)

    def text(self, name: str) -> str:
        """A mandatory text; -1102 if missing."""
        self._read.add(name)
        value = self._values.get(name, "")
        if value == "":
            raise error(-1102, name=name)
        return value

    def finish(self) -> None:
        """Refuses what nobody has read, with -1104: a misspelt name is not silently ignored."""
        unread = [name for name in self._values if name not in self._read]
        if unread:
            sent = len(self._values)
            raise error(-1104, read=sent - len(unread), sent=sent)

    def text_or(self, name: str, otherwise: str) -> str:
        """An optional text; -1105 if sent empty."""
        self._read.add(name)
        if self._values.get(name) == "":
            raise error(-1105, name=name)
        return self._values.get(name, otherwise)

    def decimal(self, name: str) -> Decimal:
        """A mandatory number; -1102 if missing, -1100 if malformed."""
        return self._decimal(name, self.text(name))

    def decimal_or_none(self, name: str) -> Decimal | None:
        """An optional number."""
        value = self.text_or(name, "")
        return self._decimal(name, value) if value else None

    def int(self, name: str) -> int:
        """A mandatory whole number."""
        value = self.text(name)
        if not re.fullmatch(INT_FORM, value):
            raise error(-1100, name=name, form=INT_FORM)
        return int(value)

    def int_or_none(self, name: str) -> int | None:
        """An optional whole number."""
        return self.int(name) if self.text_or(name, "") else None

    def int_or(self, name: str, otherwise: int) -> int:
        """An optional whole number with a default."""
        value = self.int_or_none(name)
        return otherwise if value is None else value

    def limit(self, otherwise: int, most: int) -> int:
        """The `limit` of a listing, at most `most`; -1130 if it is 0."""
        value = self.int_or("limit", otherwise)
        if value < 1:
            raise error(-1130, name="limit")
        return min(value, most)

    def bool_or(self, name: str, otherwise: bool) -> bool:  # noqa: FBT001 - a default value
        """An optional truth; -1130 if it is neither `true` nor `false`."""
        value = self.text_or(name, "").lower()
        if value not in {"", "true", "false"}:
            raise error(-1130, name=name)
        return value == "true" if value else otherwise

    def word(self, name: str, allowed: Iterable[str], code: int = -1130) -> str:
        """A mandatory word out of a list; `code` if it is another."""
        value = self.text(name)
        if value not in set(allowed):
            raise error(code, name=name)
        return value

    def word_or(self, name: str, otherwise: str, allowed: Iterable[str], code: int = -1130) -> str:
        """An optional word out of a list."""
        return self.word(name, allowed, code) if self.text_or(name, "") else otherwise

    def client_id(self, name: str, form: str = ID_FORM) -> str:
        """An optional client id; empty if not sent, -1100 if it holds other characters."""
        value = self.text_or(name, "")
        if value and not re.fullmatch(form, value):
            raise error(-1100, name=name, form=form)
        return value

    def json_list(self, name: str) -> list[Any]:
        """A mandatory JSON array."""
        try:
            value = decode(self.text(name))
        except ValueError:
            raise error(-1130, name=name) from None
        if not isinstance(value, list):
            raise error(-1130, name=name)
        return value

    @staticmethod
    def _decimal(name: str, value: str) -> Decimal:
        if not re.fullmatch(DECIMAL_FORM, value):
            raise error(-1100, name=name, form=DECIMAL_FORM)
        return Decimal(value)


def json_text(value: Any) -> str:
    """A JSON value as the text that a signature and a reader see."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
