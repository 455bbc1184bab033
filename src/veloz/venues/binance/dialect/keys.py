"""API keys of the simulated venue, and the check of a signature made with one.

One key may be known by a secret (HMAC), an Ed25519 key and an RSA key at once, so that a client of
any kind can be pointed at the same account; the venue itself gives a key one kind only.

Source: Binance Spot API, "Request Security".
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

if TYPE_CHECKING:
    from collections.abc import Iterator
    from random import Random

__all__ = ["ApiKey", "IssuedKey", "Keys"]

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
KEY_FORM = re.compile(r"[A-Za-z0-9]{64}")


@dataclass
class ApiKey:
    """A key as the venue knows it.

    Attributes:
        api_key: What the client sends in `X-MBX-APIKEY`.
        account: The account that it speaks for.
        secret: Shared secret of HMAC; empty if the key has none.
        ed25519: Public half; None if the key has none.
        rsa: Public half; None if the key has none.
        can_trade: Whether orders are allowed.
        can_withdraw: What `apiRestrictions` says; the simulated venue never withdraws.
        addresses: Peers that may use it; any, if empty.
        revoked: Refused from now on.
    """

    api_key: str
    account: str
    secret: bytes = b""
    ed25519: Ed25519PublicKey | None = None
    rsa: RSAPublicKey | None = None
    can_trade: bool = True
    can_withdraw: bool = False
    addresses: frozenset[str] = frozenset()
    revoked: bool = False
    created_ms: int = 0

    def signed(self, payload: bytes, signature: str) -> bool:
        """Whether `signature` was made over exactly `payload` with one of the key's secrets."""
        if self.secret:
            expected = hmac.digest(self.secret, payload, "sha256").hex()
            # bytes, because compare_digest refuses text that is not ASCII
            if hmac.compare_digest(expected.encode(), signature.lower().encode()):
                return True
        return self.signed_asymmetric(payload, signature)

    def signed_asymmetric(self, payload: bytes, signature: str) -> bool:
        """As `signed`, by the Ed25519 or RSA key only."""
        try:
            raw = base64.b64decode(signature, validate=True)
        except (binascii.Error, ValueError):
            return False
        return self.signed_ed25519(payload, raw) or self._signed_rsa(payload, raw)

    def signed_ed25519(self, payload: bytes, signature: bytes) -> bool:
        """Whether the Ed25519 key made this raw signature."""
        if self.ed25519 is None:
            return False
        try:
            self.ed25519.verify(signature, payload)
        except InvalidSignature:
            return False
        return True

    def _signed_rsa(self, payload: bytes, signature: bytes) -> bool:
        if self.rsa is None:
            return False
        try:
            self.rsa.verify(signature, payload, padding.PKCS1v15(), hashes.SHA256())
        except InvalidSignature:
            return False
        return True

    def admits(self, peer: str) -> bool:
        """Whether the key may be used from this address."""
        return not self.revoked and (not self.addresses or peer in self.addresses)


@dataclass(frozen=True)
class IssuedKey:
    """What the owner of an account is given.

    Attributes:
        api_key: Sent with each request.
        secret: For HMAC.
        ed25519_private_key: PEM, PKCS#8.
    """

    api_key: str
    secret: str = field(repr=False)
    ed25519_private_key: str = field(repr=False)


class Keys:
    """All keys of the venue."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._keys: dict[str, ApiKey] = {}

    def __iter__(self) -> Iterator[ApiKey]:
        return iter(self._keys.values())

    def issue(self, account: str, *, now_ms: int, can_withdraw: bool = False) -> IssuedKey:
        """Makes a key with a secret and an Ed25519 pair, from the venue's own dice.

        These secrets guard play money: seeded dice make a run repeatable, and nothing else may
        use them.
        """
        secret = self._word()
        private = Ed25519PrivateKey.from_private_bytes(self._random.randbytes(32))
        key = self.add(account, now_ms=now_ms)
        key.secret = secret.encode()
        key.ed25519 = private.public_key()
        key.can_withdraw = can_withdraw
        pem = private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return IssuedKey(key.api_key, secret, pem.decode())

    def add(self, account: str, *, now_ms: int, public_key: str = "") -> ApiKey:
        """Registers a key by its public half.

        Args:
            account: The account that it speaks for.
            now_ms: Time of the registration.
            public_key: PEM of an Ed25519 or RSA key; empty for a key that is given its secret
                later.

        Raises:
            ValueError: If the PEM holds neither.
        """
        key = ApiKey(self._word(), account, created_ms=now_ms)
        if public_key:
            public = serialization.load_pem_public_key(public_key.encode())
            if isinstance(public, Ed25519PublicKey):
                key.ed25519 = public
            elif isinstance(public, RSAPublicKey):
                key.rsa = public
            else:
                raise ValueError(f"{type(public).__name__}: send an Ed25519 or RSA public key")
        self._keys[key.api_key] = key
        return key

    def find(self, api_key: str) -> ApiKey | None:
        """The key of this name; None if there is none."""
        return self._keys.get(api_key)

    def _word(self) -> str:
        return "".join(self._random.choices(ALPHABET, k=64))
