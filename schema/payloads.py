"""What a mutation answers when the input was refused: `errors`, each with a code, words, and where it lies."""

from __future__ import annotations

import strawberry

from memberstaff.errors import ErrorCode, Refusal

strawberry.enum(ErrorCode, name="ErrorCode", description="Why an input was refused.")


@strawberry.interface(description="One thing that is wrong with the input.")
class UserError:
    """Something the person who sent the input can mend."""

    code: ErrorCode = strawberry.field(description="For programs.")
    message: str = strawberry.field(description="For people.")
    path: list[str] = strawberry.field(description="Where it lies in the input.")


@strawberry.type(description="An input that cannot be used as it is.")
class InputError(UserError):
    """The plain kind."""

    @classmethod
    def of(cls, refusal: Refusal) -> InputError:
        """For a refusal."""
        return cls(code=refusal.code, message=refusal.message, path=list(refusal.path))
