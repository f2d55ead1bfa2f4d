"""Refresh tokens: signed secrets, so that one of ours is recognised long after its row is gone.

A token that is reused after its successor was used is the sign of a theft. Its signature tells it from a
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
    """Issues refresh tokens, and says which session one belongs to."""

    def __init__(self, key: str) -> None:
        # A derived key: a key that signs one kind of token must not sign another.
        self._key = hmac.digest(key.encode(), b"memberstaff refresh token", sha256)

    def issue(self, session_id: str) -> str:
        payload = f"{session_id}.{secrets.token_urlsafe(32)}"
        return f"{payload}.{self._signature(payload)}"

    def session_of(self, token: str) -> str | None:
        """The session of a token that we ever issued; None for any other string."""
        if len(token) > LONGEST or not token.isascii():
            return None
        payload, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature, self._signature(payload)):
            return None
        return payload.partition(".")[0]

    def _signature(self, payload: str) -> str:
        return urlsafe_b64encode(hmac.digest(self._key, payload.encode(), sha256)).rstrip(b"=").decode()


def fingerprint(token: str) -> str:
    """The SHA-256 of a token, hexadecimal: all that is stored of it."""
    return sha256(token.encode()).hexdigest()
