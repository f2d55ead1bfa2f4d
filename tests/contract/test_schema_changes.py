"""A change that breaks clients is noticed, unless it was decided and written down; a page tells of all of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools import schema_changes
from tools.schema_changes import PAGE, RECORD, RELEASED, SCHEMA, complaints, page, section

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
    [("fax: String", "fax: String phone: String"), ("fax: String", "fax: String!")],
)
def test_a_change_that_breaks_nobody_passes(was: str, now: str) -> None:
    assert complaints(PERSON, PERSON.replace(was, now), "") == []


def test_an_enum_grows_if_the_released_one_has_said_so_and_breaks_clients_otherwise() -> None:
    announced = PERSON.replace("enum", '"Later versions may add values: show its name." enum')
    for now in (PERSON, announced):
        more = now.replace("IN OUT", "IN OUT AWAY")
        assert complaints(announced, more, "") == []
        told = ["Breaks clients, and is not recorded: Enum value Status.AWAY was added."]
        assert complaints(PERSON, more, "") == told


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


BEHAVIOUR = """[[behaviour]]
of = "Person.name"
change = "The family name comes first."
reason = "Lists are sorted by it."
client = "Show it as it is."
"""


def test_what_the_schemas_do_not_show_is_recorded_by_hand_and_told_with_the_rest() -> None:
    assert complaints(PERSON, PERSON, BEHAVIOUR) == []
    told = """### Clients must change

- Show it as it is.

  Why: Lists are sorted by it.

  - `Person.name`: The family name comes first."""
    assert section(PERSON, PERSON, BEHAVIOUR) == told
    both = section(PERSON, NOW, RECORDED + BEHAVIOUR)
    assert both.startswith(TOLD.partition("\n\n### Deprecated")[0] + told.removeprefix("### Clients must change"))


@pytest.mark.parametrize("part", ["Status", "Status.IN", "Query.person"])
def test_what_is_recorded_by_hand_is_of_any_part_of_the_schema(part: str) -> None:
    assert complaints(PERSON, PERSON, BEHAVIOUR.replace("Person.name", part)) == []


@pytest.mark.parametrize(
    ("line", "now", "told"),
    [
        ('of = "Person.name"', 'of = "Person.surname"', "Recorded of what is not in both schemas: Person.surname"),
        ('of = "Person.name"', 'of = "Person.fax"', "Recorded of what is not in both schemas: Person.fax"),
        ('of = "Person.name"', "", "Recorded of what is not in both schemas: nothing"),
        ('reason = "Lists are sorted by it."', "", "Recorded without a reason: The family name comes first."),
        (
            'client = "Show it as it is."',
            "",
            "Recorded without what a client has to do: The family name comes first.",
        ),
    ],
)
def test_a_record_by_hand_that_leaves_something_out_fails(line: str, now: str, told: str) -> None:
    without_fax = PERSON.replace("fax: String ", "")
    assert complaints(PERSON, without_fax, RECORDED + BEHAVIOUR.replace(line, now)) == [told]


NOW = """type Query { person(id: ID = null): Person people: [Person!] }
enum Status { IN OUT }
type Person { name: String! phone: Phone status: Status old: Int @deprecated(reason: "Use `phone`.") }
type Phone { number: String! }
"""
TOLD = """### Clients must change

- Do not select it.

  Why: Nobody sends one.

  - Field Person.fax was removed.

### Deprecated

- `Person.old`: Use `phone`.

### New

- Types: `Phone`
- `Person`: `phone`, `old`
- `Query`: `person(id:)`, `people`"""


def test_the_page_tells_what_to_do_then_what_to_look_at_and_what_is_new() -> None:
    assert section(PERSON, NOW, RECORDED) == TOLD
    assert section(PERSON, PERSON.replace("enum", '"Of a person." enum'), "") == ""
    grown = PERSON.replace("enum", '"Later versions may add values." enum')
    assert section(grown, grown.replace("IN OUT", "IN OUT AWAY"), "") == (
        "### Look whether it concerns you\n\n- Enum value Status.AWAY was added."
    )


def test_what_releases_have_told_stays_and_what_is_not_released_is_told_anew() -> None:
    head, release = "# Changes\n\nOf the schema.\n", "## 0.2.0 (2026-12-01)\n\n### New\n\n- `Person`: `fax`\n"
    first = page(head, "- One.")
    assert first == "# Changes\n\nOf the schema.\n\n## Unreleased\n\n- One.\n"
    assert page(first, "- Two.") == first.replace("One", "Two")
    assert page(first, "") == head
    assert page(f"{head}\n{release}", "- One.") == f"{first}\n{release}"
    assert page(f"{first}\n{release}", "") == f"{head}\n{release}"


def test_the_page_is_current_and_nothing_breaks_clients_that_is_not_recorded() -> None:
    texts = [file.read_text() for file in (RELEASED, SCHEMA, RECORD)]
    assert complaints(*texts) == []
    assert page(PAGE.read_text(), section(*texts)) == PAGE.read_text()


def test_a_page_that_is_not_current_fails_the_check_and_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = PAGE.read_text().replace("### New", "### Old")
    monkeypatch.setattr(schema_changes, "ROOT", tmp_path)
    monkeypatch.setattr(schema_changes, "PAGE", tmp_path / "changes.md")
    (tmp_path / "changes.md").write_text(old)
    with pytest.raises(SystemExit, match=r"changes\.md is out of date: run `\./dev format`\."):
        schema_changes.main(["--check"])
    schema_changes.main([])
    assert (tmp_path / "changes.md").read_text() == PAGE.read_text()
    schema_changes.main(["--check"])


def test_who_opened_a_day_by_its_date_alone_is_told_what_to_send() -> None:
    clients, _, _ = section(*(file.read_text() for file in (RELEASED, SCHEMA, RECORD))).partition("\n### ")
    assert "- `OpenAttendanceDayInput.isWorkingDay`: Omitted, it does not change" in clients
    assert "- Send `isWorkingDay: true` to make a day a working day: " in clients
