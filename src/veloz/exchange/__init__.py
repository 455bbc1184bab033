"""The simulated exchange: books, orders, accounts and a Decimal ledger of its own.

It knows no wire protocol and does no I/O; `venues/<name>/dialect` speaks for it. Begin at
`Exchange`. Names that are not here are in `veloz.exchange.model`, `.words`, `.listing`, `.events`.
"""

from veloz.exchange.events import Event
from veloz.exchange.exchange import Exchange
from veloz.exchange.listing import Listing
from veloz.exchange.model import Fill, Order, OrderKey, OrderRequest, Window
from veloz.exchange.words import Market, OrderType, Refusal, Side, TimeInForce, Why

__all__ = [
    "Event",
    "Exchange",
    "Fill",
    "Listing",
    "Market",
    "Order",
    "OrderKey",
    "OrderRequest",
    "OrderType",
    "Refusal",
    "Side",
    "TimeInForce",
    "Why",
    "Window",
]
