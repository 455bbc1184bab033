"""Small catalogues for the tests of storage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from veloz.storage.catalogue import Catalogue
from veloz.storage.importers.source_rows import Options
from veloz.storage.importing import import_files

Import = Callable[..., Catalogue]


@pytest.fixture
def import_csv(tmp_path: Path) -> Import:
    """Writes lines to a CSV file, imports it and opens the catalogue."""

    def run(lines: list[str], *, name: str = "rows.csv", **options: object) -> Catalogue:
        path = tmp_path / name
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
        settings = Options(**{"symbol": "binance:BTC/USDT", **options})  # type: ignore[arg-type]
        import_files([path], tmp_path / "catalog", settings)
        return Catalogue(tmp_path / "catalog")

    return run
