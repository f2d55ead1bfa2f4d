"""Errors about the input of a mutation, in the `errors` of its payload."""

from __future__ import annotations

from collections.abc import Sequence

import strawberry

from memberstaff import metrics
from memberstaff.errors import ErrorCode, Refusal

from .enums import describe

MOST_LISTED = 1_000
"""Items of each list in a payload, however many the input has."""

ONE_ERROR = {"list_size": 1}
"""Metadata of the `errors` of a payload that tells only what is wrong first."""

ERROR_FOR_EACH = f"Of more than {MOST_LISTED:,}, the last one, LIMIT_EXCEEDED, says how many are left out."

describe(
    ErrorCode,
    name="ErrorCode",
    description="Why an input was rejected. Later versions may add values: treat an unknown one like INVALID.",
    INVALID="A value cannot be stored; the message says why.",
    NOT_FOUND="There is nobody and nothing with this id.",
    VERSION_CONFLICT="Somebody else changed it first: it no longer has the `expectedVersion`.",
    DAY_LOCKED="The day is locked and takes no marks.",
    FUTURE_DATE="The day is in the future: only leave can be recorded in advance, and it cannot be locked yet.",
    OUTSIDE_DAY="The time is not of that day, which for this ends sixteen hours after its midnight.",
    LEFT_BEFORE_ARRIVED="The person would leave before they come.",
    CLOCK_AHEAD="`occurredAt` is more than a minute ahead of the server's clock, which the error's `serverTime` tells.",
    TOO_LATE="`occurredAt` is longer ago than a mark may come late.",
    STAFF_INACTIVE="The person is not employed on that day.",
    DUPLICATE="It exists already, or occurs twice in the request.",
    LIMIT_EXCEEDED="The request contains too much; the message names the limit.",
    BAD_CREDENTIALS="The email address, the password or the token is wrong, or the account is disabled.",
)


@strawberry.interface(description="An error in the input of a mutation.")
class UserError:
    """From a `Refusal`."""

    code: ErrorCode = strawberry.field(description="For programs.")
    message: str = strawberry.field(description="For people, in English.")
    path: list[str] = strawberry.field(description='Where the error is in the input, such as ["entries", "3", "note"].')

    def __post_init__(self) -> None:
        metrics.REFUSALS.labels(self.code.value).inc()


@strawberry.type(description="An invalid input.")
class InputError(UserError):
    """Every error but a version conflict."""

    @classmethod
    def of(cls, refusal: Refusal) -> InputError:
        """From a refusal."""
        return cls(code=refusal.code, message=refusal.message, path=list(refusal.path))


def listed(refusals: Sequence[Refusal], where: str) -> Sequence[Refusal]:
    """As many of them as a payload tells; the last one then counts the others, at this path in the input."""
    if len(refusals) <= MOST_LISTED:
        return refusals
    shown = refusals[: MOST_LISTED - 1]
    left = len(refusals) - len(shown)
    message = f"{left:,} more are wrong. Up to {MOST_LISTED:,} errors are listed: send fewer at once."
    return [*shown, Refusal(ErrorCode.LIMIT_EXCEEDED, message, where)]
