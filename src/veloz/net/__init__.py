"""Doors to the world and what every venue's session needs of it; no venue is known here.

Names are imported from their modules (`veloz.net.doors`, `veloz.net.real`, …): opening this room
loads no network library.
"""

from veloz.net.doors import (
    AnswerLost,
    Clock,
    ConnectFailed,
    Connection,
    ConnectionLost,
    Doors,
    Files,
    Http,
    HttpRequest,
    HttpResponse,
    Listener,
    Locked,
    NotSent,
    OutcomeUnknown,
    Server,
    ServerTls,
    Site,
    Sockets,
    Threads,
)

__all__ = [
    "AnswerLost",
    "Clock",
    "ConnectFailed",
    "Connection",
    "ConnectionLost",
    "Doors",
    "Files",
    "Http",
    "HttpRequest",
    "HttpResponse",
    "Listener",
    "Locked",
    "NotSent",
    "OutcomeUnknown",
    "Server",
    "ServerTls",
    "Site",
    "Sockets",
    "Threads",
]
