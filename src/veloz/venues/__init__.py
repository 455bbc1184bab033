"""One folder per venue, both languages in it: market data, orders, and what they mean there.

`venue.py` holds what a venue's live half and the engine say to each other; nothing else here is the
same for two venues.
"""

from veloz.venues.venue import EngineInputs, Feed, FeedInputs, Gateway, VenueRequest

__all__ = ["EngineInputs", "Feed", "FeedInputs", "Gateway", "VenueRequest"]
