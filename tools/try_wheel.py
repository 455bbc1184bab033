"""Builds the wheel into dist/, installs it in a fresh venv and tries it there.

The dependencies come from the base lock, so that the smoke test sees the versions that the suite
has seen.
"""

import json
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIST = ROOT / "dist"
# Sources and fixtures stay in the source archive.
UNWANTED = (".rs", "Cargo.toml", ".pyc", ".jsonl", ".golden")
WANTED = (
    "veloz/py.typed",
    "veloz/_core.pyi",
    "veloz/apps/cli.py",
    "veloz/examples/sma_cross.py",
    "veloz/examples/data/PROVENANCE.md",
)


def main() -> int:
    """Returns 0 if the wheel holds what it should and works."""
    wheel = build()
    faults = faults_of(wheel)
    for fault in faults:
        print(f"error: {wheel.name}: {fault}", file=sys.stderr)
    if faults:
        return 1
    with tempfile.TemporaryDirectory(prefix="veloz-wheel-") as folder:
        smoke_test(wheel, Path(folder))
    print(f"{wheel.relative_to(ROOT)}: {wheel.stat().st_size / 2**20:.1f} MiB, installed and tried")
    return 0


def build() -> Path:
    """The one wheel for this interpreter."""
    shutil.rmtree(DIST, ignore_errors=True)
    maturin = Path(sys.executable).parent / "maturin"
    command = [maturin, "build", "--release", "--locked", "--quiet", "--out", DIST]
    subprocess.run([*command, "--interpreter", sys.executable], cwd=ROOT, check=True)
    (wheel,) = DIST.glob("*.whl")
    return wheel


def faults_of(wheel: Path) -> list[str]:
    """What is in the wheel and should not be, or is not and should."""
    names = zipfile.ZipFile(wheel).namelist()
    faults = [f"holds {name}" for name in names if name.endswith(UNWANTED)]
    faults += [f"lacks {name}" for name in WANTED if name not in names]
    if not any(name.endswith("licenses/LICENSE") for name in names):
        faults.append("lacks the licence")
    return faults


def smoke_test(wheel: Path, folder: Path) -> None:
    """Installs and uses the wheel as a newcomer would; raises CalledProcessError if it fails."""
    place = folder / "venv"
    venv.create(place, with_pip=True)
    python, veloz = place / "bin" / "python", place / "bin" / "veloz"
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    lock = ROOT / "requirements" / "base.lock"
    steps = [
        [*pip, "--require-hashes", "-r", lock],
        [*pip, "--no-index", "--no-deps", wheel],
        [python, "-c", "import veloz, veloz._core; print(veloz.__version__)"],
        [veloz, "--version"],
        [veloz, "doctor"],
        [veloz, "new", "first_cross"],
        [veloz, "demo", "--venue", "5"],
    ]
    for step in steps:
        subprocess.run(step, cwd=folder, check=True)
    found = subprocess.run(
        [veloz, "doctor", "--json"], cwd=folder, check=True, capture_output=True, text=True
    )
    if not json.loads(found.stdout)["healthy"]:
        raise SystemExit("error: veloz doctor --json does not say healthy")


if __name__ == "__main__":
    sys.exit(main())
