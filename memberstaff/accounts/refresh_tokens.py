"""Refresh tokens: signed secrets, so that one of ours is recognised long after its row is gone.

A token that was replaced, or is used again after its successor was, is the sign of a theft. Its signature tells it from
a made-up one, so its row need not be kept for that, and a made-up token costs no query.

A token's successor is derived from it, so that the same one can be given again although no token is ever stored.
"""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256

from memberstaff.keyring import Key, Keyring

LONGEST = 256
"""Characters of a refresh token; ours have 129."""


class RefreshTokens:
    """Issues refresh tokens, and says which session one belongs to.

    A token is `KEY.SESSION.SECRET.SIGNATURE`, with the id of the key that signed it.
    """

    def __init__(self, keyring: Keyring) -> None:
        self._keys = keyring.keys("refresh tokens")

    def issue(self, session_id: str) -> str:
        """The first token of a session."""
        return self._signed(self._keys.current, session_id, secrets.token_urlsafe(32))

    def session_of(self, token: str) -> str | None:
        """The session of a token that we ever issued with a valid key; None for any other string."""
        if len(token) > LONGEST or not token.isascii():
            return None
        key = self._keys.find(token.partition(".")[0])
        payload, _, signature = token.rpartition(".")
        if key is None or not hmac.compare_digest(signature, _hmac(key, payload)):
            return None
        return payload.split(".")[1]

    def successors(self, token: str, used_at: datetime) -> Iterator[str]:
        """The successor of a valid token that was used at this instant, as each of the valid keys signs it.

        The current key's is first. Another one's was given by a process that has the secrets in another order.
        """
        key_id, session_id, *_ = token.split(".")
        key = self._keys.find(key_id)
        assert key is not None  # it is valid
        # Not what a signature is made of: nothing that was signed begins so.
        secret = _hmac(key, f"successor of {token} at {used_at.timestamp()}")
        for signing in self._keys:
            yield self._signed(signing, session_id, secret)

    def _signed(self, key: Key, session_id: str, secret: str) -> str:
        payload = f"{key.id}.{session_id}.{secret}"
        return f"{payload}.{_hmac(key, payload)}"


def _hmac(key: Key, text: str) -> str:
    return urlsafe_b64encode(hmac.digest(key.secret, text.encode(), sha256)).rstrip(b"=").decode()


def fingerprint(token: str) -> str:
    """The SHA-256 of a token, hexadecimal: all that is stored of it."""
    return sha256(token.encode()).hexdigest()
