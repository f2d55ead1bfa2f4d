"""People, as GraphQL shows them."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Annotated

import strawberry

from memberstaff.errors import RequestError, RequestErrorCode
from memberstaff.staff.model import Person

from .context import Info
from .ids import global_id
from .relay import Node
from .scalars import URL

if TYPE_CHECKING:
    from .entities import Attendance

ERASED_NAME = "Unknown"
"""The name of an erased person."""

NO_CATEGORY = "Staff"
"""The category of a person without one."""

LONGEST_SPAN = 92
"""Days in a person's attendance or a report: a quarter."""


@strawberry.type(
    description=(
        "A person whose attendance is recorded. Not live: refetch when a day's `rosterVersion` rises, which is with "
        "each change to anybody."
    )
)
class Staff(Node):
    """See `Person`."""

    name: str = strawberry.field(description='"Unknown" once the person has been erased.')
    category: str = strawberry.field(description='"Staff" when no category is set.')
    photo_url: URL | None = strawberry.field(description="A photo of the person.")
    external_ref: str | None = strawberry.field(description="The person's id in another system.")
    starts_on: dt.date = strawberry.field(
        description="First day of employment. A day's roster is everybody employed on it; other records stay readable."
    )
    ends_on: dt.date | None = strawberry.field(description="Last day of employment; null if none is known.")
    version: int = strawberry.field(description="Rises with each change; send it as `expectedVersion`.")
    number: strawberry.Private[int]

    @strawberry.field(
        description=(
            f"Marked records from one day to another, by date; at most {LONGEST_SPAN} days. The list is not live: "
            "a first mark adds no record to it until you refetch."
        ),
        metadata={"list_size": LONGEST_SPAN},
    )
    async def attendance(
        self,
        info: Info,
        from_: Annotated[dt.date, strawberry.argument(name="from", description="The first day.")],
        to: Annotated[dt.date, strawberry.argument(description="The last day.")],
    ) -> list[Annotated[Attendance, strawberry.lazy(".entities")]]:
        from .entities import Attendance  # which imports this module

        if not 0 <= (to - from_).days < LONGEST_SPAN:
            raise RequestError(
                RequestErrorCode.BAD_REQUEST, f"Select 1 to {LONGEST_SPAN} days, with `from` not after `to`."
            )
        day = await info.context.load.day.load(to)
        found = await info.context.load.marked(from_, to).load(self.number)
        return [Attendance.of(record, day) for record in found]

    @classmethod
    def of(cls, person: Person) -> Staff:
        """From the domain's person."""
        return cls(
            id=global_id("Staff", person.id),
            name=person.name or ERASED_NAME,
            category=person.category or NO_CATEGORY,
            photo_url=URL(person.photo_url) if person.photo_url else None,
            external_ref=person.external_ref,
            starts_on=person.starts_on,
            ends_on=person.ends_on,
            version=person.version,
            number=person.id,
        )
