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
    OUTSIDE_DAY = "OUTSIDE_DAY"
    LEFT_BEFORE_ARRIVED = "LEFT_BEFORE_ARRIVED"
    CLOCK_AHEAD = "CLOCK_AHEAD"
    TOO_LATE = "TOO_LATE"
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


class RolledBack(Exception):
    """Raised in a transaction that is to leave nothing behind, although nothing is wrong."""


class RequestErrorCode(StrEnum):
    """Why a request as a whole failed."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    RATE_LIMITED = "RATE_LIMITED"
    RESTART_REQUIRED = "RESTART_REQUIRED"
    UNAVAILABLE = "UNAVAILABLE"
    BAD_REQUEST = "BAD_REQUEST"
    PERSISTED_QUERY_NOT_SUPPORTED = "PERSISTED_QUERY_NOT_SUPPORTED"
    INTERNAL = "INTERNAL"


class BadRequestReason(StrEnum):
    """What is wrong with a request whose code is BAD_REQUEST, as far as clients do different things about it."""

    MALFORMED_REQUEST = "MALFORMED_REQUEST"
    """It is not a GraphQL request, or does not say which operation to run."""
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    OPERATION_TOO_LARGE = "OPERATION_TOO_LARGE"
    """Too long, too deep, or with too many fields, aliases or directives."""
    OPERATION_TOO_EXPENSIVE = "OPERATION_TOO_EXPENSIVE"
    """It could return too many objects; `cost` and `limit` say how many, and how many are allowed."""
    BAD_USER_INPUT = "BAD_USER_INPUT"
    """A value is wrong: of a variable, of an argument, or a string in the document."""


class RequestError(Exception):
    """The request as a whole failed: `code` is the reason for programs, `message` for people.

    A BAD_REQUEST has a `reason` too; without one, it is BAD_USER_INPUT.
    """

    def __init__(self, code: RequestErrorCode, message: str, **extensions: Any) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        if code is RequestErrorCode.BAD_REQUEST:
            extensions.setdefault("reason", BadRequestReason.BAD_USER_INPUT.value)
        self.extensions = extensions

    @property
    def formatted(self) -> dict[str, Any]:
        """The error as in the GraphQL specification."""
        return {"message": self.message, "extensions": {"code": self.code.value, **self.extensions}}


class BadRequest(RequestError):
    """The request is wrong, and would be wrong again."""

    def __init__(self, message: str, reason: BadRequestReason = BadRequestReason.BAD_USER_INPUT) -> None:
        super().__init__(RequestErrorCode.BAD_REQUEST, message, reason=reason.value)


class TooExpensive(RequestError):
    """It would return `cost` objects, and may return `limit`."""

    def __init__(self, message: str, *, cost: int, limit: int) -> None:
        reason = BadRequestReason.OPERATION_TOO_EXPENSIVE.value
        super().__init__(RequestErrorCode.BAD_REQUEST, message, reason=reason, cost=cost, limit=limit)


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


class PersistedQueryNotSupported(RequestError):
    """The request has a document's hash in its place; at this message, clients send the document."""

    def __init__(self) -> None:
        super().__init__(RequestErrorCode.PERSISTED_QUERY_NOT_SUPPORTED, "PersistedQueryNotSupported")


class RestartRequired(RequestError):
    """The feed cannot guarantee that nothing was missed: query the day again and subscribe from its cursor."""

    def __init__(self, why: str) -> None:
        super().__init__(
            RequestErrorCode.RESTART_REQUIRED,
            f"{why} Query the day again and subscribe from the feedCursor in its answer.",
        )
