"""What a user may say about a backtest, checked and in exact form.

Text as on the command line and values as in a script are both understood; what is unknown is
refused with a sentence that names what exists.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any

from veloz.errors import ConfigError

# What venues charge accounts without volume, by kind of instrument, where neither the data nor
# the user say it: (maker, taker). Source: Binance fee schedule, regular users.
STANDARD_FEES = {
    "spot": ("0.001", "0.001"),
    "linear": ("0.0002", "0.0005"),
    "inverse": ("0.0002", "0.0005"),
}

STANDARD_MAINTENANCE = Decimal("0.005")
"""Maintenance margin as a fraction of a contract's value, where neither data nor user say it.

Binance's tiers begin at 0.4 % for the largest contracts, at 1 % to 2.5 % for small ones, and rise
with the value held.
"""

LATENCY_OF_BOOKS = "5ms"
"""Each way, where the data are finer than bars and the user says nothing."""


@dataclass(frozen=True)
class BacktestSettings:
    """Everything that decides a run's result, besides data, strategy and parameters.

    Attributes:
        balance: Opening balances by asset.
        leverage: Leverage of every contract, or by symbol.
        maintenance: Maintenance margin of every contract, or by symbol, as a fraction of its value;
            0 liquidates nothing. What is not given is the instrument's, else the standard one.
        report_currency: What equity is told in; None takes the settlement currency.
        maker_fee: Fee rate of maker fills; None takes the instrument's, else the standard one.
        taker_fee: Fee rate of taker fills; likewise.
        entry_latency: From sending to arrival: "5ms", "normal:5ms,1ms,1ms", …; None is standard.
        report_latency: From the venue back; likewise.
        fill: Choices of the matching simulator, "key=value".
        seed: Of all dice.
        sample_every_ns: Distance of equity points; None takes one that fits the data.
        limits: Risk limits by name.
        allow_early_data: Waives the check that no row arrives before it happened.
        check_identity: Asserts the money identity after every change of money.
    """

    balance: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    leverage: Mapping[str, int] = field(default_factory=lambda: {"": 1})
    maintenance: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    report_currency: str | None = None
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    entry_latency: str | None = None
    report_latency: str | None = None
    fill: Sequence[str] = ()
    seed: int = 0
    sample_every_ns: int | None = None
    limits: Mapping[str, Any] = field(default_factory=dict)
    allow_early_data: bool = False
    check_identity: bool = False

    def plain(self) -> dict[str, Any]:
        """The settings as JSON values, the same for equal settings."""
        return {
            "balance": {asset: str(amount) for asset, amount in sorted(self.balance.items())},
            "leverage": dict(sorted(self.leverage.items())),
            "maintenance": {symbol: str(rate) for symbol, rate in sorted(self.maintenance.items())},
            "report_currency": self.report_currency,
            "maker_fee": None if self.maker_fee is None else str(self.maker_fee),
            "taker_fee": None if self.taker_fee is None else str(self.taker_fee),
            "entry_latency": self.entry_latency,
            "report_latency": self.report_latency,
            "fill": list(self.fill),
            "seed": self.seed,
            "sample_every_ns": self.sample_every_ns,
            "limits": {name: _plain(value) for name, value in sorted(self.limits.items())},
            "allow_early_data": self.allow_early_data,
        }


def settings_of(config: Mapping[str, Any]) -> BacktestSettings:
    """The settings that a run's `config.json` holds, so that it can be run again."""
    fees = [None if config[n] is None else Decimal(config[n]) for n in ("maker_fee", "taker_fee")]
    return BacktestSettings(
        balance=parse_balance(config["balance"]),
        leverage=parse_leverage(config["leverage"]),
        maintenance=parse_maintenance(config.get("maintenance")),
        report_currency=config["report_currency"],
        maker_fee=fees[0],
        taker_fee=fees[1],
        entry_latency=config["entry_latency"],
        report_latency=config["report_latency"],
        fill=tuple(config["fill"]),
        seed=parse_seed(config["seed"]),
        sample_every_ns=config["sample_every_ns"],
        limits=parse_limits(config["limits"]),
        allow_early_data=config["allow_early_data"],
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _plain(one) for name, one in sorted(value.items())}
    return str(value) if isinstance(value, Decimal) else value


# "10000 USDT", "5 1INCH", "1e4 USDT", "10000USDT"
_AMOUNT = re.compile(r"\s*([0-9][0-9_.]*(?:[eE][+]?\d{1,2})?)(?:\s+|(?=[A-Za-z]))(\S+)\s*")


def parse_balance(value: object) -> dict[str, Decimal]:
    """Opening balances: "10000 USDT, 0.5 BTC", a mapping, or a number of USDT.

    Raises:
        ConfigError: An amount is no positive number.

    >>> parse_balance("10000 USDT, 0.5 BTC")
    {'USDT': Decimal('10000'), 'BTC': Decimal('0.5')}
    """
    if isinstance(value, Mapping):
        return {str(asset): _amount(amount, str(asset)) for asset, amount in value.items()}
    if isinstance(value, (int, float, Decimal)):
        return {"USDT": _amount(value, "USDT")}
    balances: dict[str, Decimal] = {}
    # Thousands may be grouped: "10,000 USDT" is one amount, "1 BTC, 2 USDT" are two.
    for part in re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", str(value)).split(","):
        match = _AMOUNT.fullmatch(part)
        if match is None:
            raise ConfigError(
                f"balance {part.strip()!r} is not an amount and an asset",
                hint='Write it like "10000 USDT, 0.5 BTC".',
            )
        if match[2] in balances:
            raise ConfigError(f"the balance of {match[2]} is given twice")
        balances[match[2]] = _amount(match[1].replace("_", ""), match[2])
    return balances


_LARGEST_EXPONENT = 30


def _amount(value: object, asset: str) -> Decimal:
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        raise ConfigError(f"the balance of {asset} is {value!r}, not a number") from None
    if not amount.is_finite() or amount <= 0:
        raise ConfigError(f"the balance of {asset} is {value}; it must be greater than zero")
    if abs(amount.adjusted()) > _LARGEST_EXPONENT:
        raise ConfigError(f"the balance of {asset} is {value}, which no account can hold")
    return Decimal(f"{amount:f}")  # 1e4 without its exponent, as the core takes it


def parse_leverage(value: object) -> dict[str, int]:
    """Leverage of every contract ("5"), or by symbol ("binance:BTC/USDT:USDT=10, …").

    Raises:
        ConfigError: It is no whole number from 1 to 125.
    """
    return {symbol: _whole(times) for symbol, times in _by_symbol(value).items()}


def _by_symbol(value: object) -> dict[str, object]:
    """What is given for each symbol, under "" what is for all: "5", "SYMBOL=5, …", or a mapping."""
    if isinstance(value, Mapping):
        return {str(symbol): given for symbol, given in value.items()}
    found: dict[str, object] = {}
    for part in str(value).split(","):
        symbol, equals, given = part.strip().rpartition("=")
        found[symbol if equals else ""] = given
    return found


def _whole(value: object) -> int:
    text = str(value)
    if (
        not re.fullmatch(r"[0-9]{1,3}(\.0{1,9})?x?", text)
        or not 1 <= (times := int(float(text.rstrip("x")))) <= 125
    ):
        raise ConfigError(f"leverage {value!r} is not a whole number from 1 to 125")
    return times


def parse_maintenance(value: object) -> dict[str, Decimal]:
    """Maintenance margin of every contract ("0.01"), or by symbol ("binance:BTC/USDT:USDT=0.004").

    Raises:
        ConfigError: A rate is no fraction below one.

    >>> parse_maintenance("0.01")
    {'': Decimal('0.01')}
    """
    if value is None:
        return {}
    return {symbol: _fraction(rate) for symbol, rate in _by_symbol(value).items()}


def _fraction(value: object) -> Decimal:
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        raise ConfigError(f"maintenance {value!r} is not a number such as 0.005") from None
    if not rate.is_finite() or not 0 <= rate < 1:
        raise ConfigError(f"maintenance {value} is not a fraction of the value; 0.5 % is 0.005")
    return rate


def parse_fees(value: object) -> tuple[Decimal | None, Decimal | None]:
    """Maker and taker rate: "0.001", "maker=0.0002,taker=0.0005", or a pair.

    Raises:
        ConfigError: A rate is no number, or absurd.
    """
    if value is None:
        return None, None
    if isinstance(value, (tuple, list)):
        maker, taker = value
        return _rate(maker), _rate(taker)
    if isinstance(value, (int, float, Decimal)) or "=" not in str(value):
        rate = _rate(value)
        return rate, rate
    rates: dict[str, Decimal] = {}
    for part in str(value).split(","):
        name, _, rate_text = part.strip().partition("=")
        if name not in {"maker", "taker"}:
            raise ConfigError(f"fee {part.strip()!r} is neither maker=RATE nor taker=RATE")
        rates[name] = _rate(rate_text)
    return rates.get("maker"), rates.get("taker")


def _rate(value: object) -> Decimal:
    try:
        rate = Decimal(str(value))
    except InvalidOperation:
        raise ConfigError(f"fee rate {value!r} is not a number such as 0.0005") from None
    if not rate.is_finite() or abs(rate) >= Decimal("0.1"):
        raise ConfigError(f"fee rate {value} is not a fraction of the notional; 0.05 % is 0.0005")
    return rate


def parse_latency(value: object) -> tuple[str | None, str | None]:
    """Entry and report latency: "5ms" for both, or "entry=5ms,report=normal:…" with ";" between.

    Raises:
        ConfigError: A part has an unknown name.
    """
    if value is None:
        return None, None
    text = str(value)
    if re.fullmatch(r"\d+(\.\d+)?", text) and float(text):
        raise ConfigError(f"latency {text!r} has no unit", hint=f'Write it like "{text}ms".')
    if "=" not in text or text.startswith("steps:"):
        return text, text
    found: dict[str, str] = {}
    for part in re.split(r"[;,]\s*(?=[a-z]+=)", text):
        name, _, model = part.strip().partition("=")
        if name not in {"entry", "report"}:
            raise ConfigError(
                f"latency {part.strip()!r} is neither entry=MODEL nor report=MODEL",
                hint='Write "5ms", or "entry=5ms;report=3ms".',
            )
        found[name] = model
    return found.get("entry"), found.get("report")


BY_SYMBOL = ("max_order_qty", "max_position")
"""Limits in quantities, which may differ from symbol to symbol."""

_WHOLE_LIMITS = ("price_band_bps", "max_orders_per_second", "max_leverage")
_SWITCHES = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_LIMITS = (*BY_SYMBOL, "max_order_notional", *_WHOLE_LIMITS, "check_funds")


def parse_limits(given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Risk limits by name, exact: quantities and amounts positive decimals, the rest whole.

    Raises:
        ConfigError: A name is unknown or a value is not of its kind.
    """
    limits: dict[str, Any] = {}
    for name, value in (given or {}).items():
        if name not in _LIMITS:
            near = difflib.get_close_matches(name, _LIMITS, n=1)
            hint = f"Did you mean {near[0]}?" if near else f"There are {', '.join(_LIMITS)}."
            raise ConfigError(f"there is no risk limit {name!r}", hint=hint)
        if isinstance(value, Mapping):
            if name not in BY_SYMBOL:
                raise ConfigError(f"the limit {name} is one for all symbols, not one for each")
            limits[name] = {str(symbol): _bound(name, one) for symbol, one in value.items()}
        else:
            limits[name] = _bound(name, value)
    return limits


def _bound(name: str, value: Any) -> Any:
    text = str(value).strip().lower()
    if name == "check_funds":
        if text not in _SWITCHES:
            raise ConfigError(f"the limit {name} is {value!r}, not true or false")
        return _SWITCHES[text]
    if name in _WHOLE_LIMITS:
        if not re.fullmatch(r"[0-9]{1,9}", text) or int(text) == 0:
            raise ConfigError(f"the limit {name} is {value!r}, not a whole number above zero")
        return int(text)
    try:
        bound = Decimal(text)
    except InvalidOperation:
        raise ConfigError(f"the limit {name} is {value!r}, not a number") from None
    if not bound.is_finite() or bound <= 0:
        raise ConfigError(f"the limit {name} is {value}; it must be greater than zero")
    return bound


def parse_seed(value: object) -> int:
    """The seed of all dice.

    Raises:
        ConfigError: It is no whole number from 0 to 2^64 - 1.
    """
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 64:
        raise ConfigError(f"the seed {value!r} is not a whole number from 0 to 2^64 - 1")
    return value


def parse_fill(value: object) -> tuple[str, ...]:
    """Choices of the matching simulator: "queue=proportional,penetration=0", or a list.

    Raises:
        ConfigError: A part is no key=value.
    """
    if value is None:
        return ()
    parts = value if isinstance(value, (list, tuple)) else str(value).split(",")
    choices = tuple(str(part).strip() for part in parts)
    for choice in choices:
        if "=" not in choice:
            raise ConfigError(f"fill setting {choice!r} is not key=value, e.g. queue=proportional")
    return choices
