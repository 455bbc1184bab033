"""Every parser of bytes or text from outside that is fuzzed."""

from __future__ import annotations

from tests.fuzz import files, market, private, sessions, venue_side, words
from tests.fuzz.parser import Parser

__all__ = ["PARSERS"]

PARSERS: dict[str, Parser] = {
    parser.name: parser
    for room in (market, private, sessions, venue_side, files, words)
    for parser in room.PARSERS
}
