"""Errors about the input of a mutation, in the `errors` of its payload."""

from __future__ import annotations

import strawberry

from memberstaff.errors import ErrorCode, Refusal

strawberry.enum(ErrorCode, name="ErrorCode", description="Why an input was rejected.")


@strawberry.interface(description="An error in the input of a mutation.")
class UserError:
    """From a `Refusal`."""

    code: ErrorCode = strawberry.field(description="For programs.")
    message: str = strawberry.field(description="For people.")
    path: list[str] = strawberry.field(description="Where the error is in the input.")


@strawberry.type(description="An invalid input.")
class InputError(UserError):
    """Every error but a version conflict."""

    @classmethod
    def of(cls, refusal: Refusal) -> InputError:
        """From a refusal."""
        return cls(code=refusal.code, message=refusal.message, path=list(refusal.path))
