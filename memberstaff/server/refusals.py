"""How a request that is refused is answered over HTTP: with which status, and when to come back."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from memberstaff.errors import RequestErrorCode

STATUS = {
    RequestErrorCode.UNAUTHENTICATED: 401,
    RequestErrorCode.FORBIDDEN: 403,
    RequestErrorCode.RESTART_REQUIRED: 409,
    RequestErrorCode.RATE_LIMITED: 429,
    RequestErrorCode.UNAVAILABLE: 503,
    RequestErrorCode.INTERNAL: 500,
}
"""HTTP status of what did not run, by the code of its error."""

FOR_NOW = frozenset({429, 503})
"""Statuses of what may be accepted later, which always have a Retry-After (RFC 9110, section 10.2.3)."""
RETRY_SECONDS = 5
"""After which to come back, where nothing else says it."""


def retry_after(extensions: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """The header Retry-After, if one of the errors with these extensions says when to try again: the longest."""
    seconds = [each["retryAfter"] for each in extensions if "retryAfter" in each]
    return {"Retry-After": str(max(seconds))} if seconds else {}
