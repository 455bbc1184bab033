"""Runs the golden vectors alone and prints, for each kind, how many passed, failed, were left out.

A Rust integration test is one of these if it reads a VELOZ_GOLDEN_* variable, and then prints

    <kind>: <passed> passed, <failed> failed, <left out> left out

for each kind. A Python test carries the mark `vectors`; its kind is the mark's argument, else the
name of its folder or file, and a skip counts as left out. Reasons are printed. VELOZ_GOLDEN_* names
another folder of the same form.
"""

import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUST_TESTS = {"veloz-core": "core/tests", "veloz-venues": "src/veloz/venues/tests"}
TALLY = re.compile(r"^(\w+): (\d+) passed, (\d+) failed, (\d+) left out", re.MULTILINE)


def main() -> int:
    """Returns 0 if no vector failed."""
    totals: dict[str, Counter[str]] = {}
    failed = run_rust(totals) | run_python(totals)
    print()
    for kind, count in sorted(totals.items()):
        print(
            f"vectors {kind}: {count['passed']} passed, {count['failed']} failed, "
            f"{count['left out']} left out"
        )
    if not totals:
        print("error: no vectors were found", file=sys.stderr)
        return 1
    return 1 if failed or any(count["failed"] for count in totals.values()) else 0


def run_rust(totals: dict[str, Counter[str]]) -> bool:
    """Runs the Rust half; returns whether it failed."""
    failed = False
    for package, file in rust_tests():
        command = ["cargo", "test", "--locked", "--quiet", "--profile", "checked"]
        command += ["-p", package, "--test", file.stem, "--", "--nocapture"]
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        print(ended.stdout, end="")
        failed |= ended.returncode != 0
        tallies = TALLY.findall(ended.stdout)
        if not tallies:
            print(f"error: {file.name} did not print how many passed", file=sys.stderr)
            failed = True
        for kind, passed, broke, left_out in tallies:
            count = totals.setdefault(kind, Counter())
            count.update({"passed": int(passed), "failed": int(broke), "left out": int(left_out)})
    return failed


def rust_tests() -> list[tuple[str, Path]]:
    """Package and file of every Rust test that reads golden vectors."""
    return [
        (package, file)
        for package, folder in RUST_TESTS.items()
        for file in sorted((ROOT / folder).glob("*.rs"))
        if "VELOZ_GOLDEN_" in file.read_text(encoding="utf-8")
    ]


def run_python(totals: dict[str, Counter[str]]) -> bool:
    """Runs the Python half; returns whether it failed."""
    with tempfile.TemporaryDirectory(prefix="veloz-vectors-") as folder:
        results = Path(folder) / "results.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "vectors", "-p", "no:randomly"]
        ended = subprocess.run([*command, f"--junit-xml={results}"], cwd=ROOT, check=False)
        cases = list(ElementTree.parse(results).iter("testcase"))  # noqa: S314 - our own file
    for case in cases:
        kind = next(
            (str(p.get("value")) for p in case.iter("property") if p.get("name") == "vectors"),
            "other",
        )
        totals.setdefault(kind, Counter())[outcome_of(case)] += 1
    no_tests = 5
    return ended.returncode not in (0, no_tests)


def outcome_of(case: ElementTree.Element) -> str:
    """`passed`, `failed` or `left out`."""
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "left out" if case.find("skipped") is not None else "passed"


if __name__ == "__main__":
    sys.exit(main())
