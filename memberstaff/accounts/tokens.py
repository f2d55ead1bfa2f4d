"""Access tokens: short-lived JWTs that name a session. What it may do is read from the account's row."""

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

NAME = "memberstaff"
"""Issuer and audience of our own tokens."""
LONGEST_TOKEN = 8_192
"""Characters; an issuer's tokens with many groups reach four thousand."""
LATEST_EXPIRY = 253_370_764_800
"""Unix seconds, the year 9999: what lies beyond is no date to Python or to a database."""
ACCOUNT_ID = re.compile(r"[0-9]{1,18}")
"""What `sub` holds: a number that a database's integer can hold."""

_OWN: Any = {
    "require": ["exp", "aud", "iss", "sub", "sid"],
    # Checked here against the caller's clock, not against the library's own.
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
}


class Why(StrEnum):
    """Why a token does not let anybody in; for programs, such as the choice of a socket's close code."""

    TOKEN_EXPIRED = "TOKEN_EXPIRED"  # noqa: S105  a reason, not a secret
    TOKEN_INVALID = "TOKEN_INVALID"  # noqa: S105
    SESSION_EXPIRED = "SESSION_EXPIRED"
    SESSION_ENDED = "SESSION_ENDED"
    ACCOUNT_DISABLED = "ACCOUNT_DISABLED"


_MESSAGES = {
    Why.TOKEN_EXPIRED: "The access token has expired. Refresh the session, or log in again.",
    Why.TOKEN_INVALID: "The access token is not valid. Log in again.",
    Why.SESSION_EXPIRED: "The session has expired. Log in again.",
    Why.SESSION_ENDED: "The session has been ended. Log in again.",
    Why.ACCOUNT_DISABLED: "The account has been disabled. Ask an administrator.",
}


class NoAccess(Unauthenticated):
    """A token was sent that does not let anybody in, or no longer: `why` says it to a program.

    It stands in the GraphQL error as `extensions.reason`, so that a client knows whether to refresh.
    """

    def __init__(self, why: Why) -> None:
        super().__init__(_MESSAGES[why])
        self.why = why
        self.extensions["reason"] = why.value


@dataclass(frozen=True, slots=True)
class Claims:
    """What a verified token says: which session it belongs to, and until when it is good.

    `issued_at` is known for tokens of an outside issuer only, where several belong to one session: ending
    it ends those that were issued up to then.
    """

    session_id: str
    account_id: int
    expires_at: datetime
    issued_at: datetime | None = None


MOST_REMEMBERED = 10_000
"""Verified tokens in memory, a few hundred bytes each."""


class AccessTokens:
    """Makes and reads our own tokens. `key` is the installation's secret, the same on every node."""

    def __init__(self, key: str) -> None:
        self._key = key
        self._verified = lru_cache(MOST_REMEMBERED)(self._verify)
        """A client sends the same token with each request; only good ones are remembered."""

    def issue(self, claims: Claims, *, now: datetime) -> str:
        """A signed token that says this."""
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
            self._key,
            algorithm="HS256",
        )

    def read(self, token: str, *, now: datetime) -> Claims:
        """What the token says. Raises NoAccess when it is not ours, was tampered with or has expired."""
        claims = self._verified(token)
        if claims.expires_at <= now:
            raise NoAccess(Why.TOKEN_EXPIRED)
        return claims

    def _verify(self, token: str) -> Claims:
        if len(token) > LONGEST_TOKEN:
            raise NoAccess(Why.TOKEN_INVALID)
        try:
            said = jwt.decode(token, self._key, algorithms=["HS256"], issuer=NAME, audience=NAME, options=_OWN)
        except (jwt.PyJWTError, ValueError, RecursionError):  # deep JSON exhausts the parser's stack
            raise NoAccess(Why.TOKEN_INVALID) from None
        subject, session_id = said["sub"], said["sid"]
        if not isinstance(session_id, str) or not ACCOUNT_ID.fullmatch(subject):
            raise NoAccess(Why.TOKEN_INVALID)
        return Claims(session_id, int(subject), instant(said["exp"]))


def issuer(token: str) -> object:
    """The `iss` that an unverified token claims: good for choosing who verifies it, and for nothing else.

    Raises NoAccess when it is no JWT at all.
    """
    if len(token) > LONGEST_TOKEN:
        raise NoAccess(Why.TOKEN_INVALID)
    try:
        said: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, RecursionError):
        raise NoAccess(Why.TOKEN_INVALID) from None
    return said.get("iss")


def instant(seconds: object) -> datetime:
    """A JWT's NumericDate as an instant, whole milliseconds. Raises NoAccess when it is none."""
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise NoAccess(Why.TOKEN_INVALID)
    if not 0 <= seconds < LATEST_EXPIRY:  # so written, it refuses NaN as well
        raise NoAccess(Why.TOKEN_INVALID)
    return datetime.fromtimestamp(math.floor(seconds * 1000) / 1000, UTC)
