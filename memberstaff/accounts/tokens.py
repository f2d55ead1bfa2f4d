"""Access tokens: short-lived JWTs that name a session. Rights are read from the account's row."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

import jwt

from memberstaff.errors import Unauthenticated
from memberstaff.keyring import Keyring

NAME = "memberstaff"
"""Issuer and audience of our own tokens."""
LONGEST_TOKEN = 8_192
"""Characters; an identity provider's tokens with many groups reach four thousand."""
LATEST_EXPIRY = 253_370_764_800
"""Unix seconds, the year 9999: beyond it neither Python nor a database has dates."""
ACCOUNT_ID = re.compile(r"[0-9]{1,18}")
"""Of `sub`: a number that fits a database's integer."""

_OWN: Any = {
    "require": ["exp", "aud", "iss", "sub", "sid"],
    # Checked here against the caller's clock, not by the library against its own.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class NoAccessReason(StrEnum):
    """Why a token gives no access; for programs, such as when choosing a socket's close code."""

    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105  a reason, not a secret
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105
    SESSION_EXPIRED = "SESSION_EXPIRED"
    SESSION_ENDED = "SESSION_ENDED"
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED"
    ROLE_UNKNOWN = "ROLE_UNKNOWN"


_MESSAGES = {
    NoAccessReason.TOKEN_EXPIRED: "The access token has expired. Refresh the session, or log in again.",
    NoAccessReason.TOKEN_INVALID: "The access token is not valid. Log in again.",
    NoAccessReason.SESSION_EXPIRED: "The session has expired. Log in again.",
    NoAccessReason.SESSION_ENDED: "The session has been ended. Log in again.",
    NoAccessReason.ACCOUNT_DISABLED: "The account has been disabled. Ask an administrator.",
    NoAccessReason.ROLE_UNKNOWN: "The account's role needs a later release than this server's. Connect again later.",
}


class NoAccess(Unauthenticated):
    """The token that was sent gives no access, or no longer.

    The reason is `extensions.reason` of the GraphQL error, so that a client knows whether to refresh.
    """

    def __init__(self, reason: NoAccessReason) -> None:
        super().__init__(_MESSAGES[reason])
        self.reason = reason
        self.extensions["reason"] = reason.value


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says: which session it belongs to, and when it expires.

    `issued_at` is set for an identity provider's tokens only, of which several belong to one session: ending it
    ends those that were issued up to then.
    """

    session_id: str
    account_id: int
    expires_at: datetime
    issued_at: datetime | None = None


class AccessTokens:
    """Issues and verifies our own tokens. `keyring` has the installation's secrets, the same on every node.

    `cached` verified tokens stay in memory, a few hundred bytes each.
    """

    def __init__(self, keyring: Keyring, *, cached: int = 10_000) -> None:
        self._keys = keyring.keys("access tokens")
        self._verified = lru_cache(cached)(self._verify)
        """A client sends the same token with each request; only valid ones are cached."""

    def issue(self, claims: Claims, *, now: datetime) -> str:
        """A signed token with these claims."""
        return jwt.encode(
            {
                "iss": NAME,
                "aud": NAME,
                "sub": str(claims.account_id),
                "sid": claims.session_id,
                "iat": int(now.timestamp()),
                # Rounded down: a token must not outlive its session by a fraction of a second.
                "exp": int(claims.expires_at.timestamp()),
            },
            self._keys.current.secret,
            algorithm="HS256",
            headers={"kid": self._keys.current.id},
        )

    def read(self, token: str, *, now: datetime) -> Claims:
        """Verify a token. Raises NoAccess if it is not ours, was tampered with or has expired."""
        claims = self._verified(token)
        if claims.expires_at <= now:
            raise NoAccess(NoAccessReason.TOKEN_EXPIRED)
        return claims

    def session_of(self, token: str) -> str | None:
        """The session of a token that we signed, expired or not; None for any other string."""
        try:
            return self._verified(token).session_id
        except NoAccess:
            return None

    def _verify(self, token: str) -> Claims:
        if len(token) > LONGEST_TOKEN:
            raise NoAccess(NoAccessReason.TOKEN_INVALID)
        try:
            key = self._keys.find(jwt.get_unverified_header(token).get("kid", ""))
            if key is None:
                raise NoAccess(NoAccessReason.TOKEN_INVALID)
            payload = jwt.decode(token, key.secret, algorithms=["HS256"], issuer=NAME, audience=NAME, options=_OWN)
        except (jwt.PyJWTError, ValueError, RecursionError):  # deep JSON exhausts the parser's stack
            raise NoAccess(NoAccessReason.TOKEN_INVALID) from None
        subject, session_id = payload["sub"], payload["sid"]
        if not isinstance(session_id, str) or not ACCOUNT_ID.fullmatch(subject):
            raise NoAccess(NoAccessReason.TOKEN_INVALID)
        return Claims(session_id, int(subject), instant(payload["exp"]))


def issuer(token: str) -> object:
    """The unverified `iss` of a token: good for choosing who verifies it, and for nothing else.

    Raises NoAccess if it is not a JWT.
    """
    if len(token) > LONGEST_TOKEN:
        raise NoAccess(NoAccessReason.TOKEN_INVALID)
    try:
        payload: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise NoAccess(NoAccessReason.TOKEN_INVALID) from None
    return payload.get("iss")


def instant(seconds: object) -> datetime:
    """A JWT's NumericDate as an instant in whole milliseconds. Raises NoAccess if it is not one."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise NoAccess(NoAccessReason.TOKEN_INVALID)
    if not 0 <= seconds < LATEST_EXPIRY:  # in this form it rejects NaN as well
        raise NoAccess(NoAccessReason.TOKEN_INVALID)
    return datetime.fromtimestamp(math.floor(seconds * 1000) / 1000, UTC)
