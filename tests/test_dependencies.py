"""What we stand on: permissive licences for users, and few needs in the core."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PERMISSIVE = {
    "0BSD", "Apache-2.0", "Apache-2.0 WITH LLVM-exception", "BSD-2-Clause", "BSD-3-Clause",
    "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0", "Unicode-3.0", "Unlicense", "Zlib",
}  # fmt: skip
# What packages without an SPDX expression say in their classifier.
PERMISSIVE_CLASSIFIERS = {
    "License :: OSI Approved :: Apache Software License",
    "License :: OSI Approved :: BSD License",
    "License :: OSI Approved :: ISC License (ISCL)",
    "License :: OSI Approved :: MIT License",
    "License :: OSI Approved :: Python Software Foundation License",
}
# The core is pure; each crate here computes and nothing else.
CORE_CRATES = {"blake3", "crc32c"}


def is_permissive(expression: str) -> bool:
    """Whether one way to satisfy an SPDX expression needs permissive licences only.

    `AND` binds tighter than `OR`; the old form with a slash means `OR`.
    """
    expression = expression.replace("/", " OR ")
    inner = re.search(r"\(([^()]*)\)", expression)
    if inner is not None:
        stand_in = "MIT" if is_permissive(inner[1]) else "refused"
        whole = expression[: inner.start()] + stand_in + expression[inner.end() :]
        return is_permissive(whole)
    return any(
        all(licence.strip() in PERMISSIVE for licence in way.split(" AND "))
        for way in expression.split(" OR ")
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("MIT", True),
        ("GPL-3.0-only", False),
        ("MIT OR Apache-2.0 OR LGPL-2.1-or-later", True),
        ("MIT AND LGPL-2.1-or-later", False),
        ("(MIT OR GPL-2.0-only) AND Unicode-3.0", True),
        ("(LGPL-2.1-only OR GPL-2.0-only) AND MIT", False),
        ("Apache-2.0 WITH LLVM-exception", True),
        ("MIT/Apache-2.0", True),
    ],
)
def test_expressions_are_read_as_they_are_meant(expression: str, *, expected: bool) -> None:
    assert is_permissive(expression) == expected


@pytest.fixture(scope="module")
def crates() -> list[dict]:
    """Every crate of the workspace and below, as cargo sees the lock."""
    told = subprocess.run(
        ["cargo", "metadata", "--locked", "--format-version", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(told.stdout)["packages"]


def test_every_crate_has_a_permissive_licence(crates: list[dict]) -> None:
    assert len(crates) > 10
    refused = {
        f"{crate['name']} {crate['version']}": crate["license"]
        for crate in crates
        if not is_permissive(crate["license"] or "none")
    }
    assert refused == {}


def test_the_core_needs_only_what_is_listed(crates: list[dict]) -> None:
    (core,) = [crate for crate in crates if crate["name"] == "veloz-core"]
    needed = {crate["name"] for crate in core["dependencies"] if crate["kind"] is None}
    assert needed == CORE_CRATES


def test_no_crate_comes_from_anywhere_but_the_index(crates: list[dict]) -> None:
    sources = {crate["source"] for crate in crates} - {None}
    assert all(source.startswith("registry+") for source in sources), sources


def base_packages() -> list[str]:
    lock = (ROOT / "requirements" / "base.lock").read_text(encoding="utf-8")
    return sorted(set(re.findall(r"^([a-z0-9-]+)==", lock, re.MULTILINE)))


@pytest.mark.parametrize("package", base_packages())
def test_every_package_of_the_base_has_a_permissive_licence(package: str) -> None:
    told = metadata.metadata(package)
    expression = told.get("License-Expression") or told.get("License")
    classifiers = {line for line in told.get_all("Classifier") or [] if "License ::" in line}
    if classifiers and told.get("License-Expression") is None:
        assert classifiers <= PERMISSIVE_CLASSIFIERS
    elif expression:
        assert is_permissive(expression), expression
    else:
        files = [path for path in metadata.files(package) or [] if "LICEN" in path.name.upper()]
        texts = [" ".join(path.read_text().split()) for path in files]
        assert texts
        assert all("MIT License" in text[:60] for text in texts)


def test_no_crate_needs_a_newer_compiler_than_we_promise(crates: list[dict]) -> None:
    def release(text: str) -> tuple[int, ...]:
        return tuple(int(part) for part in text.split(".")[:2])

    manifest = tomllib.loads((ROOT / "Cargo.toml").read_text(encoding="utf-8"))
    promised = release(manifest["workspace"]["package"]["rust-version"])
    too_new = {
        f"{crate['name']} {crate['version']}": crate["rust_version"]
        for crate in crates
        if crate["rust_version"] and release(crate["rust_version"]) > promised
    }
    assert too_new == {}
