"""`Strategy`: what an author extends, once, for backtest, paper and live.

    class Cross(Strategy):
        symbol = Symbol("binance:BTC/USDT:USDT")
        fast, slow, qty = Int(10, 2, 100), Int(30, 5, 400), Qty("0.01")
        bars = Bars("symbol", "1m")

        def on_start(self):
            self.f, self.s = self.sma(self.bars, self.fast), self.sma(self.bars, self.slow)

        def on_bar(self, bar):
            self.target(self.symbol, self.qty if self.f.value > self.s.value else 0)

The trading calls (`place_order`, `buy`, `quote`, …) are methods of the compiled base class. There
is no way to ask which environment it runs in, and no clock or dice but `self.now` and
`self.random`.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, ClassVar, cast

from veloz._core import Declared, Indicator, StrategyBase
from veloz.strategy.durations import parse_duration_ns
from veloz.strategy.parameters import Parameter, settle
from veloz.strategy.subscriptions import Bars, Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from veloz._core import (
        Account,
        Bar,
        Book,
        Fill,
        Funding,
        IndexPrice,
        Liquidation,
        MarkPrice,
        OpenInterest,
        Order,
        Position,
        Quote,
        SystemEvent,
        Ticker,
        Trade,
    )


class Strategy(StrategyBase):
    """A trading idea: parameters, subscriptions, and what to do when something happens (ST1).

    Callbacks that a class does not define are never called. They are synchronous; what they order
    happens after they return. A callback that raises stops the strategy: its stop policy runs, and
    `on_error` is told.

    Args:
        parameters: Values of declared parameters, by name.

    Raises:
        ValueError: A parameter is unknown, of another type, or out of bounds.
    """

    stop_policy: ClassVar[str] = "cancel"
    """What becomes of orders and position when it stops: "cancel", "hold" or "flatten"."""

    position_mode: ClassVar[str] = "one-way"
    """"one-way", or "hedge": a long and a short position in one contract, each with its orders."""

    random: random.Random
    """The strategy's dice, seeded by the run and the strategy's name."""

    _declared: ClassVar[dict[str, Parameter[Any]]] = {}
    _subscriptions: ClassVar[dict[str, Subscription]] = {}

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._declared, cls._subscriptions = {}, {}
        for parent in reversed(cls.__mro__[1:]):
            cls._declared |= vars(parent).get("_declared", {})
            cls._subscriptions |= vars(parent).get("_subscriptions", {})
        for name, value in list(vars(cls).items()):
            if isinstance(value, Declared):  # a decorator made the class anew
                value = value.parameter
            is_declaration = isinstance(value, (Parameter, Subscription))
            if is_declaration and hasattr(Strategy, name):
                raise ValueError(
                    f"{cls.__name__}.{name} would hide the strategy's own {name!r}: "
                    "take another name"
                )
            if isinstance(value, Parameter):
                cls._declared[name] = value
            elif isinstance(value, Subscription):
                cls._subscriptions[name] = value
            elif name in cls._declared:
                # A subclass that says `fast = 5` means another default.
                cls._declared[name] = cls._declared[name].with_default(value)
            if name in cls._declared:
                setattr(cls, name, Declared(cls._declared[name]))
        if cls.stop_policy not in {"cancel", "hold", "flatten"}:
            raise ValueError(
                f"stop_policy of {cls.__name__} is {cls.stop_policy!r}, "
                'not "cancel", "hold" or "flatten"'
            )

        if cls.position_mode not in {"one-way", "hedge"}:
            raise ValueError(
                f"position_mode of {cls.__name__} is {cls.position_mode!r}, "
                'not "one-way" or "hedge"'
            )

    def __init__(self, **parameters: object) -> None:
        values = settle(self._declared, parameters)
        # One by one: touching `__dict__` would cost every later read of an attribute its fast path.
        for name, value in values.items():
            setattr(self, name, value)
        self.random = random.Random(0)  # replaced by the run's own dice

    @classmethod
    def parameters(cls) -> Mapping[str, Parameter[Any]]:
        """The declared parameters, by name."""
        return cls._declared

    @classmethod
    def subscriptions(cls) -> Mapping[str, Subscription]:
        """The declared subscriptions, by name."""
        return cls._subscriptions

    def parameter_values(self) -> dict[str, Any]:
        """The parameters' present values, by name."""
        return {name: getattr(self, name) for name in self._declared}

    # -- what happens ------------------------------------------------------------------------

    def on_start(self) -> None:
        """The run begins: make indicators, timers and first orders here."""

    def on_bar(self, bar: Bar) -> None:
        """A bar of a `Bars` subscription is finished, and every indicator is ready."""

    def on_trade(self, trade: Trade) -> None:
        """A public trade of a `Trades` subscription."""

    def on_quote(self, quote: Quote) -> None:
        """A new best bid or offer of a `Quotes` subscription."""

    def on_book(self, book: Book) -> None:
        """The book of a `Books` subscription changed."""

    def on_mark(self, mark: MarkPrice) -> None:
        """A mark price of a `Marks` subscription."""

    def on_funding(self, funding: Funding) -> None:
        """A funding settlement of a `Fundings` subscription."""

    def on_index(self, index: IndexPrice) -> None:
        """An index price of an `IndexPrices` subscription."""

    def on_open_interest(self, interest: OpenInterest) -> None:
        """The contracts outstanding, of an `OpenInterests` subscription."""

    def on_liquidation(self, liquidation: Liquidation) -> None:
        """A forced order of somebody, of a `Liquidations` subscription."""

    def on_ticker(self, ticker: Ticker) -> None:
        """Rolling statistics of a `Tickers` subscription."""

    def on_order(self, order: Order) -> None:
        """One of the strategy's orders changed its status, quantity or price."""

    def on_fill(self, fill: Fill) -> None:
        """One of the strategy's orders traded."""

    def on_position(self, position: Position) -> None:
        """The strategy's own position changed."""

    def on_account(self, account: Account) -> None:
        """The account changed."""

    def on_system(self, event: SystemEvent) -> None:
        """A market went stale or is ready again, or the account was frozen or released.

        The engine acts by itself: it refuses orders where it must. A strategy may want to know.
        Live and on paper; a backtest's data is believed as it is.
        """

    def on_timer(self, name: str) -> None:
        """A timer that was set with a name is due."""

    def on_stop(self) -> None:
        """The run ends; orders given here are still sent."""

    def on_error(self, error: BaseException) -> None:
        """A callback raised; the strategy is being stopped."""

    # -- state -------------------------------------------------------------------------------

    def save(self) -> bytes | None:
        """State that a restart should find again; None for nothing."""
        return None

    def load(self, state: bytes) -> None:
        """Takes back what `save` gave; called before `on_start`."""

    # -- subscriptions -----------------------------------------------------------------------

    def subscribe(self, subscription: Subscription) -> None:
        """Starts hearing market data, from the next event on.

        Raises:
            ValueError: The run has no such data: only what some declared subscription names is
                read.
        """
        symbol = self._of_the_run(subscription)
        self._listen(symbol, subscription.kind, subscription.interval_ns, on=True)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Stops hearing market data, from the next event on."""
        symbol = self._of_the_run(subscription)
        self._listen(symbol, subscription.kind, subscription.interval_ns, on=False)

    def _of_the_run(self, wanted: Subscription) -> str:
        """The symbol of a subscription that the run has data for."""
        symbol = wanted.resolve(self)
        known = [(s, s.resolve(self)) for s in type(self).subscriptions().values()]
        for one, of in known:
            if (one.kind, one.interval_ns, of) == (wanted.kind, wanted.interval_ns, symbol):
                return symbol
        have = ", ".join(f"{one.kind} of {of}" for one, of in known) or "nothing"
        raise ValueError(
            f"the run has no {wanted.kind} of {symbol} like {wanted}: declare the subscription on "
            f"the class (declared: {have})"
        )

    # -- timers ------------------------------------------------------------------------------

    def every(self, period: str | int, call: Callable[[], None] | str = "timer") -> int:
        """Calls a function, or `on_timer` with a name, each `period` from now on.

        Args:
            period: "100ms", "5s", "1h", or nanoseconds.
            call: A function without arguments, or a name for `on_timer`.

        Returns:
            The timer's number, for `stop_timer`.
        """
        period_ns = parse_duration_ns(period)
        self._check_call(call)
        return self._timer(call, self.now + period_ns, period_ns)

    def after(self, delay: str | int, call: Callable[[], None] | str = "timer") -> int:
        """Calls a function, or `on_timer` with a name, once, after a delay."""
        self._check_call(call)
        return self._timer(call, self.now + parse_duration_ns(delay), 0)

    def at(self, time_ns: int, call: Callable[[], None] | str = "timer") -> int:
        """Calls a function, or `on_timer` with a name, once, at an event time in ns.

        A time that has passed is due at once, after the callback that is running.
        """
        self._check_call(call)
        return self._timer(call, time_ns, 0)

    def _check_call(self, call: Callable[[], None] | str) -> None:
        if isinstance(call, str) and type(self).on_timer is Strategy.on_timer:
            raise ValueError(
                f"the timer {call!r} would call on_timer, which {type(self).__name__} does not "
                "define: define it, or give a function"
            )
        if not isinstance(call, str) and not callable(call):
            raise TypeError(f"a timer calls a function or on_timer with a name, not {call!r}")

    def stop_timer(self, number: int) -> None:
        """Forgets a timer."""
        self._stop_timer(number)

    # -- indicators --------------------------------------------------------------------------

    def indicator(self, name: str, bars: Bars, *parameters: float, **named: float) -> Indicator:
        """An indicator that the bars of a subscription feed; `on_bar` waits until it is ready.

        Args:
            name: "sma", "ema", "rsi", "macd", "bollinger", "atr", "adx", "stochastic", "vwap" or
                "zscore".
            bars: The subscription that feeds it.
            parameters: The indicator's own, in its order.
            named: The indicator's own, by name.

        Raises:
            ValueError: The run does not have these bars, or a parameter is refused.
        """
        if not isinstance(cast("object", bars), Bars):  # an author may hand over anything
            raise TypeError(
                f"{name} is fed by a Bars subscription of the class, such as self.bars, "
                f"not by {bars!r}"
            )
        symbol = self._of_the_run(bars)
        indicator = Indicator(name, *parameters, **named)
        self._feed(indicator, symbol, bars.interval_ns)
        return indicator

    def sma(self, bars: Bars, n: int) -> Indicator:
        """Simple moving average of the close."""
        return self.indicator("sma", bars, n)

    def ema(self, bars: Bars, n: int) -> Indicator:
        """Exponential moving average of the close."""
        return self.indicator("ema", bars, n)

    def rsi(self, bars: Bars, n: int = 14) -> Indicator:
        """Relative strength index of the close."""
        return self.indicator("rsi", bars, n)

    def macd(self, bars: Bars, fast: int = 12, slow: int = 26, signal: int = 9) -> Indicator:
        """Moving average convergence/divergence."""
        return self.indicator("macd", bars, fast, slow, signal)

    def bollinger(self, bars: Bars, n: int = 20, width: float = 2.0) -> Indicator:
        """Bollinger bands of the close."""
        return self.indicator("bollinger", bars, n, width)

    def atr(self, bars: Bars, n: int = 14) -> Indicator:
        """Average true range."""
        return self.indicator("atr", bars, n)

    def zscore(self, bars: Bars, n: int = 20) -> Indicator:
        """Distance of the close from its mean, in standard deviations."""
        return self.indicator("zscore", bars, n)
