"""Everything that touches a disk: the catalogue of market data, its sources, journal files.

Names are imported from the module that owns them, so that reading a journal does not load what
importing a recording needs: this room offers nothing under its own name.
"""

__all__: list[str] = []
