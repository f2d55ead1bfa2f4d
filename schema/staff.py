"""Staff: search, create and update."""

from __future__ import annotations

import datetime as dt
from typing import TypeVar

import strawberry
from strawberry import Maybe
from strawberry.utils.str_converters import to_camel_case

from memberstaff.access import Right
from memberstaff.db import idempotency
from memberstaff.db.work import Work
from memberstaff.errors import Refusal, Refusals
from memberstaff.inputs import UNSET, Unset
from memberstaff.staff import commands, importing, queries
from memberstaff.staff.commands import Details
from memberstaff.staff.importing import ImportAction, RowChange
from memberstaff.staff.queries import StaffPosition
from schema.context import Info
from schema.entities import Staff
from schema.ids import staff_key
from schema.optional import kept
from schema.payloads import InputError, UserError
from schema.relay import PageInfo, page_cursor, page_place, page_size
from schema.scope import StaffScope, staff_filter

MOST_PREVIEWED = 1_000
"""Rows of an import that a preview shows."""


@strawberry.input(description="Which people a list shows.")
class StaffFilter:
    """Omitted parts do not filter."""

    categories: list[str] | None = strawberry.field(default=None, description="Only these categories.")
    search: str | None = strawberry.field(
        default=None, description="Words that name or category contain, whatever their case and accents."
    )
    on: dt.date | None = strawberry.field(default=None, description="Employed on this day. Omitted: today.")

    def to_filter(self, today: dt.date) -> queries.StaffFilter:
        """As the queries take it; raises Refusal."""
        return staff_filter(StaffScope(categories=self.categories), self.on or today, self.search)


@strawberry.type(description="A person in a page.")
class StaffEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Of this edge.")
    node: Staff = strawberry.field(description="The person.")


@strawberry.type(description="A page of the roster.")
class StaffConnection:
    """Relay's connection."""

    edges: list[StaffEdge] = strawberry.field(description="By name.")
    page_info: PageInfo = strawberry.field(description="Where this page lies.")
    which: strawberry.Private[queries.StaffFilter]

    @strawberry.field(description="People that the filter finds, on all pages.")
    async def total_count(self, info: Info) -> int:
        """Counted only when it is asked for."""
        return await queries.count(await info.context.snapshot(), self.which)


T = TypeVar("T")


def _given(value: T | None) -> T | Unset:
    """What a new person's input says; nothing means the default, or in an import what is stored."""
    return UNSET if value is None else value


@strawberry.input(description="A person to add to the roster.")
class CreateStaffInput:
    """Omitted: no category, no photo, no reference, employed from today without an end."""

    name: str = strawberry.field(description="One line, up to 200 characters.")
    category: str | None = strawberry.field(default=None, description="Such as Teaching.")
    photo_url: str | None = strawberry.field(default=None, description="https, http, or a path on this server.")
    external_ref: str | None = strawberry.field(default=None, description="A number in another system; unique.")
    starts_on: dt.date | None = strawberry.field(default=None, description="First day. Omitted: today.")
    ends_on: dt.date | None = strawberry.field(default=None, description="Last day. Omitted: open.")

    def to_details(self) -> Details:
        """As the commands take it."""
        return Details(
            name=self.name,
            category=_given(self.category),
            photo_url=_given(self.photo_url),
            external_ref=_given(self.external_ref),
            starts_on=_given(self.starts_on),
            ends_on=_given(self.ends_on),
        )


@strawberry.input(description="Changes of a person: omitted fields stay, null clears.")
class UpdateStaffInput:
    """What is to change."""

    id: strawberry.ID = strawberry.field(description="Of the Staff.")
    name: Maybe[str | None] = strawberry.field(description="One line, up to 200 characters; null is INVALID.")
    category: Maybe[str | None] = strawberry.field(description="Such as Teaching.")
    photo_url: Maybe[str | None] = strawberry.field(description="https, http, or a path on this server.")
    external_ref: Maybe[str | None] = strawberry.field(description="A number in another system; unique.")
    starts_on: Maybe[dt.date | None] = strawberry.field(description="First day; null is INVALID.")
    ends_on: Maybe[dt.date | None] = strawberry.field(description="Last day; null: open.")
    expected_version: int | None = strawberry.field(
        default=None, description="Refuse with VERSION_CONFLICT when somebody else has changed the person since."
    )

    def to_details(self) -> Details:
        """As the commands take it."""
        return Details(
            name=kept(self.name),
            category=kept(self.category),
            photo_url=kept(self.photo_url),
            external_ref=kept(self.external_ref),
            starts_on=kept(self.starts_on),
            ends_on=kept(self.ends_on),
        )


@strawberry.type(description="A person, or why there is none.")
class StaffPayload:
    """What createStaff and updateStaff answer."""

    staff: Staff | None = strawberry.field(description="As stored now; null when refused.")
    errors: list[UserError] = strawberry.field(description="Empty when it succeeded.")


@strawberry.input(description="A roster: people to add or change, all of them or none.")
class ImportStaffInput:
    """Rows with an externalRef are matched by it, the others by name and category."""

    rows: list[CreateStaffInput] = strawberry.field(
        description="Up to 20,000. What a row leaves out stays as it is stored."
    )
    dry_run: bool = strawberry.field(default=False, description="Say what would happen, and change nothing.")
    idempotency_key: strawberry.ID | None = strawberry.field(
        default=None, description="Sent again with the same key within a day, the request does nothing anew."
    )


strawberry.enum(ImportAction, name="StaffImportAction", description="What an import does about one of its rows.")


@strawberry.type(description="What a dry run would do about a row.")
class StaffImportChange:
    """A line of a preview."""

    row: int = strawberry.field(description="Index among the input's rows, from 0.")
    action: ImportAction = strawberry.field(description="Never UNCHANGED here: such rows are only counted.")
    name: str = strawberry.field(description="Of the person, after the change.")
    fields: list[str] = strawberry.field(
        description="Names of the input's fields that differ from what is stored, or from a person without data."
    )

    @classmethod
    def of(cls, change: RowChange) -> StaffImportChange:
        """For a row."""
        fields = [to_camel_case(column) for column in change.columns]
        return cls(row=change.row, action=change.action, name=change.name, fields=fields)


@strawberry.type(description="What an import did, or why it did nothing.")
class ImportStaffPayload:
    """Counts of people."""

    created: int = strawberry.field(description="New people.")
    updated: int = strawberry.field(description="People whose data changed.")
    unchanged: int = strawberry.field(description="People who were stored like this already.")
    changes: list[StaffImportChange] = strawberry.field(
        description=f"The first {MOST_PREVIEWED:,} rows that a dry run would change; empty when it is none.",
        metadata={"list_size": MOST_PREVIEWED},
    )
    errors: list[UserError] = strawberry.field(description="Every bad row; empty when it succeeded.")


@strawberry.type
class StaffQuery:
    """The root's part about people."""

    @strawberry.field(description="The roster, by name.")
    async def staff(
        self, info: Info, filter: StaffFilter | None = None, first: int | None = 50, after: str | None = None
    ) -> StaffConnection:
        """A page of people."""
        snapshot = await info.context.snapshot()
        which = (filter or StaffFilter()).to_filter(snapshot.today)
        place = page_place(after, str, int)
        size = page_size(first, default=50)
        found = await queries.people(snapshot, which, first=size + 1, after=StaffPosition(*place) if place else None)
        edges = [
            StaffEdge(cursor=page_cursor(person.sort_key, person.id), node=Staff.of(person)) for person in found[:size]
        ]
        page = PageInfo.of([edge.cursor for edge in edges], after=after, more=len(found) > size)
        return StaffConnection(edges=edges, page_info=page, which=which)


@strawberry.type
class StaffMutation:
    """The root's part about people."""

    @strawberry.mutation(description="Add a person to the roster. For an ADMIN.")
    async def create_staff(self, info: Info, input: CreateStaffInput) -> StaffPayload:
        """One person."""
        try:
            async with info.context.work() as work:
                person = await commands.create(work, input.to_details())
        except Refusal as refusal:
            return StaffPayload(staff=None, errors=[InputError.of(refusal)])
        return StaffPayload(staff=Staff.of(person), errors=[])

    @strawberry.mutation(description="Change what is known of a person. For an ADMIN.")
    async def update_staff(self, info: Info, input: UpdateStaffInput) -> StaffPayload:
        """One person."""
        try:
            async with info.context.work() as work:
                person = await commands.update_person(
                    work, staff_key(input.id), input.to_details(), expected_version=input.expected_version
                )
        except Refusal as refusal:
            return StaffPayload(staff=None, errors=[InputError.of(refusal)])
        return StaffPayload(staff=Staff.of(person), errors=[])

    @strawberry.mutation(description="Add or change many people at once, all or none. For an ADMIN.")
    async def import_staff(self, info: Info, input: ImportStaffInput) -> ImportStaffPayload:
        """A roster."""
        try:
            async with info.context.work() as work:
                return await _import(work, input)
        except Refusals as refused:
            errors: list[UserError] = [InputError.of(refusal) for refusal in refused.refusals]
        except Refusal as refusal:
            errors = [InputError.of(refusal)]
        return ImportStaffPayload(created=0, updated=0, unchanged=0, changes=[], errors=errors)


async def _import(work: Work, input: ImportStaffInput) -> ImportStaffPayload:
    """Run an import once for its idempotency key; a dry run needs none."""
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
        await idempotency.store_answer(work, key, counts)  # without names: an erased person's would stay in it
    changes = outcome.changes[:MOST_PREVIEWED] if input.dry_run else ()
    return ImportStaffPayload(**counts, changes=[StaffImportChange.of(change) for change in changes], errors=[])
