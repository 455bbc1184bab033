"""Statement coverage of the core and of the Python half; fails if either is under the floor.

The core counts what the Rust tests run and what the Python suite runs through the extension: both
are built with the compiler's own instrumentation, and the suite runs once, measured on both sides.
The two LLVM tools that read it must be of the compiler's LLVM version: rustup's `llvm-tools`
component or the system's package.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "coverage"
PROFILES = TARGET / "profiles"
EXTENSION = ROOT / "src" / "veloz" / f"_core{sysconfig.get_config_var('EXT_SUFFIX')}"
# What tools/setup.py knows the compiled core by; without it the core is compiled anew.
STAMP = ROOT / ".venv" / "stamps" / "core"
JOBS = os.environ.get("JOBS", "2")
FLOOR = 90.0
# What the figure is about: the core's own sources, not its tests and not other crates.
CORE = re.compile(r"/core/src/(?!.*/tests\.rs$)")
VENUES = re.compile(r"/src/veloz/venues/.*\.rs$")

Lines = dict[str, tuple[int, int]]


class Missing(Exception):
    """A tool that is not there; the text says how to get it."""


def main() -> int:
    """Returns 0 if both halves reach the floor."""
    try:
        profdata, cov = llvm_tool("llvm-profdata"), llvm_tool("llvm-cov")
        shutil.rmtree(PROFILES, ignore_errors=True)
        programs = test_rust()
        rust_alone = lines_run(profdata, cov, programs)
        extension = build_extension()
        with in_place(extension):
            python = test_python()
        rust = lines_run(profdata, cov, [*programs, str(extension)])
    except Missing as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as failed:
        command = " ".join(str(part) for part in failed.cmd[:6])
        print(f"error: `{command} …` ended with {failed.returncode}; see above", file=sys.stderr)
        return 1
    core = percent(rust, CORE, shown=True)
    alone = percent(rust_alone, CORE, shown=False)
    print(f"\ncore    {core:6.2f} %  (floor {FLOOR:g}; by the Rust tests alone {alone:.2f} %)")
    print(f"venues  {percent(rust, VENUES, shown=False):6.2f} %  (Rust half)")
    print(f"python  {python:6.2f} %  (floor {FLOOR:g})")
    return 0 if core >= FLOOR and python >= FLOOR else 1


def environment() -> dict[str, str]:
    """What makes cargo build with instrumentation, and what is built write its counts."""
    return {
        **os.environ,
        "CARGO_TARGET_DIR": str(TARGET),
        "RUSTFLAGS": "-C instrument-coverage",
        "PYO3_PYTHON": sys.executable,
        # Many short processes share a few files, so that a run does not fill the disk.
        "LLVM_PROFILE_FILE": str(PROFILES / "%4m.profraw"),
    }


def built(command: list[str]) -> Iterator[dict[str, object]]:
    """What cargo says that it built."""
    told = subprocess.run(
        [*command, "--locked", "--quiet", "--message-format=json-render-diagnostics"],
        cwd=ROOT,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return (json.loads(line) for line in told.stdout.splitlines())


def test_rust() -> list[str]:
    """Runs the tests of both crates; gives the programs that ran."""
    test = ["cargo", "test", "-p", "veloz-core", "-p", "veloz-venues", "--lib", "--tests"]
    messages = built([*test, "--no-run"])
    programs = [str(message["executable"]) for message in messages if message.get("executable")]
    subprocess.run([*test, "--locked", "--quiet"], cwd=ROOT, env=environment(), check=True)
    return programs


def build_extension() -> Path:
    """The instrumented extension, not yet where Python looks for it."""
    for message in built(["cargo", "build", "-p", "veloz-bindings"]):
        target = message.get("target")
        files = message.get("filenames")
        if isinstance(target, dict) and target["name"] == "_core" and isinstance(files, list):
            return Path(files[0])
    raise Missing("the build ended well, but cargo names no extension")


@contextmanager
def in_place(extension: Path) -> Iterator[None]:
    """Puts the instrumented extension where Python imports it from; the real one comes back.

    The stamp is away meanwhile: if this is cut off, the next `make` compiles the real one anew.
    """
    stamp, real = STAMP.read_bytes(), TARGET / "real_extension"
    shutil.copy2(EXTENSION, real)
    STAMP.unlink()
    try:
        replace(extension, EXTENSION)
        yield
    finally:
        replace(real, EXTENSION)
        STAMP.write_bytes(stamp)


def replace(source: Path, target: Path) -> None:
    """Copies by way of a new file, since a process may have the old one mapped."""
    fresh = target.with_name(f".{target.name}.new")
    shutil.copy2(source, fresh)
    fresh.replace(target)


def lines_run(profdata: str, cov: str, objects: list[str]) -> Lines:
    """File -> lines counted and lines run, as the profiles stand now."""
    merged = TARGET / "merged.profdata"
    raw = sorted(PROFILES.glob("*.profraw"))
    subprocess.run([profdata, "merge", "-sparse", *raw, "-o", merged], check=True)
    named = [word for item in objects for word in ("--object", item)]
    exported = subprocess.run(
        [cov, "export", "--summary-only", f"--instr-profile={merged}", *named[1:]],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    files = json.loads(exported.stdout)["data"][0]["files"]
    lines = {file["filename"]: file["summary"]["lines"] for file in files}
    return {name: (line["count"], line["covered"]) for name, line in lines.items()}


def percent(files: Lines, wanted: re.Pattern[str], *, shown: bool) -> float:
    """Share of the wanted files' lines that ran, in percent; 100 if there are none."""
    count = covered = 0
    for name, (lines, run) in sorted(files.items()):
        if not wanted.search(name) or lines == 0:
            continue
        count, covered = count + lines, covered + run
        if shown and run < lines:
            print(f"{Path(name).relative_to(ROOT)!s:50} {lines - run:5} of {lines:5} not run")
    return 100.0 * covered / count if count else 100.0


def llvm_tool(name: str) -> str:
    """The tool that fits the compiler.

    Raises:
        Missing: If there is none.
    """
    told = subprocess.run(["rustc", "-vV"], capture_output=True, text=True, check=True).stdout
    version = dict(line.split(": ", 1) for line in told.splitlines() if ": " in line)
    major = version["LLVM version"].split(".")[0]
    sysroot = subprocess.run(
        ["rustc", "--print", "sysroot"], capture_output=True, text=True, check=True
    ).stdout.strip()
    places = [
        f"{sysroot}/lib/rustlib/{version['host']}/bin/{name}",
        f"/usr/lib/llvm-{major}/bin/{name}",
        f"{name}-{major}",
    ]
    for place in places:
        found = shutil.which(place)
        if found is not None:
            return found
    raise Missing(
        f"no {name} for LLVM {major}, which this compiler uses\n"
        f"  rustup:          rustup component add llvm-tools\n"
        f"  Debian, Ubuntu:  apt install llvm-{major}"
    )


def test_python() -> float:
    """Runs the suite under coverage.py; gives the share of statements that ran, in percent."""
    python = sys.executable
    coverage = [python, "-m", "coverage"]
    subprocess.run([*coverage, "erase"], cwd=ROOT, check=True)
    suite = ["-m", "pytest", "-q", "-n", JOBS, "-m", "not long and not timed"]
    # Not the compiler's flags: a test that has something compiled means the real thing.
    counts = {**os.environ, "LLVM_PROFILE_FILE": environment()["LLVM_PROFILE_FILE"]}
    subprocess.run([*coverage, "run", *suite], cwd=ROOT, env=counts, check=True)
    subprocess.run([*coverage, "combine", "--quiet"], cwd=ROOT, check=True)
    subprocess.run([*coverage, "report"], cwd=ROOT, check=True)
    total = subprocess.run(
        [*coverage, "report", "--format=total", "--precision=2"],
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    return float(total.stdout)


if __name__ == "__main__":
    sys.exit(main())
