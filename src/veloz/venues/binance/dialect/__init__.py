"""The simulated exchange's Binance face: REST, streams and APIs as Binance speaks them.

Begin at `Simulation`; `veloz exchange` serves it.
"""

from veloz.venues.binance.dialect.drivers import Generator, Recording, read_recording
from veloz.venues.binance.dialect.frames import Frames
from veloz.venues.binance.dialect.listings import default_listings
from veloz.venues.binance.dialect.simulation import Simulation

__all__ = ["Frames", "Generator", "Recording", "Simulation", "default_listings", "read_recording"]
