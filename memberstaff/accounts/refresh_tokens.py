"""Refresh tokens: secrets that we sign, so that one of ours is known long after its row is gone.

A token that comes back after its successor was used is the sign of a theft. Its signature tells it from a
made-up one, so its row need not be kept for that, and a made-up token costs no query.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256

LONGEST = 256
"""Characters of a refresh token; ours have 120."""


class RefreshTokens:
    """Makes refresh tokens and tells which session one belongs to."""

    def __init__(self, key: str) -> None:
        # A key of its own: what signs one kind of token must not sign another.
        self._key = hmac.digest(key.encode(), b"memberstaff refresh token", sha256)

    def issue(self, session_id: str) -> str:
        """A new token for the session."""
        said = f"{session_id}.{secrets.token_urlsafe(32)}"
        return f"{said}.{self._signature(said)}"

    def session_of(self, token: str) -> str | None:
        """The session of a token that we made, at whatever time; None for any other string."""
        if len(token) > LONGEST or not token.isascii():
            return None
        said, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(said)):
            return None
        return said.partition(".")[0]

    def _signature(self, said: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, said.encode(), sha256)).rstrip(b"=").decode()


def fingerprint(token: str) -> str:
    """What is kept of a token: its SHA-256, hexadecimal."""
    return sha256(token.encode()).hexdigest()
