"""What the venue answers when it says no: HTTP status, code and text.

One table for each family, with the venue's own words, because clients read them. A rule that
refuses raises `VenueError`; the transport turns it into a body.

Source: Binance Spot API, "Error codes for Binance"; Derivatives, "Error Code".
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["ERRORS", "VenueError", "error", "neither"]

# code -> text; {…} is filled in by the rule that refuses. One code may have several texts: those
# of a refused order stand in refusals.py.
ERRORS: dict[int, str] = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1002: "You are not authorized to execute this request.",
    -1003: "Too much request weight used; current limit is {limit} request weight per "
    "{interval}. Please use WebSocket Streams for live updates to avoid polling the API.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution "
    "status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
    -1013: "Filter failure: {filter}",
    -1015: "Too many new orders; current limit is {limit} orders per {interval}.",
    -1016: "This service is no longer available.",
    -1020: "This operation is not supported.",
    -1021: "Timestamp for this request is outside of the recvWindow.",
    -1022: "Signature for this request is not valid.",
    -1023: "Start time is greater than end time.",
    -1100: "Illegal characters found in parameter '{name}'; legal range is '{form}'.",
    -1101: "Duplicate values for a parameter detected.",
    -1102: "Mandatory parameter '{name}' was not sent, was empty/null, or malformed.",
    -1103: "An unknown parameter was sent.",
    -1104: "Not all sent parameters were read; read '{read}' parameter(s) but was sent '{sent}'.",
    -1105: "Parameter '{name}' was empty.",
    -1106: "Parameter '{name}' sent when not required.",
    -1111: "Parameter '{name}' has too much precision.",
    -1112: "No orders on book for symbol.",
    -1114: "TimeInForce parameter sent when not required.",
    -1115: "Invalid timeInForce.",
    -1116: "Invalid orderType.",
    -1117: "Invalid side.",
    -1120: "Invalid interval.",
    -1121: "Invalid symbol.",
    -1122: "Invalid symbolStatus.",
    -1125: "This listenKey does not exist.",
    -1127: "More than {limit} hours between startTime and endTime.",
    -1128: "Combination of optional parameters invalid.",
    -1130: "Data sent for parameter '{name}' is not valid.",
    -1131: "recvWindow must be less than 60000.",
    -1134: "strategyType was less than 1000000.",
    -1139: "Invalid ticker type.",
    -1145: "cancelRestrictions has to be either ONLY_NEW or ONLY_PARTIALLY_FILLED.",
    -1151: "Symbol is present multiple times in the list.",
    -1158: "Order type not supported in OCO.",
    -1165: "A limit order in a buy OCO must be below.",
    -1166: "A limit order in a sell OCO must be above.",
    -1168: "At least one OCO order must be contingent.",
    -1194: "Invalid value for time unit; expected either MICROSECOND or MILLISECOND.",
    -1196: "A stop loss order in a buy OCO must be above.",
    -1197: "A stop loss order in a sell OCO must be below.",
    -1198: "A take profit order in a buy OCO must be below.",
    -1199: "A take profit order in a sell OCO must be above.",
    -1220: "The symbol's status does not match the requested symbolStatus.",
    -2011: "Unknown order sent.",
    -2013: "Order does not exist.",
    -2014: "API-key format invalid.",
    -2015: "Invalid API-key, IP, or permissions for action.",
    -2026: "Order was canceled or expired with no executed qty over 90 days ago and has been "
    "archived.",
    -2035: "User Data Stream subscription already active.",
    -2036: "User Data Stream subscription not active.",
    -2039: "Client order ID is not correct for this order ID.",
    -2043: "This symbol doesn't have a reference price.",
    -4001: "Price less than 0.",
    -4003: "Quantity less than or equal to zero.",
    -4006: "Stop price less than zero.",
    -4015: "Client order id is not valid.",
    -4028: "Leverage {leverage} is not valid",
    -4046: "No need to change margin type.",
    -4047: "Margin type cannot be changed if there exists open orders.",
    -4048: "Margin type cannot be changed if there exists position.",
    -4059: "No need to change position side.",
    -4067: "Position side cannot be changed if there exists open orders.",
    -4068: "Position side cannot be changed if there exists position.",
    -4088: "Maximum time interval is 200 days.",
    -4120: "Order type not supported for this endpoint. Please use the Algo Order API endpoints "
    "instead.",
    -4166: "Search window is restricted to recent {days} days only.",
    -5025: "Only limit order is supported.",
}

# The rest is 400.
STATUSES = {
    -1003: 429,
    -1007: 408,
    -1008: 503,
    -1015: 429,
    -2014: 401,
    -2015: 401,
}


@dataclass(eq=False)
class VenueError(Exception):
    """The venue refuses a request.

    Attributes:
        status: HTTP status; the WebSocket API answers it as `status`.
        code: The venue's number.
        text: The venue's sentence.
        data: What some answers hold beside them.
        headers: HTTP headers of the answer.
    """

    status: int
    code: int
    text: str
    data: dict[str, Any] | None = None
    headers: dict[str, str] = field(default_factory=dict[str, str])

    def __str__(self) -> str:
        return f"{self.status} {self.code}: {self.text}"

    def body(self) -> dict[str, Any]:
        """The answer as JSON."""
        shape: dict[str, Any] = {"code": self.code, "msg": self.text}
        if self.data is not None:
            shape["data"] = self.data
        return shape


def error(code: int, **words: object) -> VenueError:
    """The venue's error of this code, with `words` put into its text."""
    return VenueError(STATUSES.get(code, 400), code, ERRORS[code].format(**words))


def neither(one: str, other: str) -> VenueError:
    """-1102 for two parameters of which one must be sent."""
    text = f"Param '{one}' or '{other}' must be sent, but both were empty/null!"
    return VenueError(400, -1102, text)
