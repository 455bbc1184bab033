"""Venue keys on disk (SC-34, SC-38, SC-39)."""

import os
import traceback
from pathlib import Path

import pytest

from veloz.errors import ConfigError
from veloz.secrets import Credential, read_credential

CANARY = "canary-7f3a9c51"
GOOD = f"""
venue = "binance"
environment = "testnet"
api_key = "abcdefgh1234"
secret = "{CANARY}"
"""


def key_file(folder: Path, text: str, mode: int = 0o600) -> Path:
    path = folder / "main.toml"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_private_file_gives_its_key(tmp_path: Path) -> None:
    credential = read_credential(key_file(tmp_path, GOOD))
    assert credential == Credential("main", "binance", "testnet", "abcdefgh1234", CANARY, "")


def test_a_key_pair_comes_instead_of_a_secret(tmp_path: Path) -> None:
    text = GOOD.replace(f'secret = "{CANARY}"', "private_key = '''a\nb\n'''")
    assert read_credential(key_file(tmp_path, text)).private_key == "a\nb\n"


def test_what_is_shown_of_a_key_is_not_the_secret(tmp_path: Path) -> None:
    shown = repr(read_credential(key_file(tmp_path, GOOD)))
    assert shown == "Credential('main', binance testnet, key …1234)"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(ConfigError, match="others can read") as refused:
        read_credential(key_file(tmp_path, GOOD, mode))
    assert "chmod 600" in refused.value.hint


def test_a_link_is_refused(tmp_path: Path) -> None:
    key_file(tmp_path, GOOD)
    (tmp_path / "link.toml").symlink_to(tmp_path / "main.toml")
    with pytest.raises(ConfigError, match="cannot be opened"):
        read_credential(tmp_path / "link.toml")


def test_a_pipe_is_refused_without_waiting_for_a_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.toml", 0o600)
    with pytest.raises(ConfigError, match="not a plain file"):
        read_credential(tmp_path / "pipe.toml")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (GOOD.replace("testnet", "moon"), "environment 'moon' is unknown"),
        (GOOD.replace("venue", "place"), "'place' is not a field"),
        (GOOD.replace('api_key = "abcdefgh1234"', ""), "does not say api_key"),
        (GOOD + 'private_key = "x"\n', "exactly one of secret and private_key"),
        (GOOD.replace(f'"{CANARY}"', "17"), "is no text"),
        (f"secret = {CANARY}", "not a key file"),
        ("x" * 70_000, "too long"),
    ],
)
def test_a_wrong_file_is_refused_and_never_quoted(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as refused:
        read_credential(key_file(tmp_path, text))
    told = "".join(traceback.format_exception(refused.value))
    assert CANARY not in told
    assert CANARY not in refused.value.hint


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no key file") as refused:
        read_credential(tmp_path / "none.toml")
    assert 'environment = "testnet"' in refused.value.hint
