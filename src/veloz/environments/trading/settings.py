"""What a user may say about a paper or live run, in exact form."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

from veloz.environments.settings import LATENCY_OF_BOOKS, BacktestSettings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from veloz.storage.journal_tail import Policy
    from veloz.strategy import Strategy
    from veloz.venues.binance.hosts import Hosts, Market

__all__ = ["Rhythm", "Seat", "TradingSettings"]


@dataclass(frozen=True)
class Seat:
    """One strategy of a run.

    Attributes:
        target: `file.py`, `file.py:Class`, or a class.
        parameters: Values of its parameters.
    """

    target: str | type[Strategy]
    parameters: Mapping[str, object] = field(default_factory=dict[str, object])


@dataclass(frozen=True)
class Rhythm:
    """When the loop does things by itself, in seconds.

    Attributes:
        reconcile_s: Between two reconciliations without a cause.
        save_s: Between two savings of the strategies' states.
        snapshot_s: Between two snapshots.
        status_s: Between two lines about how it goes.
        rules_s: Between two looks at the venue's rules; a refusal by a filter is a reason as well.
        synced_most_s: The account must be known after so long, or the start fails.
        stop_most_s: How long a graceful stop waits for orders and positions to end.
        doubt_most_s: The same while the venue is asked about requests without an answer.
        countdown_s: The venue cancels orders so long after the last sign of life; 0 for never.
        connection_age_s: Age at which each connection is replaced by a new one; None draws it, some
            time before the venue would cut the connection at 24 h.
    """

    reconcile_s: float = 300.0
    save_s: float = 60.0
    snapshot_s: float = 600.0
    status_s: float = 5.0
    rules_s: float = 600.0
    synced_most_s: float = 60.0
    stop_most_s: float = 15.0
    doubt_most_s: float = 60.0
    countdown_s: float = 60.0
    connection_age_s: float | None = None


@dataclass(frozen=True)
class TradingSettings:
    """Everything that decides a paper or live run, besides the venue itself.

    Attributes:
        environment: `paper` or `live`.
        seats: The strategies.
        folder: The run's own; the journal is in it.
        hosts: Gives the addresses of a market.
        account: Name of the account, as `venue/name`.
        policy: When a request may leave; see `JournalWriter`.
        balance: Paper: opening balances of every market's account.
        leverage: Paper: of every contract, or by symbol.
        maintenance: Paper: margin at which a contract is liquidated, as a fraction of its value; of
            every contract (under ""), or by symbol. What is not named has the standard one.
        maker_fee: Paper: rate; None takes the standard one.
        taker_fee: Likewise.
        entry_latency: Paper: from sending to arrival.
        report_latency: Paper: from the venue back.
        fill: Paper: choices of the matching simulator.
        seed: Of all dice.
        limits: Risk limits by name.
        records_market: The market is recorded beside the journal, so that the run can be verified;
            a paper run always does.
        adopts: Takes over the venue's balances and positions where they differ from the journal.
        rhythm: When the loop does things by itself.
    """

    environment: Literal["paper", "live"]
    seats: tuple[Seat, ...]
    folder: Path
    hosts: Mapping[Market, Hosts]
    account: str
    policy: Policy = "group"
    balance: Mapping[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10_000)})
    leverage: Mapping[str, int] = field(default_factory=lambda: {"": 1})
    maintenance: Mapping[str, Decimal] = field(default_factory=dict[str, Decimal])
    maker_fee: Decimal | None = None
    taker_fee: Decimal | None = None
    entry_latency: str = LATENCY_OF_BOOKS
    report_latency: str = LATENCY_OF_BOOKS
    fill: Sequence[str] = ()
    seed: int = 0
    limits: Mapping[str, Any] = field(default_factory=dict[str, Any])
    records_market: bool = False
    adopts: bool = False
    rhythm: Rhythm = field(default_factory=Rhythm)

    @property
    def is_paper(self) -> bool:
        """True if nothing leaves this host."""
        return self.environment == "paper"

    def fees(self) -> BacktestSettings:
        """Fee rates and maintenance as instruments take them; live it is the venue that knows."""
        return BacktestSettings(
            maker_fee=self.maker_fee,
            taker_fee=self.taker_fee,
            maintenance=self.maintenance if self.is_paper else {"": Decimal(0)},
        )

    def plain(self) -> dict[str, Any]:
        """The settings as JSON values."""
        return {
            "environment": self.environment,
            "account": self.account,
            "policy": self.policy,
            "balance": {name: str(amount) for name, amount in sorted(self.balance.items())},
            "leverage": dict(sorted(self.leverage.items())),
            "maintenance": {name: str(rate) for name, rate in sorted(self.maintenance.items())},
            "entry_latency": self.entry_latency,
            "report_latency": self.report_latency,
            "fill": list(self.fill),
            "seed": self.seed,
            "limits": {name: _plain(value) for name, value in sorted(self.limits.items())},
            "records_market": self.is_paper or self.records_market,
        }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(one) for name, one in value.items()}
    return str(value) if isinstance(value, Decimal) else value
