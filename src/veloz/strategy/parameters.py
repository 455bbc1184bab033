"""Parameters of a strategy: declared once, on the class, typed and bounded (ST6).

The same declaration drives the command line (`--set fast=12`), forms, searches and hot updates.

    class Cross(Strategy):
        fast = Int(10, 2, 100)
        qty = Qty("0.01")
"""

from __future__ import annotations

import copy
import difflib
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, overload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from veloz.strategy.strategy import Strategy

T = TypeVar("T")


class Parameter(Generic[T]):
    """One declared parameter: a value with a type, bounds and a default.

    Args:
        default: Value if nobody sets another.
        low: Least value, inclusive; None for no bound.
        high: Greatest value, inclusive; None for no bound.
        hot: Whether it may change while the strategy runs.
        doc: One sentence for forms and help.
    """

    kind: ClassVar[str] = "value"

    def __init__(
        self,
        default: T | str,
        low: T | str | None = None,
        high: T | str | None = None,
        *,
        hot: bool = False,
        doc: str = "",
    ) -> None:
        self.name, self.hot, self.doc = "", hot, doc
        self.low = None if low is None else self.convert(low)
        self.high = None if high is None else self.convert(high)
        self.default = self.check(default)

    def with_default(self, value: object) -> Self:
        """The same declaration with another default, for a subclass that only changes that.

        Raises:
            ValueError: The value is refused.
        """
        changed = copy.copy(self)
        changed.default = self.check(value)
        return changed

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: Strategy, owner: type) -> T: ...
    @overload
    def __get__(self, instance: object, owner: type) -> Self: ...  # as a field of something else
    def __get__(self, instance: object, owner: type) -> Self | T:
        # An instance has its own attribute of the same name, unless nobody gave it one.
        if instance is not None:
            raise AttributeError(
                f"parameter {self.name!r} has no value yet: an __init__ of yours must call "
                "super().__init__(**parameters) first"
            )
        return self

    def convert(self, value: object) -> T:
        """The value in the parameter's type.

        Raises:
            ValueError: It cannot be one.
        """
        raise NotImplementedError

    def check(self, value: object) -> T:
        """The value, converted and within the bounds.

        Raises:
            ValueError: It is of another type or out of bounds; the sentence names both.
        """
        converted = self.convert(value)
        label = f"parameter {self.name!r}" if self.name else "a parameter's default"
        if self.low is not None and converted < self.low:  # type: ignore[operator]
            raise ValueError(f"{label} is {converted}, below its least value {self.low}")
        if self.high is not None and converted > self.high:  # type: ignore[operator]
            raise ValueError(f"{label} is {converted}, above its greatest value {self.high}")
        return converted

    def schema(self) -> dict[str, Any]:
        """The declaration as plain values, for forms and documents."""
        plain = {"name": self.name, "type": self.kind, "default": self.default, "hot": self.hot}
        plain |= {"low": self.low, "high": self.high, "doc": self.doc}
        return {
            key: str(value) if isinstance(value, Decimal) else value for key, value in plain.items()
        }

    def _refuse(self, value: object, what: str) -> ValueError:
        label = f"parameter {self.name!r}" if self.name else "a parameter's default"
        return ValueError(f"{label} is {value!r}, not {what}")


class Int(Parameter[int]):
    """A whole number."""

    kind = "int"

    def convert(self, value: object) -> int:
        """As `Parameter.convert`; text of a whole number is one."""
        if isinstance(value, bool) or not isinstance(value, (int, str)):
            raise self._refuse(value, "a whole number")
        try:
            return int(value)
        except ValueError:
            raise self._refuse(value, "a whole number") from None


class Float(Parameter[float]):
    """A finite float."""

    kind = "float"

    def convert(self, value: object) -> float:
        """As `Parameter.convert`; NaN and infinity are refused."""
        if isinstance(value, bool) or not isinstance(value, (int, float, str, Decimal)):
            raise self._refuse(value, "a number")
        try:
            number = float(value)
        except ValueError:
            raise self._refuse(value, "a number") from None
        if number != number or number in {float("inf"), float("-inf")}:
            raise self._refuse(value, "a finite number")
        return number


class Bool(Parameter[bool]):
    """True or false."""

    kind = "bool"

    def convert(self, value: object) -> bool:
        """As `Parameter.convert`; "true", "false", "yes", "no", "1" and "0" are understood."""
        if isinstance(value, bool):
            return value
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if isinstance(value, str) and value.lower() in words:
            return words[value.lower()]
        raise self._refuse(value, "true or false")


class Qty(Parameter[Decimal]):
    """An exact quantity of an instrument."""

    kind = "qty"

    def convert(self, value: object) -> Decimal:
        """As `Parameter.convert`; write it as text ("0.01") to be exact."""
        try:
            number = Decimal(str(value))
        except InvalidOperation:
            raise self._refuse(value, "a decimal number") from None
        if not number.is_finite():
            raise self._refuse(value, "a finite number")
        return number


class Notional(Qty):
    """An exact amount of the quote currency."""

    kind = "notional"


class Choice(Parameter[str]):
    """One of several words.

    Args:
        default: Value if nobody sets another.
        options: All words that are allowed.
        hot: Whether it may change while the strategy runs.
        doc: One sentence for forms and help.
    """

    kind = "choice"

    def __init__(
        self, default: str, options: Sequence[str], *, hot: bool = False, doc: str = ""
    ) -> None:
        self.options = tuple(options)
        super().__init__(default, hot=hot, doc=doc)

    def convert(self, value: object) -> str:
        """As `Parameter.convert`."""
        if value not in self.options:
            raise self._refuse(value, f"one of {', '.join(self.options)}")
        return str(value)

    def schema(self) -> dict[str, Any]:
        """As `Parameter.schema`, with the options."""
        return super().schema() | {"options": list(self.options)}


class Symbol(Parameter[str]):
    """An instrument, as crypto users write it.

    `binance:BTC/USDT` (spot), `binance:BTC/USDT:USDT` (linear perpetual), `binance:BTC/USD:BTC`
    (inverse), with `-YYMMDD` behind a dated contract.
    """

    kind = "symbol"

    def convert(self, value: object) -> str:
        """As `Parameter.convert`; needs a venue, a colon, and BASE/QUOTE."""
        text = str(value)
        venue, colon, pair = text.partition(":")
        if not (colon and venue and "/" in pair):
            raise self._refuse(
                value, "of the form venue:BASE/QUOTE[:SETTLE], e.g. binance:BTC/USDT"
            )
        return text


def settle(declared: Mapping[str, Parameter[Any]], given: Mapping[str, object]) -> dict[str, Any]:
    """All parameters with their values: those given, checked, and defaults for the rest.

    Raises:
        ValueError: A name is not declared (the nearest one is suggested), or a value is refused.
    """
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(declared) or "none"
            raise ValueError(f"unknown parameter {name!r}{hint} (declared: {known})")
    return {
        name: parameter.check(given[name]) if name in given else parameter.default
        for name, parameter in declared.items()
    }
