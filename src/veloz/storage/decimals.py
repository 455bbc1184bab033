"""Decimal numbers as scaled integers, without a detour through floats.

12345 at scale 2 is 123.45. Text is taken exactly. A float stands for the decimal that it is
nearest to; how many decimals a column has is found from all its rows. Columns are converted by
SQL, so that a file larger than memory is no matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Context, Decimal, Inexact, InvalidOperation, Overflow

import duckdb
import numpy as np
import numpy.typing as npt

from veloz.errors import DataError

FLOAT_SCALE_MAX = 12
_TEXT_SCALE_MAX = 18
_NOISE = 16 * float(np.finfo(np.float64).eps)  # what a few float operations leave behind
_NEAR = 1e-9  # a float farther than this (relative) from its decimal is not that decimal
_INT_MAX = 2**63 - 1
_DECIMALS_MAX = 36
_BEYOND = Decimal(10) ** 38
# More digits than any figure has, and an error instead of a rounded one.
_EXACT = Context(prec=90, traps=[InvalidOperation, Inexact, Overflow])


def scaled(value: str | int | Decimal, scale: int) -> int:
    """The integer that stands for `value` at `scale`.

    Raises:
        DataError: If it is no finite number or has more decimals.
    """
    try:
        exact = _EXACT.scaleb(Decimal(value), scale)
        is_small = abs(exact) < _BEYOND
    except (ArithmeticError, ValueError, TypeError) as error:
        raise DataError(f"{value!r} is not a decimal number") from error
    if not is_small:
        raise DataError(f"{value} is too large for a price, an amount or a rate")
    whole = int(exact)
    if whole != exact:
        raise DataError(f"{value} has more than {scale} decimals")
    return whole


def text(value: int, scale: int) -> str:
    """A scaled integer as plain decimal text, without zeros behind the last digit."""
    sign, digits = ("-" if value < 0 else ""), f"{abs(value):0{scale + 1}d}"
    if scale == 0:
        return sign + digits
    whole, part = digits[:-scale], digits[-scale:].rstrip("0")
    return f"{sign}{whole}.{part}" if part else sign + whole


def decimals_of(value: str | int | Decimal) -> int:
    """How many decimals a number needs.

    Raises:
        DataError: If it is no number.
    """
    try:
        exponent = Decimal(value).normalize().as_tuple().exponent
    except (ArithmeticError, ValueError, TypeError) as error:
        raise DataError(f"{value!r} is not a decimal number") from error
    decimals = max(0, -exponent) if isinstance(exponent, int) else 0
    if decimals > _DECIMALS_MAX:
        raise DataError(f"{value} has {decimals} decimals; {_DECIMALS_MAX} are the most")
    return decimals


def rescaled(values: npt.NDArray[np.int64], have: int, want: int) -> npt.NDArray[np.int64]:
    """Integers moved from one scale to a finer one, exactly.

    Raises:
        DataError: If the scale is coarser, or a value does not fit 64 bits.
    """
    if have == want:
        return values
    factor = 10 ** (want - have) if want > have else 0
    top = int(np.abs(values).max()) if values.size else 0
    if factor == 0 or top * factor > _INT_MAX:
        raise DataError(
            f"numbers with {have} decimals cannot be given with {want}: "
            "the instrument's scales do not suit the stored files; import them again"
        )
    return values * factor


class ExactColumns:
    """Turns the number columns of a table, text or floats, into integers at a scale."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, table: str, *, origin: str) -> None:
        """Looks at the table's column types.

        Args:
            connection: Where the table is.
            table: Its name; rows stand in the order of the source.
            origin: Names the source in errors.
        """
        self.connection = connection
        self._table = table
        self._origin = origin
        rows = connection.execute(f"DESCRIBE {table}").fetchall()
        self.types: dict[str, str] = {row[0]: row[1] for row in rows}

    def scale(self, columns: Iterable[str], *, least: int = 0, most: int = FLOAT_SCALE_MAX) -> int:
        """The fewest decimals, at least `least`, that hold every value of the columns.

        Floats may take `most` of them.

        Raises:
            DataError: If a value is no finite decimal; names column and row.
        """
        return max([least, *(self._scale(column, most) for column in columns)])

    def integer(self, column: str, scale: int) -> str:
        """SQL that gives a checked column as integers at `scale`."""
        name = _quoted(column)
        if self._is_float(column):
            return f"CAST(round({name} * 1e{scale}) AS BIGINT)"
        plain = self._plain(column)
        return (
            f"CAST(split_part({plain}, '.', 1) || rpad(split_part({plain}, '.', 2), {scale}, '0') "
            "AS BIGINT)"
        )

    def check_fit(self, column: str, scale: int) -> None:
        """Refuses values that do not fit 64 bits, or lose more than 1e-9 at `scale`.

        Raises:
            DataError: Names column and row.
        """
        name = _quoted(column)
        number = name if self._is_float(column) else f"TRY_CAST({name} AS DOUBLE)"
        row = self._first(f"abs({number}) * 1e{scale} > {float(_INT_MAX)!r}")
        if row:
            raise DataError(
                f"{self._place(column, row)}, which does not fit 64 bits with {scale} decimals: "
                "is the column right?"
            )
        if self._is_float(column):
            row = self._first(self._off(column, scale, _NEAR))
        else:
            row = self._first(f"{self._digits(column)} > {scale}")
        if row:
            raise DataError(
                f"{self._place(column, row)}, which has more than {scale} decimals: "
                "round the column and import again"
            )

    def _scale(self, column: str, most: int) -> int:
        if self._is_float(column):
            return self._float_scale(column, most)
        if self.types[column] in _INTEGERS:
            self._refuse(column, f"{_quoted(column)} IS NULL", "is empty")
            return 0
        form = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
        value = f"trim(CAST({_quoted(column)} AS VARCHAR))"
        self._refuse(
            column,
            f"{_quoted(column)} IS NULL OR NOT regexp_full_match({value}, '{form}')",
            "is not a decimal number",
        )
        digits = self.connection.execute(
            f"SELECT max({self._digits(column)}) FROM {self._table}"
        ).fetchone()
        assert digits is not None
        if (digits[0] or 0) > _TEXT_SCALE_MAX:
            self.check_fit(column, _TEXT_SCALE_MAX)
        return digits[0] or 0

    def _float_scale(self, column: str, most: int) -> int:
        self._refuse(
            column,
            f"{_quoted(column)} IS NULL OR NOT isfinite({_quoted(column)})",
            "is not a finite number",
        )
        scales = range(most + 1)
        for tolerance in (_NOISE, _NEAR):
            tests = ", ".join(f"bool_or({self._off(column, s, tolerance)})" for s in scales)
            off = self.connection.execute(f"SELECT {tests} FROM {self._table}").fetchone()
            assert off is not None
            for scale in scales:
                if not off[scale]:
                    return scale
        row = self._first(self._off(column, most, _NEAR))
        assert row is not None
        raise DataError(
            f"{self._place(column, row)}, which is no decimal of at most {most} "
            "places: round the column to the instrument's tick and import again"
        )

    def _is_float(self, column: str) -> bool:
        # A float of 32 bits goes by its shortest text: no arithmetic of doubles finds its decimal.
        return self.types[column] == "DOUBLE"

    def _off(self, column: str, scale: int, tolerance: float) -> str:
        name = _quoted(column)
        return f"abs(round({name} * 1e{scale}) / 1e{scale} - {name}) > {tolerance!r} * abs({name})"

    def _plain(self, column: str) -> str:
        """SQL for the value as text without an exponent."""
        value = f"trim(CAST({_quoted(column)} AS VARCHAR))"
        if self.types[column] in _INTEGERS:
            return value
        spelt_out = f"CAST(CAST({value} AS DECIMAL(38, {_TEXT_SCALE_MAX})) AS VARCHAR)"
        return f"CASE WHEN contains(lower({value}), 'e') THEN {spelt_out} ELSE {value} END"

    def _digits(self, column: str) -> str:
        return f"length(rtrim(split_part({self._plain(column)}, '.', 2), '0'))"

    def _refuse(self, column: str, condition: str, what: str) -> None:
        row = self._first(condition)
        if row:
            raise DataError(
                f"{self._place(column, row)}, which {what}: repair or remove the row and import "
                "again"
            )

    def _first(self, condition: str) -> int | None:
        row = self.connection.execute(
            f"SELECT rowid + 1 FROM {self._table} WHERE {condition} ORDER BY rowid LIMIT 1"
        ).fetchone()
        return row[0] if row else None

    def _place(self, column: str, row: int) -> str:
        value = self.connection.execute(
            f"SELECT {_quoted(column)} FROM {self._table} WHERE rowid = {row - 1}"
        ).fetchone()
        shown = repr(value[0]) if value and value[0] is not None else "nothing"
        return f"{self._origin} has {shown} in column {column!r} of row {row}"


_INTEGERS = {
    "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT",
    "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT",
}  # fmt: skip


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
