"""Makes `.venv` ready: interpreter, pinned packages, compiled core, the `veloz` command.

Every step leaves a stamp with a digest of what it was made from, so a second run costs a few
hundredths of a second, and a changed lock or Rust source redoes its own step only. Runs on the
system's Python with the standard library alone, since nothing else is there yet.

    python3.11 tools/setup.py [base | dev | peers] …
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
BIN = VENV / ("Scripts" if os.name == "nt" else "bin")
VENV_PYTHON = BIN / ("python.exe" if os.name == "nt" else "python")
STAMPS = VENV / "stamps"
LOCKS = ("base", "dev", "peers")

# What the compiled core is made from. Python sources are not in it: the install is editable.
RUST_SOURCES = ("core/src", "bindings/src", "src/veloz/venues")
BUILD_FILES = (
    "Cargo.toml",
    "Cargo.lock",
    "pyproject.toml",
    "core/Cargo.toml",
    "bindings/Cargo.toml",
    "src/veloz/venues/Cargo.toml",
)
# Environment that changes the compiled core.
BUILD_VARIABLES = ("RUSTFLAGS", "CARGO_PROFILE_RELEASE_LTO", "CARGO_PROFILE_RELEASE_CODEGEN_UNITS")


class Missing(Exception):
    """Something that this program cannot install itself; the text says what to do."""


def main(wanted: list[str]) -> int:
    """Brings the venv to the wanted state; returns an exit code."""
    unknown = set(wanted) - set(LOCKS)
    if unknown:
        print(f"error: no lock named {sorted(unknown)[0]}; there are {', '.join(LOCKS)}")
        return 2
    try:
        make_venv()
        for name in ["base", *(name for name in wanted if name != "base")]:
            install_lock(name)
        build_core()
    except Missing as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        command = " ".join(str(part) for part in failed.cmd)
        print(f"error: `{command}` ended with {failed.returncode}; see above", file=sys.stderr)
        return 1
    return 0


def make_venv() -> None:
    """Makes the venv anew when it is absent, moved, or of another Python."""
    digest = digest_of([sys.version, str(ROOT), sysconfig.get_platform()])
    if VENV_PYTHON.exists() and is_stamped("venv", digest):
        return
    say(f"making .venv with Python {sys.version.split()[0]}")
    if VENV.exists():
        shutil.rmtree(VENV)
    made = subprocess.run(
        [sys.executable, "-m", "venv", str(VENV)], capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        shutil.rmtree(VENV, ignore_errors=True)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise Missing(
            f"{sys.executable} cannot make a virtual environment: "
            f"{(made.stdout + made.stderr).strip().splitlines()[0]}\n"
            f"  Debian, Ubuntu: apt install python{version}-venv"
        )
    stamp("venv", digest)


def install_lock(name: str) -> None:
    """Installs one lock, file by file checked against its hashes."""
    lock = ROOT / "requirements" / f"{name}.lock"
    digest = digest_of([lock.read_bytes()])
    if is_stamped(name, digest):
        return
    say(f"installing the packages of requirements/{name}.lock")
    pip = [VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    subprocess.run([*pip, "--require-hashes", "-r", lock], cwd=ROOT, check=True)
    stamp(name, digest)


def build_core() -> None:
    """Compiles the core in release mode and installs the project, editable."""
    files = [ROOT / name for name in BUILD_FILES]
    for folder in RUST_SOURCES:
        files += sorted((ROOT / folder).rglob("*.rs"))
    pieces: list[str | bytes] = [os.environ.get(name, "") for name in BUILD_VARIABLES]
    for file in files:
        pieces += [str(file.relative_to(ROOT)), file.read_bytes()]
    digest = digest_of(pieces)
    if is_built() and is_stamped("core", digest):
        return
    if shutil.which("cargo") is None:
        raise Missing(
            "no cargo on the PATH; the core is written in Rust 1.85 or later\n"
            "  Debian 12:        apt install cargo-web rustc-web\n"
            "  Fedora:           dnf install cargo\n"
            "  macOS:            brew install rust\n"
            "  or rustup, as its own site says"
        )
    if shutil.which("cc") is None and os.name != "nt":
        raise Missing(
            "no C linker (cc) on the PATH; Rust needs one\n"
            "  Debian, Ubuntu: apt install gcc libc6-dev\n"
            "  macOS:          xcode-select --install"
        )
    say("compiling the core in release mode (a few minutes the first time)")
    unstamp("core")
    # maturin's own `develop` would also install the dev group, past the locks
    pip = [VENV_PYTHON, "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
    editable = ["--no-build-isolation", "--no-deps", "--no-index", "--editable", ROOT]
    path = f"{BIN}{os.pathsep}{os.environ.get('PATH', '')}"  # maturin is in the venv
    subprocess.run([*pip, *editable], env={**os.environ, "PATH": path}, check=True)
    if not is_built():
        raise Missing(f"the build ended well, but {BIN / 'veloz'} or the extension is not there")
    stamp("core", digest)


def is_built() -> bool:
    """Whether the extension of this interpreter and the command are both in place."""
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    command = BIN / ("veloz.exe" if os.name == "nt" else "veloz")
    return (ROOT / "src" / "veloz" / f"_core{suffix}").exists() and command.exists()


def digest_of(pieces: list[str | bytes] | list[str] | list[bytes]) -> str:
    """One digest of several pieces, each with its length, so that borders count."""
    digest = hashlib.sha256()
    for piece in pieces:
        content = piece.encode() if isinstance(piece, str) else piece
        digest.update(len(content).to_bytes(8, "little"))
        digest.update(content)
    return digest.hexdigest()


def is_stamped(name: str, digest: str) -> bool:
    """Whether the step was last finished with this digest."""
    file = STAMPS / name
    return file.exists() and file.read_text() == digest


def stamp(name: str, digest: str) -> None:
    """Records that the step is finished."""
    STAMPS.mkdir(exist_ok=True)
    (STAMPS / name).write_text(digest)


def unstamp(name: str) -> None:
    """Forgets a step, so that one that is cut off is done again."""
    (STAMPS / name).unlink(missing_ok=True)


def say(what: str) -> None:
    """Tells the user what takes the time."""
    print(f"setup: {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
