"""Whether a subscription leaves out its date, and so is of today."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import build_schema, parse

from memberstaff.engine.subscription_plan import plan_of

SCHEMA = build_schema("""
type Query { field: Int }
type Subscription { dated(date: String, after: String): Int undated(on: String): Int }
""")


@pytest.mark.parametrize(
    ("document", "variables", "left_out"),
    [
        ("subscription { dated }", {}, True),
        ("subscription { dated(date: null) }", {}, True),
        ('subscription { dated(date: "2026-01-12") }', {}, False),
        ("subscription { ...root } fragment root on Subscription { dated }", {}, True),
        ("subscription ($on: String) { dated(date: $on) }", {}, True),
        ("subscription ($on: String) { dated(date: $on) }", None, True),
        ("subscription ($on: String) { dated(date: $on) }", {"on": None}, True),
        ("subscription ($on: String) { dated(date: $on) }", {"on": "2026-01-12"}, False),
        ("subscription ($on: String) { dated(date: $on) }", {"other": "2026-01-12"}, True),
        ("subscription ($on: String = null) { dated(date: $on) }", {}, True),
        ('subscription ($on: String = "2026-01-12") { dated(date: $on) }', {}, False),
        ('subscription ($on: String = "2026-01-12") { dated(date: $on) }', {"on": None}, True),
        ("subscription ($after: String) { dated(after: $after) }", {"after": "x"}, True),
        ("subscription { undated }", {}, False),
        ("subscription { __typename }", {}, False),
    ],
)
def test_a_date_is_left_out_when_nothing_or_null_is_given(
    document: str, variables: dict[str, Any] | None, left_out: bool
) -> None:
    plan = plan_of(parse(document), document, None, SCHEMA.subscription_type)
    assert plan.leaves_out_date(variables) is left_out
