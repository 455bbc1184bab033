"""Keeping processors awake: the kernel's file is held open, and a refusal is a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from veloz.errors import ConfigError
from veloz.net.real import awake

OPEN = Path("/proc/self/fd")


def test_the_file_is_held_open_with_no_delay_in_it_and_let_go(tmp_path: Path) -> None:
    device = tmp_path / "latency"
    device.write_bytes(b"\xff" * 4)
    before = list(OPEN.iterdir())
    with awake(device):
        assert device.read_bytes() == bytes(4)
        assert len(list(OPEN.iterdir())) == len(before) + 1
    assert len(list(OPEN.iterdir())) == len(before)


def test_where_it_cannot_be_asked_for_the_hint_says_what_to_do(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match="cannot be kept awake") as refused,
        awake(tmp_path / "no"),
    ):
        pass
    assert "--awake" in refused.value.hint
