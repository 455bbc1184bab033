"""Symbols, times and exact numbers: one spelling each."""

import pytest

from veloz.errors import DataError
from veloz.storage.decimals import decimals_of, scaled, text
from veloz.storage.kinds import bar_kind, kind_named
from veloz.storage.symbols import Symbol, did_you_mean, parse_symbol, symbol_of_path
from veloz.storage.times import format_span, format_time, parse_span, parse_time

SYMBOLS = {
    "binance:BTC/USDT": ("spot", "binance/spot/BTC-USDT"),
    "binance:BTC/USDT:USDT": ("linear", "binance/linear/BTC-USDT-USDT"),
    "binance:BTC/USD:BTC": ("inverse", "binance/inverse/BTC-USD-BTC"),
    "binance:BTC/USD:BTC-211231": ("inverse", "binance/inverse/BTC-USD-BTC-211231"),
    "binance:1000SHIB/USDT:USDT": ("linear", "binance/linear/1000SHIB-USDT-USDT"),
    "okx:kPEPE/USDT": ("spot", "okx/spot/%6BPEPE-USDT"),
    "binance:币安人生/USDT": ("spot", None),
}


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_a_symbol_and_its_path_name_each_other(symbol: str) -> None:
    market, path = SYMBOLS[symbol]
    parsed = parse_symbol(symbol)
    assert str(parsed) == symbol
    assert parsed.market == market
    assert symbol_of_path(parsed.path) == parsed
    assert str(parsed.path).isascii()
    assert path is None or str(parsed.path) == path


def test_symbols_that_differ_in_case_have_paths_that_do_not_clash() -> None:
    assert str(Symbol("x", "kA", "B").path).lower() != str(Symbol("x", "KA", "B").path).lower()


@pytest.mark.parametrize("word", ["BTCUSDT", "binance:BTC", "binance:BTC/USDT:EUR", "a:B/C-211231"])
def test_what_is_no_symbol_is_refused(word: str) -> None:
    with pytest.raises(DataError):
        parse_symbol(word)


def test_a_dated_contract_is_delivered_at_eight() -> None:
    assert parse_symbol("binance:BTC/USD:BTC-211231").expiry_ns == parse_time("2021-12-31T08:00Z")
    assert parse_symbol("binance:BTC/USD:BTC").expiry_ns is None


def test_a_misspelt_word_gets_a_hint() -> None:
    assert "bar_1m" in did_you_mean("bars_1m", ["bar_1m", "trade"])
    with pytest.raises(DataError, match="did you mean trade"):
        kind_named("trades")


def test_a_time_without_an_offset_is_utc_and_an_offset_is_honoured() -> None:
    assert parse_time("2024-01-01") == parse_time("2024-01-01T00:00:00Z") == 1704067200 * 10**9
    assert parse_time("2024-01-01T08:00+08:00") == parse_time("2024-01-01")
    assert format_time(parse_time("2024-01-01T00:00:00.25")) == "2024-01-01T00:00:00.25Z"
    assert format_time(-1) == "1969-12-31T23:59:59.999999999Z"
    with pytest.raises(DataError, match="is not a time"):
        parse_time("yesterday")


def test_spans_are_written_in_their_largest_whole_unit() -> None:
    for span in ("500us", "1ms", "30s", "1m", "4h", "1d"):
        assert format_span(parse_span(span)) == span
    assert format_span(parse_span("60m")) == "1h"
    assert bar_kind("60m").name == "bar_1h"
    for wrong in ("1x", "m", "0m", "-1s"):
        with pytest.raises(DataError):
            parse_span(wrong)


def test_decimal_text_and_scaled_integers() -> None:
    assert [text(v, 3) for v in (0, -5, 1500, 12)] == ["0", "-0.005", "1.5", "0.012"]
    assert text(42, 0) == "42"
    assert scaled("-12.340", 2) == -1234
    assert scaled("1e-7", 8) == 10
    assert decimals_of("0.00100") == 3
    for wrong in ("x", "1.234", "nan"):
        with pytest.raises(DataError):
            scaled(wrong, 2)
