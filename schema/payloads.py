"""Errors about the input of a mutation, in the `errors` of its payload."""

from __future__ import annotations

import strawberry

from memberstaff.errors import ErrorCode, Refusal

from .enums import describe

describe(
    ErrorCode,
    name="ErrorCode",
    description="Why an input was rejected. Later versions may add values: treat an unknown one like INVALID.",
    INVALID="A value cannot be stored; the message says why.",
    NOT_FOUND="There is nobody and nothing with this id.",
    VERSION_CONFLICT="Somebody else changed it first: it no longer has the `expectedVersion`.",
    DAY_LOCKED="The day is locked and takes no marks.",
    FUTURE_DATE="The day is in the future: only leave can be recorded in advance, and it cannot be locked yet.",
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


@strawberry.type(description="An invalid input.")
class InputError(UserError):
    """Every error but a version conflict."""

    @classmethod
    def of(cls, refusal: Refusal) -> InputError:
        """From a refusal."""
        return cls(code=refusal.code, message=refusal.message, path=list(refusal.path))
