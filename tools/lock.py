"""Resolves requirements/*.lock from pyproject.toml: exact versions and hashes, no addresses.

Needs `uv` on the PATH. One lock serves every supported Python and platform (markers choose), and
the later locks keep the versions of the base.
"""

import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BASE = "requirements/base.lock"
LOCKS = {
    BASE: ["pyproject.toml", "--group", "build"],
    "requirements/dev.lock": ["--group", "dev", "--constraints", BASE],
    "requirements/peers.lock": ["--group", "peers", "--constraints", BASE],
    "requirements/clients-ccxt.lock": ["--group", "clients-ccxt"],
    "requirements/clients-connector.lock": ["--group", "clients-connector"],
    "requirements/clients-python-binance.lock": ["--group", "clients-python-binance"],
    "requirements/clients-sdk.lock": ["--group", "clients-sdk"],
}
FORM = [
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-find-links",
]


def main() -> int:
    """Writes every lock anew; pass `--upgrade` to take newer versions."""
    if shutil.which("uv") is None:
        print("error: no uv on the PATH; pip install uv", file=sys.stderr)
        return 1
    for lock, what in LOCKS.items():
        command = ["uv", "pip", "compile", "--quiet", *what, *FORM, *sys.argv[1:], "-o", lock]
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        print(f"wrote {lock}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
