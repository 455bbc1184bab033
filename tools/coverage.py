"""Statement coverage of the core and of the Python half; fails if either is under the floor.

The Rust half is built with the compiler's own instrumentation. The two LLVM tools that read it must
be of the compiler's LLVM version: rustup's `llvm-tools` component or the system's package.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "coverage"
FLOOR = 90.0
# What the figure is about: the core's own sources, not its tests and not other crates.
CORE = re.compile(r"/core/src/")
VENUES = re.compile(r"/src/veloz/venues/.*\.rs$")


class Missing(Exception):
    """A tool that is not there; the text says how to get it."""


def main() -> int:
    """Returns 0 if both halves reach the floor."""
    try:
        rust = rust_coverage()
    except Missing as missing:
        print(f"error: {missing}", file=sys.stderr)
        return 1
    python = python_coverage()
    core = percent(rust, CORE, shown=True)
    print(f"\ncore    {core:6.2f} %  (floor {FLOOR:g})")
    print(f"venues  {percent(rust, VENUES, shown=False):6.2f} %  (Rust half)")
    print(f"python  {python:6.2f} %  (floor {FLOOR:g})")
    return 0 if core >= FLOOR and python >= FLOOR else 1


def rust_coverage() -> dict[str, tuple[int, int]]:
    """File -> lines counted and lines run, over the tests of both crates."""
    profdata, cov = llvm_tool("llvm-profdata"), llvm_tool("llvm-cov")
    profiles = TARGET / "profiles"
    shutil.rmtree(profiles, ignore_errors=True)
    environment = {
        **os.environ,
        "CARGO_TARGET_DIR": str(TARGET),
        "RUSTFLAGS": "-C instrument-coverage",
        "LLVM_PROFILE_FILE": str(profiles / "%p-%m.profraw"),
    }
    test = ["cargo", "test", "--locked", "--quiet", "-p", "veloz-core", "-p", "veloz-venues"]
    test += ["--lib", "--tests"]
    built = subprocess.run(
        [*test, "--no-run", "--message-format=json"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    messages = map(json.loads, built.stdout.splitlines())
    programs = [message["executable"] for message in messages if message.get("executable")]
    subprocess.run(test, cwd=ROOT, env=environment, check=True)
    merged = TARGET / "merged.profdata"
    raw = sorted(profiles.glob("*.profraw"))
    subprocess.run([profdata, "merge", "-sparse", *raw, "-o", merged], check=True)
    objects = [word for program in programs for word in ("--object", program)]
    exported = subprocess.run(
        [cov, "export", "--summary-only", f"--instr-profile={merged}", *objects[1:]],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    files = json.loads(exported.stdout)["data"][0]["files"]
    lines = {file["filename"]: file["summary"]["lines"] for file in files}
    return {name: (line["count"], line["covered"]) for name, line in lines.items()}


def percent(files: dict[str, tuple[int, int]], wanted: re.Pattern[str], *, shown: bool) -> float:
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


def python_coverage() -> float:
    """Runs the suite under coverage.py and returns the share of statements that ran, in percent."""
    python = sys.executable
    coverage = [python, "-m", "coverage"]
    subprocess.run([*coverage, "erase"], cwd=ROOT, check=True)
    suite = ["-m", "pytest", "-q", "-n", "2", "-m", "not long and not timed"]
    subprocess.run([*coverage, "run", *suite], cwd=ROOT, check=True)
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
