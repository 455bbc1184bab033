"""What is said about a strategy that raised: the error, and where in its own file."""

from __future__ import annotations

import sysconfig
import traceback
from pathlib import Path


def describe(error: BaseException) -> str:
    """One sentence: kind and text of the error, and file and line of the strategy's own frame.

    The deepest frame outside the package and the standard library is taken, because that is the
    line which the author can change.
    """
    text = str(error).strip()
    what = type(error).__name__ + (f": {text}" if text else "")
    place = place_of(error)
    return f"{what} at {place}" if place else what


def place_of(error: BaseException) -> str:
    """File, line, function and code of the strategy's own frame; empty if it has none."""
    frames = traceback.extract_tb(error.__traceback__)
    package = str(Path(__file__).resolve().parent.parent)
    others = (package, *(sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")))
    own = [frame for frame in frames if not frame.filename.startswith((*others, "<frozen"))]
    if not own:
        return ""
    # Code that a dataclass makes has no file; where there is a real one, that is the author's.
    frame = next((f for f in reversed(own) if f.filename != "<string>"), own[-1])
    line = f" ({frame.line})" if frame.line else ""
    return f"{Path(frame.filename).name}:{frame.lineno} in {frame.name}{line}"
