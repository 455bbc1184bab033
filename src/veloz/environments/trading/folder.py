"""The folder of a paper or live run: tables, settings, what came out; and the account's epoch.

```text
RUN/tables.json        assets, instruments and accounts, as the journal names them
    run.json           settings and strategies; at the end figures and hashes
    trading-*.vj …     the journal, its sync mark and its snapshots
    market-*.vj        what was heard, a file a start: of a paper run, of a live one if it records
    unbegun-*          what a run left that died before it had taken over the account
HOME/account-….epoch   the last epoch of the account's client ids, wherever its runs are
```
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from veloz.environments.trading.tables import TABLES, Tables
from veloz.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.net.doors import Files

__all__ = [
    "FORMAT",
    "RUN",
    "Start",
    "put_aside_unbegun",
    "raise_epoch",
    "read_json",
    "starts_of",
    "write_json",
]

RUN = "run.json"
FORMAT = "veloz.trading/1"

Start = tuple[int, int]
"""Epoch and instance of one start: every client order id that it gave begins with them."""


def write_json(files: Files, path: Path, value: dict[str, Any]) -> None:
    """Replaces a JSON file, whole or not at all."""
    files.write_atomic(path, json.dumps(value, indent=1, sort_keys=True).encode() + b"\n")


def read_json(files: Files, path: Path) -> dict[str, Any]:
    """Reads a JSON object.

    Raises:
        DataError: It is missing or damaged.
    """
    try:
        value = json.loads(files.read(path))
    except FileNotFoundError:
        raise DataError(
            f"there is no {path}", hint="name the folder of a run that `veloz run` made"
        ) from None
    except (ValueError, RecursionError) as damage:
        raise DataError(f"{path} is damaged: {damage}", hint="restore it from a copy") from None
    if not isinstance(value, dict):
        raise DataError(f"{path} is damaged: it holds no object", hint="restore it from a copy")
    return value


def starts_of(host: dict[str, Any]) -> list[Start]:
    """The starts of a run by what its `run.json` says, oldest first; none if it is older."""
    rows: Any = host.get("starts")
    if not isinstance(rows, list):
        return []
    return [(int(row["epoch"]), int(row["instance"])) for row in rows]


def put_aside_unbegun(files: Files, folder: Path) -> bool:
    """Puts the journal aside if its run died while it took over the account.

    Nothing was ordered by then, and half of an account is no beginning: the next start takes it
    over anew.

    Returns:
        True if there was such a journal; `TABLES` then say that an account was not taken over.

    Raises:
        DataError: The tables are damaged.
        OSError: The disk refused.
    """
    path = folder / TABLES
    if path.name not in files.list(folder):
        return False
    if all(Tables.of(files.read(path), str(path)).adopted_ns):
        return False
    # A snapshot without its journal would look like a backup: the journal goes last.
    names = [name for name in files.list(folder) if name.startswith("trading")]
    for name in sorted(names, key=lambda name: (name.endswith(".vj"), name)):
        files.rename(folder / name, folder / f"unbegun-{name}")
    return True


def raise_epoch(files: Files, home: Path, account: str, least: int) -> int:
    """The next epoch of an account, durable before it is used.

    Args:
        files: The door.
        home: One folder for all engines of this user; it exists.
        account: As `venue/name`.
        least: What the journal allows.

    Raises:
        DataError: What is there is no number.
        OSError: The disk refused.
    """
    name = re.sub(r"[^0-9A-Za-z_.-]", "-", account)
    path = home / f"account-{name}.epoch"
    last = 0
    if path.name in files.list(home):
        text = files.read(path).decode("ascii", "replace").strip()
        if not text.isdigit():
            raise DataError(
                f"{path} holds no number", hint="remove it; client ids also carry a random part"
            )
        last = int(text)
    epoch = max(least, last + 1)
    files.write_atomic(path, f"{epoch}\n".encode())
    return epoch
