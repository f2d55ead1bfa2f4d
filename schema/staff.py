"""Staff: search, create, update and import."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, TypeVar

import strawberry
from strawberry import Maybe
from strawberry.utils.str_converters import to_camel_case

from memberstaff.access import Right
from memberstaff.db import idempotency
from memberstaff.db.work import Work
from memberstaff.engine.limits import SIZED_BY
from memberstaff.errors import Refusal, Refusals
from memberstaff.inputs import UNSET, Unset
from memberstaff.staff import commands, importing, queries
from memberstaff.staff.commands import Details
from memberstaff.staff.importing import ImportAction, RowChange
from memberstaff.staff.queries import StaffPosition

from .context import Info
from .enums import describe
from .ids import staff_key
from .optional import value_or_unset
from .payloads import ERROR_FOR_EACH, MOST_LISTED, ONE_ERROR, InputError, UserError, listed
from .people import Staff
from .relay import After, First, PageInfo, page_cursor, page_size, parse_page_cursor
from .scalars import URL
from .scope import SEARCH, StaffScope, staff_filter


@strawberry.input(description="Filters a list of people: those who match every field that is given.")
class StaffFilter:
    """See `queries.StaffFilter`."""

    categories: list[str] | None = strawberry.field(
        default=None, description="Only people of these categories, spelt exactly as they are stored."
    )
    search: str | None = strawberry.field(default=None, description=SEARCH)
    on: dt.date | None = strawberry.field(default=None, description="Employed on this day. Default: today.")

    def to_filter(self, today: dt.date) -> queries.StaffFilter:
        """The queries' filter; raises Refusal."""
        return staff_filter(StaffScope(categories=self.categories), self.on or today, self.search)


@strawberry.type(description="A person in a page.")
class StaffEdge:
    """See the Relay Cursor Connections Specification."""

    cursor: str = strawberry.field(description="Cursor of this edge.")
    node: Staff = strawberry.field(description="The person.")


@strawberry.type(
    description="A page of the roster. Not live: refetch it when a day's `rosterVersion` rises, and after midnight."
)
class StaffConnection:
    """See the Relay Cursor Connections Specification."""

    edges: list[StaffEdge] = strawberry.field(description="Ordered by name.")
    page_info: PageInfo = strawberry.field(description="Where this page is in the list.")
    which: strawberry.Private[queries.StaffFilter]

    @strawberry.field(description="Number of matching people, on all pages, when this page was read.")
    async def total_count(self, info: Info) -> int:
        return await queries.count(await info.context.snapshot(), self.which)


T = TypeVar("T")


def _unset_if_null(value: T | None) -> T | Unset:
    """The input, or UNSET for null: the default or, in an import, the stored value."""
    return UNSET if value is None else value


@strawberry.input(
    description=(
        "A person to add to the roster. Null is as good as omitted: the default, or in an import of somebody who "
        "exists the stored value."
    )
)
class CreateStaffInput:
    """See `Details`."""

    name: str = strawberry.field(description="One line, up to 200 characters.")
    category: str | None = strawberry.field(
        default=None, description="Such as Teaching; one line, up to 200 characters. Default: none."
    )
    photo_url: URL | None = strawberry.field(default=None, description="A photo of the person. Default: none.")
    external_ref: str | None = strawberry.field(
        default=None, description="An id in another system; unique, and up to 200 characters. Default: none."
    )
    starts_on: dt.date | None = strawberry.field(default=None, description="First day of employment. Default: today.")
    ends_on: dt.date | None = strawberry.field(default=None, description="Last day of employment. Default: none.")

    def to_details(self) -> Details:
        """The domain's details."""
        return Details(
            name=self.name,
            category=_unset_if_null(self.category),
            photo_url=_unset_if_null(self.photo_url),
            external_ref=_unset_if_null(self.external_ref),
            starts_on=_unset_if_null(self.starts_on),
            ends_on=_unset_if_null(self.ends_on),
        )


@strawberry.input(
    description="Changes to a person. Omitted fields are not changed; null clears, and is INVALID where it cannot."
)
class UpdateStaffInput:
    """See `Details`."""

    id: strawberry.ID = strawberry.field(description="Id of the Staff.")
    name: Maybe[str | None] = strawberry.field(description="One line, up to 200 characters; null is INVALID.")
    category: Maybe[str | None] = strawberry.field(
        description="Such as Teaching; one line, up to 200 characters. Null or blank for none."
    )
    photo_url: Maybe[URL | None] = strawberry.field(description="A photo of the person. Null for none.")
    external_ref: Maybe[str | None] = strawberry.field(
        description="An id in another system; unique, and up to 200 characters. Null or blank for none."
    )
    starts_on: Maybe[dt.date | None] = strawberry.field(description="First day of employment; null is INVALID.")
    ends_on: Maybe[dt.date | None] = strawberry.field(description="Last day of employment; null for none.")
    expected_version: int | None = strawberry.field(
        default=None,
        description="VERSION_CONFLICT if the person has another version, and a value would change. Default: any.",
    )

    def to_details(self) -> Details:
        """The domain's details."""
        return Details(
            name=value_or_unset(self.name),
            category=value_or_unset(self.category),
            photo_url=value_or_unset(self.photo_url),
            external_ref=value_or_unset(self.external_ref),
            starts_on=value_or_unset(self.starts_on),
            ends_on=value_or_unset(self.ends_on),
        )


@strawberry.type(description="The person, or why they were not created or changed.")
class StaffPayload:
    """Returned by createStaff and updateStaff."""

    staff: Staff | None = strawberry.field(description="The person as stored; null if refused.")
    errors: list[UserError] = strawberry.field(description="Empty on success.", metadata=ONE_ERROR)


@strawberry.input(description="People to add or change, in one transaction.")
class ImportStaffInput:
    """Rows with an externalRef match people by it, others by name and category."""

    rows: list[CreateStaffInput] = strawberry.field(
        description="Up to 20,000. Omitted and null fields of existing people are not changed."
    )
    dry_run: bool = strawberry.field(default=False, description="Return a preview, and change nothing.")
    idempotency_key: strawberry.ID | None = strawberry.field(
        default=None, description="A request repeated with the same key within a day is not executed again."
    )


describe(
    ImportAction,
    name="StaffImportAction",
    description="What an import does with a row.",
    CREATED="The row adds a person.",
    UPDATED="The row changes a person.",
    UNCHANGED="The person has these values already.",
)


@strawberry.type(description="What an import would do with a row.")
class StaffImportChange:
    """See `RowChange`."""

    row: int = strawberry.field(description="Index of the row in the input, from 0.")
    action: ImportAction = strawberry.field(description="Never UNCHANGED; such rows are only counted.")
    name: str = strawberry.field(description="The person's name after the change.")
    fields: list[str] = strawberry.field(
        description="Names of the input fields that differ from the stored values, or from an empty person."
    )

    @classmethod
    def of(cls, change: RowChange) -> StaffImportChange:
        """From the domain's change of a row."""
        fields = [to_camel_case(column) for column in change.columns]
        return cls(row=change.row, action=change.action, name=change.name, fields=fields)


@strawberry.type(description="The result of an import, or why it was rejected.")
class ImportStaffPayload:
    """Returned by importStaff."""

    created: int = strawberry.field(description="Number of new people.")
    updated: int = strawberry.field(description="Number of people whose data changed.")
    unchanged: int = strawberry.field(description="Number of people whose data was up to date.")
    changes: list[StaffImportChange] = strawberry.field(
        description=f"In a dry run, the first {MOST_LISTED:,} rows that would change; otherwise empty."
    )
    errors: list[UserError] = strawberry.field(
        description=f"An error for each invalid row; empty on success. {ERROR_FOR_EACH}"
    )


@strawberry.type
class StaffQuery:
    """Root fields about people."""

    @strawberry.field(description="The roster, by name: everybody employed on a day, by default today.")
    async def staff(
        self,
        info: Info,
        filter: Annotated[
            StaffFilter | None, strawberry.argument(description="Default: everybody employed today.")
        ] = None,
        first: First = 50,
        after: After = None,
    ) -> StaffConnection | None:
        snapshot = await info.context.snapshot()
        which = (filter or StaffFilter()).to_filter(snapshot.today)
        place = parse_page_cursor(after, str, int)
        size = page_size(first, default=50)
        found = await queries.people(snapshot, which, first=size + 1, after=StaffPosition(*place) if place else None)
        edges = [
            StaffEdge(cursor=page_cursor(person.sort_key, person.id), node=Staff.of(person)) for person in found[:size]
        ]
        page = PageInfo.of([edge.cursor for edge in edges], after=after, more=len(found) > size)
        return StaffConnection(edges=edges, page_info=page, which=which)


@strawberry.type
class StaffMutation:
    """Root fields about people."""

    @strawberry.mutation(description="Add a person to the roster. Requires ADMIN.")
    async def create_staff(
        self, info: Info, input: Annotated[CreateStaffInput, strawberry.argument(description="The person.")]
    ) -> StaffPayload | None:
        try:
            async with info.context.work() as work:
                person = await commands.create(work, input.to_details())
        except Refusal as refusal:
            return StaffPayload(staff=None, errors=[InputError.of(refusal)])
        return StaffPayload(staff=Staff.of(person), errors=[])

    @strawberry.mutation(description="Change a person's data. Requires ADMIN.")
    async def update_staff(
        self,
        info: Info,
        input: Annotated[UpdateStaffInput, strawberry.argument(description="The person, and what to change.")],
    ) -> StaffPayload | None:
        try:
            async with info.context.work() as work:
                person = await commands.update_person(
                    work, staff_key(input.id), input.to_details(), expected_version=input.expected_version
                )
        except Refusal as refusal:
            return StaffPayload(staff=None, errors=[InputError.of(refusal)])
        return StaffPayload(staff=Staff.of(person), errors=[])

    @strawberry.mutation(
        description="Add or change many people in one transaction. Requires ADMIN.",
        metadata={SIZED_BY: ("input", "rows"), "page_limit": MOST_LISTED},
    )
    async def import_staff(
        self, info: Info, input: Annotated[ImportStaffInput, strawberry.argument(description="The people.")]
    ) -> ImportStaffPayload | None:
        try:
            async with info.context.work() as work:
                return await _import(work, input)
        except Refusals as refused:
            errors: list[UserError] = [InputError.of(refusal) for refusal in listed(refused.refusals, "rows")]
        except Refusal as refusal:
            errors = [InputError.of(refusal)]
        return ImportStaffPayload(created=0, updated=0, unchanged=0, changes=[], errors=errors)


async def _import(work: Work, input: ImportStaffInput) -> ImportStaffPayload:
    """Run an import, once for each idempotency key; a dry run ignores the key."""
    rows = [row.to_details() for row in input.rows]
    key = None if input.dry_run else input.idempotency_key
    if key is not None:
        work.require(Right.MANAGE_STAFF)
        earlier: dict[str, int] | None = await idempotency.claim(work, key, repr(rows))
        if earlier is not None:
            return ImportStaffPayload(**earlier, changes=[], errors=[])
    outcome = await importing.import_staff(work, rows, dry_run=input.dry_run)
    counts = {"created": outcome.created, "updated": outcome.updated, "unchanged": outcome.unchanged}
    if key is not None:
        await idempotency.store_answer(work, key, counts)  # without names, which would outlast a person's erasure
    changes = outcome.changes[:MOST_LISTED] if input.dry_run else ()
    return ImportStaffPayload(**counts, changes=[StaffImportChange.of(change) for change in changes], errors=[])
