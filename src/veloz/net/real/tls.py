"""How peers prove who they are. There is no switch that leaves the proof out (F-A10)."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

from veloz.errors import ConfigError

if TYPE_CHECKING:
    from pathlib import Path

    from veloz.net.doors import ServerTls

__all__ = ["client_tls", "server_tls"]


def client_tls(authority: Path | None = None) -> ssl.SSLContext:
    """Verifies chain and host name against the system's authorities, from TLS 1.2.

    Args:
        authority: PEM file of certificates to trust besides.

    Raises:
        ConfigError: The file cannot be read or holds no certificate.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authority is not None:
        try:
            context.load_verify_locations(authority)
        except OSError as error:  # an SSLError is one
            raise ConfigError(
                f"{authority}: no certificates to trust: {error}", hint="give a PEM file"
            ) from error
    return context


def server_tls(tls: ServerTls) -> ssl.SSLContext:
    """Shows a certificate to clients.

    Raises:
        ConfigError: Certificate and key cannot be read, or do not belong together.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(tls.certificate, tls.key)
    except OSError as error:
        raise ConfigError(
            f"{tls.certificate} and {tls.key}: not a certificate and its key: {error}",
            hint="give two PEM files that belong together",
        ) from error
    return context
