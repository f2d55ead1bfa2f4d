"""Reasons of marks: the list that administrators keep."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import Maybe

from memberstaff import changes
from memberstaff.attendance import reasons
from memberstaff.attendance.reasons import LONGEST, MOST, ReasonDetails
from memberstaff.errors import Refusal

from .context import Info
from .ids import global_id, reason_key
from .optional import value_or_none
from .payloads import ONE_ERROR, InputError, UserError
from .relay import Node

NAME = f"One line, up to {LONGEST} characters, which no other reason has in any spelling."
FOR_VIEWERS = "Whether a VIEWER, who sees no notes, is shown it on records, and may be told why somebody is not there."


@strawberry.type(
    description=(
        "Why somebody is late or absent, chosen from a list. Not live: a day's `rosterVersion` rises when one is "
        "renamed, retired, or shown to VIEWERs or not."
    )
)
class Reason(Node):
    """A GraphQL type; the domain's is `changes.Reason`."""

    name: str = strawberry.field(description="As it is now, also on older marks.")
    is_for_viewers: bool = strawberry.field(description="Whether a VIEWER is shown it, who sees no notes.")
    is_retired: bool = strawberry.field(description="Whether it can be chosen no more. Where it was chosen, it stays.")

    @classmethod
    def of(cls, reason: changes.Reason) -> Reason:
        """From the domain's reason."""
        return cls(
            id=global_id("Reason", reason.id),
            name=reason.name,
            is_for_viewers=reason.for_viewers,
            is_retired=reason.retired,
        )


def shown_reason(reason: changes.Reason | None) -> Reason | None:
    """The reason of a record, if there is one."""
    return None if reason is None else Reason.of(reason)


@strawberry.input(description="A reason to create.")
class CreateReasonInput:
    """See `ReasonDetails`."""

    name: str = strawberry.field(description=NAME)
    is_for_viewers: bool = strawberry.field(default=False, description=f"{FOR_VIEWERS} Default: no.")


@strawberry.input(
    description="Changes to a reason. Omitted fields are not changed; null is INVALID, as none can be cleared."
)
class UpdateReasonInput:
    """See `ReasonDetails`."""

    id: strawberry.ID = strawberry.field(description="Id of the Reason.")
    name: Maybe[str | None] = strawberry.field(description=NAME)
    is_for_viewers: Maybe[bool | None] = strawberry.field(description=FOR_VIEWERS)
    is_retired: Maybe[bool | None] = strawberry.field(
        description="Whether it can be chosen no more. Where it was chosen, it stays."
    )

    def details(self) -> ReasonDetails:
        """The domain's details; raises Refusal."""
        given = {
            "name": value_or_none(self.name, "name"),
            "for_viewers": value_or_none(self.is_for_viewers, "isForViewers"),
            "retired": value_or_none(self.is_retired, "isRetired"),
        }
        return ReasonDetails(**{name: value for name, value in given.items() if value is not None})  # type: ignore[arg-type]


@strawberry.type(description="The reason, or why it was refused.")
class ReasonPayload:
    """Returned by createReason and updateReason."""

    reason: Reason | None = strawberry.field(description="As stored; null if refused.")
    errors: list[UserError] = strawberry.field(description="Empty on success.", metadata=ONE_ERROR)


@strawberry.type
class ReasonsQuery:
    """Root fields about reasons."""

    @strawberry.field(
        description=(
            "The reasons that can be chosen, by name; a VIEWER is shown those that are for VIEWERs. Not live: ask "
            "again before one is chosen."
        ),
        metadata={"list_size": MOST},
    )
    async def reasons(
        self,
        info: Info,
        include_retired: Annotated[
            bool, strawberry.argument(description="Whether to list those, too, that can be chosen no more.")
        ] = False,
    ) -> list[Reason] | None:
        found = await reasons.all_reasons(await info.context.snapshot())
        return [Reason.of(each) for each in found if include_retired or not each.retired]


@strawberry.type
class ReasonsMutation:
    """Root fields about reasons."""

    @strawberry.mutation(description=f"Add a reason, of which there are up to {MOST}. Requires ADMIN.")
    async def create_reason(
        self,
        info: Info,
        input: Annotated[CreateReasonInput, strawberry.argument(description="The reason.")],
    ) -> ReasonPayload | None:
        try:
            async with info.context.work() as work:
                details = ReasonDetails(name=input.name, for_viewers=input.is_for_viewers)
                created = await reasons.create(work, details)
        except Refusal as refusal:
            return ReasonPayload(reason=None, errors=[InputError.of(refusal)])
        return ReasonPayload(reason=Reason.of(created), errors=[])

    @strawberry.mutation(
        description=(
            "Rename a reason, show it to VIEWERs or not, retire it, or bring it back. All records show it so, older "
            "ones too. Requires ADMIN."
        )
    )
    async def update_reason(
        self,
        info: Info,
        input: Annotated[UpdateReasonInput, strawberry.argument(description="The reason, and what to change.")],
    ) -> ReasonPayload | None:
        try:
            async with info.context.work() as work:
                changed = await reasons.change(work, reason_key(input.id), input.details())
        except Refusal as refusal:
            return ReasonPayload(reason=None, errors=[InputError.of(refusal)])
        return ReasonPayload(reason=Reason.of(changed), errors=[])
