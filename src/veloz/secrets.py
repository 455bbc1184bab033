"""Venue keys, read from a private file and handed once to the signer.

```text
keys/binance.toml (0600) ─► read_credential ─► Credential ─► signer (zeroised in Rust)
```

Keys are never taken from `veloz.toml`, from arguments or from the environment, where other
programs and crash reports would find them. What a newcomer gets wrong: a key belongs to one
environment. The file says which, and a session of another environment refuses it.
"""

import os
import stat
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from veloz.errors import ConfigError

__all__ = ["ENVIRONMENTS", "Credential", "read_credential"]

ENVIRONMENTS = ("live", "testnet", "demo", "simulated")
"""Where a key was issued: the venue itself, its test network, its demo, or `veloz exchange`."""

KEY_BYTES_MAX = 65_536
EXAMPLE = """\
  venue = "binance"
  environment = "testnet"
  api_key = "…"
  secret = "…"            # or: private_key = '''-----BEGIN PRIVATE KEY-----…'''"""


@dataclass(frozen=True, slots=True, repr=False)
class Credential:
    """An API key with what signs for it.

    Attributes:
        name: Name of the account, as the user calls it; the file's stem unless it says another.
        venue: Such as `binance`.
        environment: One of `ENVIRONMENTS`.
        api_key: The public half.
        secret: The shared secret of an HMAC key; empty for a key pair.
        private_key: PKCS#8 PEM of an Ed25519 or RSA key pair; empty for a shared secret.
    """

    name: str
    venue: str
    environment: str
    api_key: str
    secret: str
    private_key: str

    def __repr__(self) -> str:
        return (
            f"Credential({self.name!r}, {self.venue} {self.environment}, key …{self.api_key[-4:]})"
        )


def read_credential(path: Path | str) -> Credential:
    """Reads a key file that only its owner can read.

    Args:
        path: A TOML file; its permissions are 0600 or less, and it is no link.

    Raises:
        ConfigError: The file is missing, others can read it, or it does not hold one key. No
            message repeats what the file holds.
    """
    path = Path(path)
    text = _private_text(path)
    try:
        fields = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        # The parser's message quotes the text.
        raise ConfigError(f"{path} is not a key file", hint=f"it should read:\n{EXAMPLE}") from None
    return _credential(path, fields)


def _private_text(path: Path) -> str:
    flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        fd = os.open(path, flags)
    except FileNotFoundError:
        raise ConfigError(
            f"there is no key file {path}", hint=f"make one with mode 0600:\n{EXAMPLE}"
        ) from None
    except OSError as error:
        raise ConfigError(
            f"the key file {path} cannot be opened: {error.strerror}",
            hint="it must be a plain file of yours, not a link",
        ) from None
    status = os.fstat(fd)
    if not stat.S_ISREG(status.st_mode):
        os.close(fd)
        raise ConfigError(f"{path} is not a plain file", hint="give the key file itself")
    with os.fdopen(fd, "rb") as file:
        if os.name == "posix":
            _check_private(path, status)
        content = file.read(KEY_BYTES_MAX + 1)
    if len(content) > KEY_BYTES_MAX:
        raise ConfigError(f"{path} is too long for a key file", hint="give the key file itself")
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is not text", hint="give the key file itself") from None


def _check_private(path: Path, status: os.stat_result) -> None:
    if status.st_uid != os.geteuid():
        raise ConfigError(
            f"the key file {path} belongs to another user", hint=f"chown it to yourself: {path}"
        )
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise ConfigError(
            f"others can read the key file {path} (mode {stat.S_IMODE(status.st_mode):04o})",
            hint=f"chmod 600 {path}; if it was shared, make a new key at the venue",
        )


def _credential(path: Path, fields: dict[str, Any]) -> Credential:
    known = {"name", "venue", "environment", "api_key", "secret", "private_key"}
    for name, value in fields.items():
        if name not in known or not isinstance(value, str) or not value.strip():
            raise ConfigError(
                f"{path}: {name!r} is not a field of a key file, or is no text",
                hint=f"it should read:\n{EXAMPLE}",
            )
    missing = {"venue", "environment", "api_key"} - fields.keys()
    if missing or ("secret" in fields) == ("private_key" in fields):
        what = ", ".join(sorted(missing)) or "exactly one of secret and private_key"
        raise ConfigError(f"{path} does not say {what}", hint=f"it should read:\n{EXAMPLE}")
    if fields["environment"] not in ENVIRONMENTS:
        raise ConfigError(
            f"{path}: environment {fields['environment']!r} is unknown",
            hint=f"use one of {', '.join(ENVIRONMENTS)}",
        )
    return Credential(
        name=fields.get("name", path.stem),
        venue=fields["venue"],
        environment=fields["environment"],
        api_key=fields["api_key"],
        secret=fields.get("secret", ""),
        private_key=fields.get("private_key", ""),
    )
