"""Files into a catalogue: which importer reads what, one file at a time, all or nothing.

A finished file leaves a note under `sources/` with its digest; importing the same file again does
nothing. An interrupted import can simply be repeated: files that were finished are skipped, and
the one that was interrupted left nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from veloz.errors import DataError
from veloz.storage.deposit import Deposit, Stored
from veloz.storage.importers.arrays import read_arrays
from veloz.storage.importers.captures import is_capture, read_capture
from veloz.storage.importers.dumps import is_dump, read_dump
from veloz.storage.importers.source_rows import Options, Outcome
from veloz.storage.importers.tables import read_table
from veloz.storage.series import Source
from veloz.storage.transaction import Transaction, transaction

NOTES = "sources"

Progress = Callable[[str, float], None]
"""Hears the file's name and the part of it that is done, 0 to 1."""


@dataclass
class Imported:
    """What one file gave.

    Attributes:
        file: Its name.
        sha256: Its digest.
        already: True if it had been imported before, with the same options.
        stored: What was written, per series.
        instruments: Symbol → where its figures come from.
        outcome: What the importer found.
    """

    file: str
    sha256: str
    already: bool
    stored: list[Stored]
    instruments: dict[str, str]
    outcome: Outcome

    def to_row(self) -> dict[str, Any]:
        """The result as plain values."""
        return {
            "file": self.file,
            "sha256": self.sha256,
            "already": self.already,
            "stored": [asdict(stored) for stored in self.stored],
            "instruments": self.instruments,
            "importer": self.outcome.importer,
            "notes": list(self.outcome.notes),
            "clock": [_row(offset) for offset in self.outcome.clock],
        }


@dataclass
class ImportSummary:
    """What all files of one import gave."""

    files: list[Imported] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The object that `veloz data import --json` ends with."""
        events: dict[str, int] = {}
        books: dict[str, Any] = {}
        for imported in self.files:
            for name, count in imported.outcome.events.items():
                events[name] = events.get(name, 0) + count
            books.update(imported.outcome.books)
        return {
            "messages": sum(imported.outcome.messages for imported in self.files),
            "events": dict(sorted(events.items())),
            "errors": sum(imported.outcome.errors for imported in self.files),
            "books": books,
            "files": [imported.to_row() for imported in self.files],
        }


def import_files(
    paths: Sequence[Path | str],
    catalogue: Path | str,
    options: Options | None = None,
    progress: Progress = lambda _name, _part: None,
) -> ImportSummary:
    """Imports files, each in one transaction, in the given order.

    Args:
        paths: Files, or folders whose files are taken in the order of their names.
        catalogue: The catalogue's folder; made if it is not there.
        options: What the files do not say themselves.
        progress: Hears how far it is.

    Raises:
        DataError: If a file is missing, damaged or not understood. Files before it stay imported;
            of it nothing is stored.
    """
    summary = ImportSummary()
    for path in _files(paths):
        summary.files.append(_import_file(path, Path(catalogue), options or Options(), progress))
    return summary


def _import_file(path: Path, root: Path, options: Options, progress: Progress) -> Imported:
    progress(path.name, 0.0)
    digest = _digest(path)
    note = f"{NOTES}/{digest[:24]}-{_options_digest(options)}.json"
    with transaction(root) as change:
        before = root / note
        if before.exists() and not options.replace:
            imported = _recall(before)
        else:
            imported = _read_and_stage(path, digest, options, change, progress)
            change.write(note, json.dumps(_note(imported), indent=1, ensure_ascii=False) + "\n")
            change.commit()
    progress(path.name, 1.0)
    return imported


def _read_and_stage(
    path: Path, digest: str, options: Options, change: Transaction, progress: Progress
) -> Imported:
    deposit = Deposit(change)
    outcome = _read(path, options, deposit, change, progress)
    if not outcome.events:
        raise DataError(f"{path.name} holds nothing that can be stored: is it the right file?")
    source = Source(
        path.name,
        digest,
        outcome.importer,
        tuple(outcome.notes),
        tuple(offset.to_row() for offset in outcome.clock),
    )
    stored = deposit.finish(source, replace=options.replace)
    origins = {}
    for symbol in sorted({s.symbol for s in stored}):
        instrument = deposit.instruments.at(symbol)
        assert instrument is not None
        origins[symbol] = f"{instrument.origin}: {instrument.origin_note}".rstrip(": ")
    return Imported(
        path.name, digest, already=False, stored=stored, instruments=origins, outcome=outcome
    )


def _read(
    path: Path, options: Options, deposit: Deposit, change: Transaction, progress: Progress
) -> Outcome:
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] == ".npz":
        return read_arrays(path, options, deposit)
    if suffixes[-2:] in ([".jsonl", ".zst"], [".json", ".zst"]):
        raise DataError(f"{path.name} is packed by zstd: unpack it first, zstd -d {path.name}")
    if ".jsonl" in suffixes or is_capture(path):
        return read_capture(path, options, deposit, lambda part: progress(path.name, part))
    if ".parquet" in suffixes:
        return read_table(path, options, deposit)
    if suffixes and (suffixes[-1] == ".zip" or {".csv", ".tsv"} & set(suffixes)):
        if is_dump(path):
            return read_dump(path, options, deposit, change.scratch)
        return read_table(path, options, deposit)
    raise DataError(
        f"{path.name} is of no known form: give a recording (.jsonl, .jsonl.gz), a Binance dump "
        "(.zip, .csv), a table (.parquet, .csv, .tsv) or NumPy arrays (.npz); pandas and polars "
        "write Parquet from whatever they read (frame.to_parquet, frame.write_parquet)"
    )


def _files(paths: Sequence[Path | str]) -> list[Path]:
    files: list[Path] = []
    for path in map(Path, paths):
        if path.is_dir():
            inside = [p for p in path.rglob("*") if p.is_file() and _importable(p)]
            if not inside:
                raise DataError(f"the folder {path} holds no files that can be imported")
            files.extend(sorted(inside))
        elif path.is_file():
            files.append(path)
        else:
            raise DataError(f"there is no file {path}: check the path")
    return files


def _importable(path: Path) -> bool:
    return path.name.lower().endswith(
        (".zip", ".csv", ".csv.gz", ".tsv", ".parquet", ".npz", ".jsonl", ".jsonl.gz")
    )


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path} cannot be read ({error.strerror}): check the path") from error


def _options_digest(options: Options) -> str:
    content = {
        **{name: getattr(options, name) for name in options.__dataclass_fields__},
        "columns": dict(options.columns),
        "instruments": [instrument.to_row() for instrument in options.instruments],
    }
    content.pop("replace")
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:8]


def _note(imported: Imported) -> dict[str, Any]:
    outcome = imported.outcome
    return {
        **imported.to_row(),
        "messages": outcome.messages,
        "events": outcome.events,
        "errors": outcome.errors,
        "books": outcome.books,
    }


def _recall(path: Path) -> Imported:
    note = json.loads(path.read_text(encoding="utf-8"))
    outcome = Outcome(
        note["importer"], note["messages"], note["events"], note["errors"], note["books"],
        note["notes"], note["clock"],
    )  # fmt: skip
    stored = [Stored(**row) for row in note["stored"]]
    return Imported(
        note["file"], note["sha256"], already=True, stored=stored,
        instruments=note["instruments"], outcome=outcome,
    )  # fmt: skip


def _row(offset: Any) -> dict[str, Any]:
    return offset if isinstance(offset, dict) else offset.to_row()
