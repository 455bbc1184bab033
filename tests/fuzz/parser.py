"""What a parser under fuzz is, and the loop that feeds it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Protocol

from tests.fuzz.damage import Damage, json_damage
from veloz._core import BrokenHeader, DecodeError, TornHeader
from veloz.errors import VelozError

__all__ = ["NAMED", "Broken", "Parser", "Subject", "Tally", "feed"]

NAMED: tuple[type[BaseException], ...] = (VelozError, DecodeError, BrokenHeader, TornHeader)
"""Errors that say what was wrong; anything else that is raised is a defect."""

SLOW_S = 5.0
SENTENCE = 1_500
LOOK_EVERY = 40


class Subject(Protocol):
    """A parser, ready, with real inputs.

    Attributes:
        corpus: What it reads, undamaged.
    """

    corpus: Sequence[bytes]

    def read(self, data: bytes, kind: int) -> bool:
        """Reads one input; True if it was something, False if it was passed over.

        Args:
            data: The input.
            kind: Which of the corpus it was made from.
        """
        ...

    def state(self) -> object:
        """What must be as it was after an error; None if nothing is kept."""
        ...


@dataclass(frozen=True)
class Parser:
    """One parser.

    Attributes:
        name: Unique.
        make: Gets it ready in a folder of its own.
        damage: Spoils inputs.
        named: What it may raise.
        rounds: In `make test`.
    """

    name: str
    make: Callable[[Path], Subject]
    damage: Damage = json_damage
    named: tuple[type[BaseException], ...] = NAMED
    rounds: int = 600


@dataclass
class Tally:
    """What became of the inputs of one parser."""

    inputs: int = 0
    accepted: int = 0
    ignored: int = 0
    refused: int = 0
    slowest_ms: float = 0.0
    errors: dict[str, int] = field(default_factory=dict[str, int])


class Broken(AssertionError):
    """An input that a parser does not stand.

    Attributes:
        data: The input.
    """

    def __init__(self, name: str, turn: int, data: bytes, what: str) -> None:
        super().__init__(f"{name}, input {turn} ({data[:300]!r}): {what}")
        self.data = data


def feed(parser: Parser, folder: Path, seed: int, *, rounds: int = 0, seconds: float = 0) -> Tally:
    """Feeds damaged inputs until the rounds or the seconds are over.

    The same seed gives the same inputs in the same order, however long it goes on.

    Raises:
        Broken: An input was answered by anything but a result, a named error or nothing.
    """
    subject, dice, tally = parser.make(folder), Random(f"{seed} {parser.name}"), Tally()
    until = time.perf_counter() + seconds
    try:
        while tally.inputs < rounds or time.perf_counter() < until:
            tally.inputs += 1
            kind = dice.randrange(len(subject.corpus))
            data = subject.corpus[kind]
            for _ in range(dice.choice((1, 1, 1, 2, 3))):
                data = parser.damage(data, dice)
            _try(parser, subject, tally, data, kind)
    finally:
        getattr(subject, "close", lambda: None)()
    return tally


def _try(parser: Parser, subject: Subject, tally: Tally, data: bytes, kind: int) -> None:
    before = subject.state() if tally.inputs % LOOK_EVERY == 0 else None
    began = time.perf_counter()
    try:
        is_something = subject.read(data, kind)
    except parser.named as error:
        tally.refused += 1
        name = type(error).__name__
        tally.errors[name] = tally.errors.get(name, 0) + 1
        told = str(error)
        if not 8 <= len(told) <= SENTENCE or "Traceback" in told:
            raise Broken(parser.name, tally.inputs, data, f"no sentence: {told[:300]!r}") from error
        if before is not None and subject.state() != before:
            told = "refused, and changed all the same"
            raise Broken(parser.name, tally.inputs, data, told) from error
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        what = f"raised {type(error).__name__}: {str(error)[:300]}"
        raise Broken(parser.name, tally.inputs, data, what) from error
    else:
        tally.accepted += is_something
        tally.ignored += not is_something
    took = time.perf_counter() - began
    tally.slowest_ms = max(tally.slowest_ms, took * 1e3)
    if took > SLOW_S:
        raise Broken(parser.name, tally.inputs, data, f"it took {took:.1f} s")
