"""METRICS: every figure of a run, as one table of name, unit, direction, function and needs.

Adding a metric is one function and one row here. `needs` names the function's positional
arguments among the inputs that `figures.run_figures` makes; an input that is `None` (no
benchmark, no bars) makes the metric undefined, never zero.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from veloz.analytics import costs, drawdown, exposure, ratios, returns, risk, trades


@dataclass(frozen=True)
class Metric:
    """One figure.

    Attributes:
        name: Key in the metrics JSON.
        title: What a person reads.
        group: `return`, `risk`, `ratio`, `benchmark`, `trade`, `cost`, `execution`, `exposure`.
        unit: `fraction`, `fraction/year`, `ratio`, `money`, `count`, `s`, `days`, `bps`, `/year`.
        better: `up` if more is better, `down` if less is, `none` if neither.
        function: Pure function; its docstring has formula and source.
        needs: Names of its positional arguments.
    """

    name: str
    title: str
    group: str
    unit: str
    better: str
    function: Callable[..., Any]
    needs: tuple[str, ...]


def _metric(name: str, title: str, group: str, unit: str, better: str, function: Any, needs: str):
    return Metric(name, title, group, unit, better, function, tuple(needs.split()))


_FILLS = "side price arrival_mid value"
_DECISIONS = "side price decision_price value"

METRICS: tuple[Metric, ...] = tuple(_metric(*row) for row in (
    ("total_return", "Total return", "return", "fraction", "up", returns.total_return, "equity"),
    ("cagr", "Annualised return", "return", "fraction/year", "up", returns.cagr, "equity years"),
    ("mean_day", "Mean day", "return", "fraction", "up", returns.mean_return, "daily"),
    ("geometric_day", "Geometric mean day", "return", "fraction", "up",
     returns.geometric_mean_return, "daily"),
    ("best_day", "Best day", "return", "fraction", "up", returns.best_return, "daily"),
    ("worst_day", "Worst day", "return", "fraction", "up", returns.worst_return, "daily"),
    ("best_week", "Best week", "return", "fraction", "up", returns.best_return, "weekly"),
    ("worst_week", "Worst week", "return", "fraction", "up", returns.worst_return, "weekly"),
    ("best_month", "Best month", "return", "fraction", "up", returns.best_return, "monthly"),
    ("worst_month", "Worst month", "return", "fraction", "up", returns.worst_return, "monthly"),
    ("win_days", "Winning days", "return", "fraction", "up", returns.win_share, "daily"),
    ("win_weeks", "Winning weeks", "return", "fraction", "up", returns.win_share, "weekly"),
    ("win_months", "Winning months", "return", "fraction", "up", returns.win_share, "monthly"),
    ("mean_up_day", "Mean winning day", "return", "fraction", "up", returns.mean_gain, "daily"),
    ("mean_down_day", "Mean losing day", "return", "fraction", "up", returns.mean_loss, "daily"),
    ("volatility", "Volatility", "risk", "fraction/year", "down", risk.volatility, "annual_daily"),
    ("downside_deviation", "Downside deviation", "risk", "fraction/year", "down",
     risk.downside_deviation, "annual_daily"),
    ("max_drawdown", "Max drawdown", "risk", "fraction", "up", drawdown.max_drawdown, "equity"),
    ("max_drawdown_days", "Max drawdown, length", "risk", "days", "down",
     drawdown.max_drawdown_days, "ts_ns equity"),
    ("longest_underwater_days", "Longest underwater", "risk", "days", "down",
     drawdown.longest_underwater_days, "ts_ns equity"),
    ("average_drawdown", "Average drawdown", "risk", "fraction", "up",
     drawdown.average_drawdown, "equity"),
    ("ulcer_index", "Ulcer index", "risk", "fraction", "down", drawdown.ulcer_index, "day_equity"),
    ("value_at_risk", "VaR 95 %, day", "risk", "fraction", "up", risk.value_at_risk, "daily"),
    ("value_at_risk_normal", "VaR 95 % if normal, day", "risk", "fraction", "up",
     risk.value_at_risk_normal, "daily"),
    ("conditional_value_at_risk", "CVaR 95 %, day", "risk", "fraction", "up",
     risk.conditional_value_at_risk, "daily"),
    ("skewness", "Skewness", "risk", "ratio", "up", risk.skewness, "daily"),
    ("excess_kurtosis", "Excess kurtosis", "risk", "ratio", "down", risk.excess_kurtosis, "daily"),
    ("tail_ratio", "Tail ratio", "risk", "ratio", "up", risk.tail_ratio, "daily"),
    ("autocorrelation", "Autocorrelation, lag 1", "risk", "ratio", "none",
     risk.autocorrelation, "daily"),
    ("sharpe", "Sharpe", "ratio", "ratio", "up", ratios.sharpe_ratio, "annual_daily"),
    ("sharpe_standard_error", "Sharpe, standard error", "ratio", "ratio", "none",
     ratios.sharpe_standard_error, "annual_daily"),
    ("probabilistic_sharpe", "Probability of Sharpe > 0", "ratio", "fraction", "up",
     ratios.probabilistic_sharpe_ratio, "daily"),
    ("sortino", "Sortino", "ratio", "ratio", "up", ratios.sortino_ratio, "annual_daily"),
    ("calmar", "Calmar", "ratio", "ratio", "up", ratios.calmar_ratio, "equity years"),
    ("omega", "Omega", "ratio", "ratio", "up", ratios.omega_ratio, "daily"),
    ("gain_to_pain", "Gain to pain", "ratio", "ratio", "up", ratios.gain_to_pain_ratio, "daily"),
    ("recovery_factor", "Recovery factor", "ratio", "ratio", "up",
     ratios.recovery_factor, "equity"),
    ("ulcer_performance", "Ulcer performance", "ratio", "ratio", "up",
     ratios.ulcer_performance_index, "day_equity years"),
    ("benchmark_return", "Benchmark return", "benchmark", "fraction", "none",
     returns.compound, "benchmark"),
    ("beta", "Beta", "benchmark", "ratio", "none", ratios.beta, "daily benchmark"),
    ("alpha", "Alpha, a year", "benchmark", "fraction/year", "up",
     ratios.alpha, "annual_daily benchmark"),
    ("correlation", "Correlation", "benchmark", "ratio", "none",
     ratios.correlation, "daily benchmark"),
    ("tracking_error", "Tracking error", "benchmark", "fraction/year", "none",
     ratios.tracking_error, "annual_daily benchmark"),
    ("information_ratio", "Information ratio", "benchmark", "ratio", "up",
     ratios.information_ratio, "annual_daily benchmark"),
    ("trades", "Closed trades", "trade", "count", "none", trades.trade_count, "net"),
    ("win_rate", "Win rate", "trade", "fraction", "up", trades.win_rate, "net"),
    ("gross_profit", "Won", "trade", "money", "up", trades.gross_profit, "net"),
    ("gross_loss", "Lost", "trade", "money", "up", trades.gross_loss, "net"),
    ("profit_factor", "Profit factor", "trade", "ratio", "up", trades.profit_factor, "net"),
    ("payoff", "Payoff", "trade", "ratio", "up", trades.payoff_ratio, "net"),
    ("expectancy", "Expectancy", "trade", "money", "up", trades.expectancy, "net"),
    ("mean_win", "Mean win", "trade", "money", "up", trades.mean_win, "net"),
    ("mean_loss", "Mean loss", "trade", "money", "up", trades.mean_loss, "net"),
    ("best_trade", "Best trade", "trade", "money", "up", trades.best_trade, "net"),
    ("worst_trade", "Worst trade", "trade", "money", "up", trades.worst_trade, "net"),
    ("mean_trade_return", "Mean trade return", "trade", "fraction", "up",
     returns.mean_return, "trade_returns"),
    ("longest_losing_run", "Longest losing run", "trade", "count", "down",
     trades.longest_losing_run, "net"),
    ("longest_winning_run", "Longest winning run", "trade", "count", "up",
     trades.longest_winning_run, "net"),
    ("top_trade_share", "Best trade of money won", "trade", "fraction", "down",
     trades.top_trade_share, "net"),
    ("system_quality", "System quality number", "trade", "ratio", "up",
     trades.system_quality_number, "net"),
    ("kelly", "Kelly fraction", "trade", "fraction", "none", trades.kelly_fraction, "net"),
    ("mean_holding", "Mean holding", "trade", "s", "none", trades.mean_holding, "holding_s"),
    ("median_holding", "Median holding", "trade", "s", "none", trades.median_holding, "holding_s"),
    ("mean_mae", "Mean adverse excursion", "trade", "fraction", "up", trades.mean_excursion, "mae"),
    ("mean_mfe", "Mean favourable excursion", "trade", "fraction", "up",
     trades.mean_excursion, "mfe"),
    ("fees", "Fees", "cost", "money", "down", costs.fees_paid, "fees"),
    ("maker_fees", "Maker fees", "cost", "money", "down",
     partial(costs.fees_by_role, maker=True), "fees is_maker"),
    ("taker_fees", "Taker fees", "cost", "money", "down",
     partial(costs.fees_by_role, maker=False), "fees is_maker"),
    ("rebates", "Rebates", "cost", "money", "up", costs.rebates, "fees"),
    ("funding", "Funding received", "cost", "money", "up", trades.total, "funding"),
    ("slippage_bps", "Slippage against arrival mid", "cost", "bps", "down",
     costs.mean_slippage_bps, _FILLS),
    ("slippage_money", "Slippage against arrival mid", "cost", "money", "down",
     costs.slippage_money, _FILLS),
    ("decision_slippage_bps", "Slippage against decision price", "cost", "bps", "down",
     costs.mean_slippage_bps, _DECISIONS),
    ("decision_slippage_money", "Slippage against decision price", "cost", "money", "down",
     costs.slippage_money, _DECISIONS),
    ("impact_bps", "Impact beyond the touch", "cost", "bps", "down",
     costs.mean_impact_bps, "side price arrival_touch value is_maker"),
    ("cost_share", "Costs of gross profit", "cost", "fraction", "down",
     costs.cost_share_of_gross, "gross_total cost_total"),
    ("break_even_fee_bps", "Break-even fee", "cost", "bps", "up",
     costs.break_even_fee_bps, "profit fee_total volume"),
    ("volume", "Value traded", "execution", "money", "none", trades.total, "values"),
    ("turnover", "Turnover", "execution", "/year", "none",
     costs.turnover, "value mean_equity years"),
    ("maker_share", "Maker share", "execution", "fraction", "none",
     costs.maker_share, "is_maker value"),
    ("fill_rate", "Fill rate", "execution", "fraction", "up", costs.fill_rate, "sent filled_qty"),
    ("cancel_rate", "Cancel rate", "execution", "fraction", "none",
     partial(costs.status_rate, wanted="canceled"), "sent status"),
    ("reject_rate", "Reject rate", "execution", "fraction", "down",
     partial(costs.status_rate, wanted="rejected"), "sent status"),
    ("order_to_fill", "Orders per fill", "execution", "ratio", "down",
     costs.order_to_fill_ratio, "sent fill_count"),
    ("time_in_market", "Time in market", "exposure", "fraction", "none",
     exposure.time_in_market, "ts_ns exposure"),
    ("long_share", "Long share of exposed time", "exposure", "fraction", "none",
     exposure.long_share, "ts_ns position_value"),
    ("mean_leverage", "Mean leverage", "exposure", "ratio", "none",
     exposure.mean_leverage, "ts_ns leverage"),
    ("max_leverage", "Max leverage", "exposure", "ratio", "down",
     exposure.max_leverage, "leverage"),
    ("max_exposure", "Max exposure", "exposure", "money", "none",
     exposure.max_exposure, "exposure"),
))  # fmt: skip


def measure(inputs: dict[str, Any], table: tuple[Metric, ...] = METRICS) -> dict[str, Any]:
    """The value of each metric: float, int or `Decimal`; `nan` where an input is `None`.

    Args:
        inputs: By the names that `needs` uses.
        table: Which metrics.

    Raises:
        KeyError: If a metric needs an input that nobody makes (a programming error).

    >>> rows = tuple(metric for metric in METRICS if metric.name == "total_return")
    >>> measure({"equity": [100.0, 150.0]}, rows)
    {'total_return': 0.5}
    """
    values = {}
    for metric in table:
        arguments = [inputs[need] for need in metric.needs]
        known = all(argument is not None for argument in arguments)
        values[metric.name] = metric.function(*arguments) if known else float("nan")
    return values
