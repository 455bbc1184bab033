"""BT3: what its margin carries no more goes to the venue; the account never owes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

import veloz as vz
from veloz.environments.settings import parse_maintenance
from veloz.errors import ConfigError

PERPETUAL, INVERSE = "binance:BTC/USDT:USDT", "binance:BTC/USD:BTC"


def enters(qty: object, symbol: str = PERPETUAL) -> type[vz.Strategy]:
    """A strategy that takes a position on its first bar, a sale if negative, and tries again."""

    class Enters(vz.Strategy):
        bars = vz.Bars(symbol, "1m")

        def on_start(self):
            self.count, self.heard = 0, []

        def on_bar(self, bar):
            self.count += 1
            self.heard.append(("bar", self.position(symbol)))
            if self.count in {1, 5}:
                amount = Decimal(str(qty))
                (self.buy if amount > 0 else self.sell)(symbol, abs(amount))

        def on_fill(self, fill):
            self.heard.append(("fill", float(fill.price)))

    return Enters


def traded(qty: object, bars: list[Any], symbol: str = PERPETUAL, **setup: Any) -> Any:
    return vz.test(enters(qty, symbol)).setup(**{"leverage": 20, **setup}).bars(bars)


def test_a_position_goes_within_the_bar_that_uses_its_margin_up() -> None:
    # 1,000 on 100: at 90.4 there are 4 left, and 0.5 % of 904 must be.
    calm = (100, 100, 90.5, 95)
    kit = traded(10, [100, 100, calm, (95, 95, 90.4, 95), 95, 95], balance="100 USDT")
    first, second = kit.fills
    assert (first.side, first.price, second.side, second.price) == ("buy", 100, "sell", 90)
    assert (kit.position(), kit.run.final_equity) == (0, 0)
    forced, refused = kit.orders[1:]
    assert (forced.status, forced.reason, forced.why) == (
        "filled", "liquidation", "liquidated by the venue",
    )  # fmt: skip
    assert refused.status == "refused"
    assert refused.reason.startswith("frozen: liquidation of binance:BTC/USDT:USDT by the venue")
    # The strategy knows before the bar's end.
    assert kit.strategy.heard[-4:-2] == [("fill", 90.0), ("bar", 0)]
    assert kit.run.tables.ledger[0].unexplained() == 0


def test_the_report_says_it_first() -> None:
    kit = traded(10, [100, 100, 95, 90, 95], balance="100 USDT")
    text = kit.run.text()
    assert "✗ The venue liquidated binance:BTC/USDT:USDT on " in text
    assert "nothing is left to trade with" in text
    assert "fiction" not in text


def test_a_short_position_and_its_high() -> None:
    kit = traded(-10, [100, 100, (100, 109.6, 100, 100), 100], balance="100 USDT")
    assert [fill.price for fill in kit.fills] == [100, 110]
    assert kit.run.final_equity == 0


def test_an_inverse_position_is_carried_in_coin() -> None:
    # 100 contracts of 100 USD at 100 are 100 BTC on 10: 109.9 would be 0.04 % of it too much.
    kit = traded(100, [100, 100, 92, 91, 95], INVERSE, balance="10 BTC")
    assert [fill.side for fill in kit.fills] == ["buy", "sell"]
    assert 0 <= kit.run.final_equity < Decimal("0.01")


@pytest.mark.parametrize(
    "setup",
    [
        {"balance": "100 USDT", "maintenance": 0},
        {"balance": "100 USDT", "limits": {"check_funds": False}},
        {},  # the kit's own account has no end
    ],
)
def test_who_wants_none_has_none(setup: dict[str, Any]) -> None:
    kit = traded(10, [100, 100, 80, 80], **setup)
    assert kit.position() == 10


def test_marks_decide_where_they_are() -> None:
    bars = [100, 100, (100, 100, 50, 100), 100, 100]
    kit = traded(10, bars, balance="100 USDT").marks([100] * 5, every="1m")
    assert kit.position() == 10
    kit = traded(10, bars, balance="100 USDT").marks([100, 100, 100, 90, 100], every="1m")
    assert kit.position() == 0


def test_tiers_of_the_instrument_count_unless_a_rate_is_given() -> None:
    tiers = [{"cap": "500", "rate": "0.004"}, {"rate": "0.1"}]

    def left(price: float, **setup: Any) -> Decimal:
        kit = vz.test(enters(10)).setup(balance="100 USDT", leverage=20, **setup)
        return kit.instrument(tiers=tiers).bars([100, 100, price, price]).position()

    # Above 500 it is 10 % less 48: 950 needs 47 of the 50 that are left; 949 needs 46.9 of 49.
    assert left(95) == 10
    assert left(94.9) == 10
    # 0.1·10p - 48 = 100 + 10p - 1,000 at 94.67.
    assert left(94.6) == 0
    assert left(94.6, maintenance="0.004") == 10


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("much", "maintenance 'much' is not a number such as 0.005"),
        ("1", "maintenance 1 is not a fraction of the value; 0.5 % is 0.005"),
        ("-0.1", "is not a fraction of the value"),
        ("NaN", "is not a fraction of the value"),
    ],
)
def test_what_is_no_rate(value: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        parse_maintenance(value)
    assert sentence in str(refused.value)


def test_a_rate_of_a_symbol_that_is_not_traded_is_refused() -> None:
    kit = traded(1, [100, 100], balance="100 USDT", maintenance="binance:ETH/USDT:USDT=0.01")
    with pytest.raises(ConfigError, match=r"maintenance is given for binance:ETH/USDT:USDT"):
        _ = kit.run
