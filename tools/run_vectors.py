"""Runs the golden vectors alone and prints, for each kind, how many passed, failed, were left out.

Rust tests of `core/tests/` whose name is in `RUST_TESTS` print one line per kind themselves:

    vectors <kind>: <passed> passed, <failed> failed, <left out> left out

Python tests carry the mark `vectors`; a test's kind is its `vectors` mark's first argument, and a
skip counts as left out. The reason of everything that is left out is printed. VELOZ_GOLDEN_* names
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
RUST_TESTS = {"accounting_vectors": "accounting", "matching_scenarios": "matching"}
TALLY = re.compile(r"^vectors (\w+): (\d+) passed, (\d+) failed, (\d+) left out", re.MULTILINE)


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
    present = [name for name in RUST_TESTS if (ROOT / "core/tests" / f"{name}.rs").exists()]
    failed = False
    for name in present:
        command = ["cargo", "test", "--locked", "--quiet", "--profile", "checked"]
        command += ["-p", "veloz-core", "--test", name, "--", "--nocapture"]
        ended = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
        print(ended.stdout, end="")
        failed |= ended.returncode != 0
        tallies = TALLY.findall(ended.stdout)
        if not tallies:
            print(f"error: {name} printed no `vectors …` line", file=sys.stderr)
            failed = True
        for kind, passed, broke, left_out in tallies:
            count = totals.setdefault(kind, Counter())
            count.update({"passed": int(passed), "failed": int(broke), "left out": int(left_out)})
    return failed


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
