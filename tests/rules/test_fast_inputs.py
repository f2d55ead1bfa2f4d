"""Inputs that are built quickly are those that Strawberry builds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from strawberry.types.arguments import convert_argument

from memberstaff.changes import Status
from memberstaff.engine.fast_inputs import definition
from memberstaff.engine.limits import Limits
from schema.mark_inputs import AttendanceEntryInput, AttendanceTarget, StaffDateInput, UpdateAttendanceInput
from schema.root import make_schema

QUICK = (AttendanceEntryInput, AttendanceTarget, StaffDateInput, UpdateAttendanceInput)
SCHEMA = make_schema(Limits())

ids, notes, versions = st.text(max_size=5), st.none() | st.text(max_size=5), st.none() | st.integers()
staff_date = st.fixed_dictionaries({"staffId": ids, "date": st.dates()})
target = st.fixed_dictionaries({"id": ids}) | st.fixed_dictionaries({"staffDate": staff_date})
instants = st.none() | st.datetimes(timezones=st.just(UTC))
statuses = st.sampled_from(Status)
update = st.fixed_dictionaries(
    {"target": target},
    optional={
        "status": st.none() | statuses,
        "note": notes,
        "photoUrl": notes,
        "arrivedAt": instants,
        "leftAt": instants,
        "occurredAt": instants,
        "expectedVersion": versions,
        "clientMutationId": notes,
    },
)
entry = st.fixed_dictionaries(
    {"staffId": ids, "status": statuses},
    optional={
        "note": notes,
        "photoUrl": notes,
        "arrivedAt": instants,
        "leftAt": instants,
        "occurredAt": instants,
        "expectedVersion": versions,
    },
)


def built(input_type: type, value: dict[str, Any]) -> Any:
    """The input as a resolver gets it, from what graphql-core has coerced."""
    converter = SCHEMA.schema_converter
    return convert_argument(value, input_type, converter.scalar_registry, SCHEMA.config)


@contextmanager
def by_strawberry() -> Iterator[None]:
    """Without what is tested here."""
    quick = {each: definition(each).from_input for each in QUICK}
    for each in QUICK:
        definition(each).from_input = None
    try:
        yield
    finally:
        for each, build in quick.items():
            definition(each).from_input = build


def test_all_of_them_are_built_quickly() -> None:
    assert None not in [definition(each).from_input for each in QUICK]


@given(update)
def test_a_mark_is_what_strawberry_makes_of_it(value: dict[str, Any]) -> None:
    with by_strawberry():
        expected = built(UpdateAttendanceInput, value)
    assert built(UpdateAttendanceInput, value) == expected


@given(entry)
def test_an_entry_is_what_strawberry_makes_of_it(value: dict[str, Any]) -> None:
    with by_strawberry():
        expected = built(AttendanceEntryInput, value)
    assert built(AttendanceEntryInput, value) == expected


def test_what_is_omitted_is_told_from_null() -> None:
    who = {"staffDate": {"staffId": "x", "date": date(2026, 1, 12)}}
    omitted, null = (built(UpdateAttendanceInput, {"target": who, **more}) for more in ({}, {"note": None}))
    assert (omitted.note, omitted.status) == (None, None)
    assert null.note.value is None
