"""What can go wrong, in words for the people who meet it.

A `Refusal` is about the input and becomes an entry of a payload's `errors`; a `RequestError` is about the caller or
the server and becomes a top-level GraphQL error with `extensions.code`.
"""

from __future__ import annotations

from enum import StrEnum
from math import ceil
from typing import Any


class ErrorCode(StrEnum):
    """Why an input was refused."""

    INVALID = "INVALID"
    NOT_FOUND = "NOT_FOUND"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    DAY_LOCKED = "DAY_LOCKED"
    FUTURE_DATE = "FUTURE_DATE"
    STAFF_INACTIVE = "STAFF_INACTIVE"
    DUPLICATE = "DUPLICATE"
    LIMIT_EXCEEDED = "LIMIT_EXCEEDED"
    BAD_CREDENTIALS = "BAD_CREDENTIALS"


class Refusal(Exception):
    """One thing that is wrong with the input: `message` says what to do, `path` where it is in the input."""

    def __init__(self, code: ErrorCode, message: str, *path: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.path = path

    def under(self, *prefix: str) -> Refusal:
        """The same refusal, for an input nested deeper in the request."""
        self.path = (*prefix, *self.path)
        return self


class Refusals(Exception):
    """The whole request was refused, for all of these reasons; nothing was stored."""

    def __init__(self, *refusals: Refusal) -> None:
        super().__init__("; ".join(refusal.message for refusal in refusals))
        self.refusals = refusals


class RequestErrorCode(StrEnum):
    """Why a request as a whole failed."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    RATE_LIMITED = "RATE_LIMITED"
    RESTART_REQUIRED = "RESTART_REQUIRED"
    UNAVAILABLE = "UNAVAILABLE"
    BAD_REQUEST = "BAD_REQUEST"
    INTERNAL = "INTERNAL"


class RequestError(Exception):
    """The request as a whole failed: `code` is the reason for programs, `message` for people."""

    def __init__(self, code: RequestErrorCode, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.extensions = extensions


class Unauthenticated(RequestError):
    """Nobody is logged in, or not any longer."""

    def __init__(self, message: str = "Log in first: this needs a valid access token.") -> None:
        super().__init__(RequestErrorCode.UNAUTHENTICATED, message)


class Forbidden(RequestError):
    """The caller's role does not allow this."""

    def __init__(self, message: str) -> None:
        super().__init__(RequestErrorCode.FORBIDDEN, message)


class RateLimited(RequestError):
    """Too many requests; `retryAfter` (seconds) says when to try again."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(RequestErrorCode.RATE_LIMITED, message, retryAfter=max(1, ceil(retry_after)))


class Unavailable(RequestError):
    """The server cannot do it at this moment; `retryAfter` (seconds) says when to try again.

    Of a change, `applied` says whether it was stored: False, or None when nobody knows.
    """

    def __init__(self, message: str, retry_after: float = 1, **extensions: bool | None) -> None:
        super().__init__(RequestErrorCode.UNAVAILABLE, message, retryAfter=max(1, ceil(retry_after)), **extensions)


class RestartRequired(RequestError):
    """The feed cannot guarantee that nothing was missed: query the day again and subscribe from its cursor."""

    def __init__(self, why: str) -> None:
        super().__init__(
            RequestErrorCode.RESTART_REQUIRED,
            f"{why} Query the day again and subscribe from the feedCursor in its answer.",
        )
