"""Technical indicators for research and strategies, the engine's own: `sma(20)`, `macd(fast=8)`.

There is one maker for each row of `indicator_specs()`; the table lives in the core, so this
module has no list to keep. Indicators of a running strategy are updated by the engine; those made
here are updated by hand, or work on whole columns with `compute`.

>>> from veloz.indicators import macd, sma
>>> fast = sma(3)
>>> for price in (10.0, 11.0, 13.0):
...     fast.update_price(price)
>>> fast.value
11.333333333333334
>>> macd().outputs
('macd', 'signal', 'histogram')
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from veloz._core import Indicator, indicator_specs

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Indicator", "indicator_specs"]


def __getattr__(name: str) -> Callable[..., Indicator]:
    """The maker of the indicator of this name; its arguments are the parameters.

    Raises:
        AttributeError: If there is no indicator of this name.
    """
    names = [str(spec["name"]) for spec in indicator_specs()]
    if name not in names:
        raise AttributeError(f"there is no indicator {name!r}; there are {', '.join(names)}")
    return partial(Indicator, name)


def __dir__() -> list[str]:
    return [*__all__, *(str(spec["name"]) for spec in indicator_specs())]
