"""A change that breaks clients is noticed, unless it was decided and written down."""

from __future__ import annotations

import pytest

from tests.contract.breaking import RECORD, RELEASED, ROOT, complaints

PERSON = "type Query { person: Person } enum Status { IN OUT } type Person { name: String! fax: String status: Status }"
RECORDED = """[[accepted]]
change = "Field Person.fax was removed."
reason = "Nobody sends one."
client = "Do not select it."
"""


@pytest.mark.parametrize(
    ("was", "now", "told"),
    [
        ("fax: String ", "", "Field Person.fax was removed."),
        ("name: String!", "name: String", "Field Person.name changed type from String! to String."),
        ("IN OUT", "IN", "Enum value Status.OUT was removed."),
        (
            "person: Person",
            "person(id: ID!): Person",
            "A required argument Query.person(id:) was added.",
        ),
    ],
)
def test_a_change_that_breaks_clients_fails(was: str, now: str, told: str) -> None:
    assert complaints(PERSON, PERSON.replace(was, now), "") == [f"Breaks clients, and is not recorded: {told}"]


@pytest.mark.parametrize(
    ("was", "now"),
    [("fax: String", "fax: String phone: String"), ("IN OUT", "IN OUT AWAY"), ("fax: String", "fax: String!")],
)
def test_a_change_that_breaks_nobody_passes(was: str, now: str) -> None:
    assert complaints(PERSON, PERSON.replace(was, now), "") == []


def test_a_recorded_change_passes() -> None:
    assert complaints(PERSON, PERSON.replace("fax: String ", ""), RECORDED) == []


def test_a_record_that_does_not_say_what_a_client_has_to_do_fails() -> None:
    record = RECORDED.replace('client = "Do not select it."', "")
    assert complaints(PERSON, PERSON.replace("fax: String ", ""), record) == [
        "Recorded without what a client has to do: Field Person.fax was removed."
    ]


def test_a_record_of_what_was_not_changed_fails_and_so_does_one_without_a_reason() -> None:
    assert complaints(PERSON, PERSON, RECORDED.replace("Nobody sends one.", " ")) == [
        "Recorded, but not a change that was made: Field Person.fax was removed.",
        "Recorded without a reason: Field Person.fax was removed.",
    ]


def test_this_schema_breaks_nothing_that_is_not_recorded() -> None:
    current = (ROOT / "schema.graphql").read_text()
    assert complaints(RELEASED.read_text(), current, RECORD.read_text()) == []
