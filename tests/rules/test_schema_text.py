"""Every part of the schema says what it is, and what is not live says so."""

from __future__ import annotations

from collections.abc import Iterator

from graphql import (
    GraphQLEnumType,
    GraphQLNamedType,
    GraphQLNonNull,
    build_schema,
    introspection_types,
    is_input_object_type,
    is_interface_type,
    is_leaf_type,
    is_object_type,
    is_scalar_type,
    is_specified_scalar_type,
)

from memberstaff.engine.limits import Limits
from memberstaff.errors import RequestErrorCode
from schema.asgi import export_sdl
from schema.root import make_schema

SDL = export_sdl()
SCHEMA = build_schema(SDL)
KEPT_IF_OMITTED = {"expectedVersion", "clientMutationId", "occurredAt"}
"""Fields of updates that are no values of what is changed."""


def described(sdl: str) -> Iterator[tuple[str, str | None]]:
    """Every part of a schema, with its description."""
    schema = build_schema(sdl)
    yield "schema", schema.description
    for type_ in schema.type_map.values():
        if type_.name in introspection_types or (is_scalar_type(type_) and is_specified_scalar_type(type_)):
            continue
        yield type_.name, type_.description
        yield from parts(type_)


def parts(type_: GraphQLNamedType) -> Iterator[tuple[str, str | None]]:
    if isinstance(type_, GraphQLEnumType):
        for name, value in type_.values.items():
            yield f"{type_.name}.{name}", value.description
    elif is_input_object_type(type_):
        for name, field in type_.fields.items():
            yield f"{type_.name}.{name}", field.description
    elif is_object_type(type_) or is_interface_type(type_):
        for name, of in type_.fields.items():
            yield f"{type_.name}.{name}", of.description
            for argument, given in of.args.items():
                yield f"{type_.name}.{name}({argument}:)", given.description


def faults(sdl: str) -> list[str]:
    """What is wrong with the descriptions of a schema."""
    found = dict(described(sdl))
    return [f"{name} has no description" for name, text in found.items() if not text] + [
        f"The description of {name} is no sentence: {text}"
        for name, text in found.items()
        if text and (text[0].islower() or not text.endswith("."))
    ]


def test_every_part_of_the_schema_is_described() -> None:
    assert faults(SDL) == []


def test_what_is_not_described_is_found_wherever_it_is() -> None:
    sdl = """
    type Query { field(argument: Input): Enum }
    interface Interface { field: Int }
    input Input { field: Scalar }
    enum Enum { VALUE }
    scalar Scalar
    "lower case, without an end" type Subscription { "Said." field: Int }
    """
    nameless = ["schema", "Query", "Query.field", "Query.field(argument:)", "Interface", "Interface.field"]
    nameless += ["Input", "Input.field", "Scalar", "Enum", "Enum.VALUE"]
    assert sorted(faults(sdl)) == sorted(
        [f"{name} has no description" for name in nameless]
        + ["The description of Subscription is no sentence: lower case, without an end"]
    )


def test_introspection_shows_the_description_of_the_schema_as_the_file_does() -> None:
    description = make_schema(Limits()).core.description
    assert description == SCHEMA.description
    assert description is not None
    assert description.startswith("Staff attendance, shown live.\n\nQuery a day with `attendanceDay`")


def test_scalars_name_their_specifications() -> None:
    found = {
        type_.name: type_.specified_by_url
        for type_ in SCHEMA.type_map.values()
        if is_scalar_type(type_) and not is_specified_scalar_type(type_)
    }
    assert found == {
        "Date": "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        "DateTime": "https://www.rfc-editor.org/rfc/rfc3339#section-5.6",
        "URL": "https://url.spec.whatwg.org/#valid-url-string",
    }


def test_every_root_field_of_queries_and_mutations_is_nullable() -> None:
    fields = [
        of for root in (SCHEMA.query_type, SCHEMA.mutation_type) if root is not None for of in root.fields.items()
    ]
    assert len(fields) > 20
    assert [name for name, field in fields if isinstance(field.type, GraphQLNonNull)] == []


def test_objects_in_payloads_are_nullable_so_that_none_hides_what_was_committed() -> None:
    assert SCHEMA.mutation_type is not None
    payloads = {str(field.type): field.type for field in SCHEMA.mutation_type.fields.values()}
    payloads["VersionConflictError"] = SCHEMA.type_map["VersionConflictError"]
    required = {
        f"{name}.{field}"
        for name, payload in payloads.items()
        for field, of in payload.fields.items()
        if isinstance(of.type, GraphQLNonNull) and not is_leaf_type(of.type.of_type)
    }
    plain = {f"{name}.errors" for name in payloads if name != "VersionConflictError"}
    assert required == plain | {"ImportStaffPayload.changes", "VersionConflictError.path"}  # the rest reads nothing


def test_no_input_that_changes_something_has_a_default_that_would_overwrite_it() -> None:
    inputs = {
        name: type_
        for name, type_ in SCHEMA.type_map.items()
        if is_input_object_type(type_) and (name.startswith(("Update", "Open")) or name == "AttendanceEntryInput")
    }
    assert sorted(inputs) == [
        "AttendanceEntryInput",
        "OpenAttendanceDayInput",
        "UpdateAccountInput",
        "UpdateAttendanceDayInput",
        "UpdateAttendanceInput",
        "UpdateReasonInput",
        "UpdateStaffInput",
    ]
    defaults = [
        (name, field)
        for name, type_ in inputs.items()
        for field, of in type_.fields.items()
        if field not in KEPT_IF_OMITTED and of.ast_node is not None and of.ast_node.default_value is not None
    ]
    assert defaults == []


LISTS = {
    "AccountConnection",
    "AttendanceReport",
    "AttendanceRevisionConnection",
    "AuditConnection",
    "Staff",
    "StaffConnection",
    "Viewer",
}


def test_what_is_not_live_says_so_and_when_to_ask_again() -> None:
    said = {name for name in LISTS if "Not live: " in (SCHEMA.type_map[name].description or "")}
    assert said == LISTS
    texts = dict(described(SDL))
    for name, words in (
        ("AttendanceDay.records", "refetch the list when `rosterVersion` rises"),
        ("AttendanceDay.records(statuses:)", "when the list was read"),
        ("AttendanceConnection.totalCount", "Not live"),
        ("AttendanceDay.rosterVersion", "Refetch the records then"),
        ("Staff.attendance", "The list is not live"),
        ("DaySummary", "Live: "),
        ("AttendanceDay", "Live: "),
    ):
        assert words in (texts[name] or ""), name


def test_every_code_of_an_error_is_named_where_the_schema_says_what_a_client_meets() -> None:
    assert [code for code in RequestErrorCode if f"{code}" not in (SCHEMA.description or "")] == []
