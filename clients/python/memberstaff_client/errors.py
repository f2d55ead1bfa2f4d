"""What can go wrong. The text of each error is a sentence for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from memberstaff_client.records import Record

INTERNAL = "INTERNAL"
"""The code of what nobody foresaw."""
UNAUTHENTICATED = "UNAUTHENTICATED"
"""The code of a token that is not taken."""

LONGEST_SECONDS = 86_400.0
"""That anybody is asked to wait; more is a mistake."""


class AttendanceError(Exception):
    """The base of all errors of this package."""


class LoginRefused(AttendanceError):
    """The email or the password is wrong, or the account is disabled."""


class SessionEnded(AttendanceError):
    """The login has ended, and there is no password to log in again with."""


class RequestRefused(AttendanceError):
    """The server did not do what was asked.

    `code` is one of the enum `ErrorCode` of the schema, or of the codes in the server's docs/clients.md; there will be
    more. `path` is where the error is in the input, or in the answer. `data` is what was answered all the same.
    """

    def __init__(
        self,
        message: str,
        code: str,
        *,
        path: Sequence[str | int] = (),
        extensions: Mapping[str, Any] | None = None,
        data: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.path = tuple(path)
        self.extensions = dict(extensions or {})
        self.data = dict(data or {})


class VersionConflict(RequestRefused):
    """Somebody else has changed the record: `current` is what it is now."""

    def __init__(self, message: str, code: str, *, current: Record, path: Sequence[str | int] = ()) -> None:
        super().__init__(message, code, path=path)
        self.current = current


class RateLimited(RequestRefused):
    """Too many requests: try again in `retry_after` seconds, or with fewer at once if it is None."""

    @property
    def retry_after(self) -> float | None:
        """Seconds."""
        return seconds(self.extensions)


class Unavailable(RequestRefused):
    """The server cannot be reached, or cannot do it now: try again, in `retry_after` seconds if it is known.

    Of a mutation, `applied` is False when nothing was stored, True when it was stored and only the answer could not be
    read, and None when nobody knows. Send `expected_version` or an idempotency key again, and nothing is done twice.
    """

    @property
    def retry_after(self) -> float | None:
        """Seconds."""
        return seconds(self.extensions)

    @property
    def applied(self) -> bool | None:
        """Whether a mutation was stored."""
        if self.path and self.data.get(str(self.path[0])) is not None:
            return True
        applied: bool | None = self.extensions.get("applied")
        return applied


def seconds(extensions: Mapping[str, Any]) -> float | None:
    """When to try again, if it says so."""
    after = extensions.get("retryAfter")
    return float(min(after, LONGEST_SECONDS)) if isinstance(after, int | float) and after >= 0 else None
