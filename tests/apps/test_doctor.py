"""What `veloz doctor` says of this machine and of machines it is told about."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from veloz import __version__
from veloz.apps import doctor
from veloz.apps.doctor import Finding, Machine

GIB = 2**30


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A healthy Linux machine, whatever this one is."""
    return Machine(
        system="Linux",
        cpu_kind="x86_64",
        cpus=8,
        python=(3, 11, 7),
        python_kind="CPython",
        prefix=tmp_path / ".venv",
        folder=tmp_path,
        free_bytes=100 * GIB,
        total_memory_bytes=16 * GIB,
        clock_source="tsc",
        clock_resolution_s=1e-9,
        wall_ns=1_790_000_000 * 10**9,
    )


def found(machine: Machine, name: str) -> Finding:
    return next(finding for finding in doctor.examine(machine) if finding.name == name)


def test_this_machine_is_healthy(veloz) -> None:
    ended = veloz("doctor")
    assert ended.returncode == 0, ended.stdout
    assert "FAIL" not in ended.stdout
    assert ended.stdout.endswith("next: veloz demo\n")


def test_json_names_the_same_findings(veloz) -> None:
    shape = json.loads(veloz("doctor", "--json").stdout)
    assert shape["veloz"] == __version__
    assert shape["healthy"] is True
    here = [finding.name for finding in doctor.examine(Machine.here())]
    assert [finding["name"] for finding in shape["findings"]] == here


@pytest.mark.parametrize(
    ("system", "cpu_kind", "verdict", "words"),
    [
        ("Linux", "x86_64", "ok", "backtest, paper and live"),
        ("Linux", "aarch64", "ok", "backtest, paper and live"),
        ("Linux", "riscv64", "warn", "not tried"),
        ("Darwin", "arm64", "ok", "research and paper"),
        ("Windows", "amd64", "warn", "best effort"),
        ("FreeBSD", "amd64", "warn", "not tried"),
    ],
)
def test_the_level_of_each_platform(
    machine: Machine, system: str, cpu_kind: str, verdict: str, words: str
) -> None:
    finding = found(replace(machine, system=system, cpu_kind=cpu_kind), "platform")
    assert finding.verdict == verdict
    assert words in finding.detail


@pytest.mark.parametrize(
    ("name", "change", "verdict"),
    [
        ("python", {"python": (3, 10, 12)}, "fail"),
        ("python", {"python_kind": "PyPy"}, "fail"),
        ("disk", {"free_bytes": GIB}, "warn"),
        ("disk", {"free_bytes": 10 * 2**20}, "fail"),
        ("memory", {"total_memory_bytes": GIB // 2}, "warn"),
        ("memory", {"total_memory_bytes": None}, "ok"),
        ("clock", {"wall_ns": 0}, "fail"),
        ("clock", {"clock_resolution_s": 0.015}, "warn"),
        ("clock", {"clock_source": "hpet"}, "warn"),
        ("clock", {"clock_source": None}, "ok"),
    ],
)
def test_what_is_wrong_gets_a_verdict_and_something_to_do(
    machine: Machine, name: str, change: dict[str, object], verdict: str
) -> None:
    assert found(machine, name).verdict == "ok"
    finding = found(replace(machine, **change), name)
    assert finding.verdict == verdict
    assert bool(finding.to_do) == (verdict != "ok")


def test_another_environment_than_the_projects_is_named(machine: Machine, tmp_path: Path) -> None:
    (tmp_path / ".venv").mkdir()
    assert "the project's own" in found(machine, "environment").detail
    elsewhere = replace(machine, prefix=tmp_path / "other")
    assert found(elsewhere, "environment").verdict == "warn"
    no_project = replace(elsewhere, folder=tmp_path.parent / "nowhere")
    assert found(no_project, "environment").verdict in ("ok", "warn")


def test_a_core_of_another_version_is_a_fail(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "__version__", "9.9.9")
    finding = found(machine, "core")
    assert finding.verdict == "fail"
    assert "but the package is 9.9.9" in finding.detail


def test_a_missing_and_an_old_package_are_fails(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "BASE_PACKAGES", {"no-such-package": (1,)})
    assert found(machine, "packages").detail == "no-such-package is missing"
    monkeypatch.setattr(doctor, "BASE_PACKAGES", {"numpy": (99, 0)})
    assert found(machine, "packages").to_do == "pip install 'numpy>=99.0'"


def test_the_research_extra_is_never_a_fault(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "RESEARCH_PACKAGES", ("no-such-package",))
    finding = found(machine, "research extra")
    assert finding.verdict == "ok"
    assert "no-such-package" in finding.detail


def test_an_extension_of_another_interpreter_is_a_fail(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor.sysconfig, "get_config_var", lambda _: ".cpython-399.so")
    finding = found(machine, "core ABI")
    assert finding.verdict == "fail"
    assert "cpython-399" in finding.detail


def test_a_fail_is_shown_with_its_remedy_and_ends_with_1(
    machine: Machine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ill = replace(machine, free_bytes=0)
    monkeypatch.setattr(doctor.Machine, "here", lambda: ill)
    assert doctor.run(doctor.argparse.Namespace(json=False)) == 1
    shown = capsys.readouterr().out
    assert "FAIL  disk" in shown
    assert "→ free 100 MiB" in shown
    assert doctor.run(doctor.argparse.Namespace(json=True)) == 1
    assert json.loads(capsys.readouterr().out)["healthy"] is False
