"""Who may do what: written down once more, so that no right changes by accident."""

from __future__ import annotations

import pytest

from memberstaff.access import COMMAND_LINE, RIGHTS, Caller, Right, Role
from memberstaff.errors import Forbidden


def test_the_roles_have_exactly_these_rights() -> None:
    assert {
        Role.VIEWER: {Right.READ},
        Role.MARKER: {Right.READ, Right.READ_NOTES, Right.MARK},
        Role.ADMIN: {
            Right.READ,
            Right.READ_NOTES,
            Right.MARK,
            Right.MARK_ANY_DAY,
            Right.MANAGE_DAYS,
            Right.MANAGE_STAFF,
            Right.MANAGE_REASONS,
            Right.MANAGE_ACCOUNTS,
            Right.READ_AUDIT,
            Right.INTROSPECT,
        },
    } == RIGHTS


def test_a_refusal_says_who_may_not_do_what() -> None:
    with pytest.raises(Forbidden) as refused:
        Caller(1, "session", "Desk", Role.MARKER).require(Right.MANAGE_STAFF)
    assert refused.value.message == "A MARKER may not manage staff."


REFUSALS = {
    Right.READ: "A VIEWER may not read attendance.",
    Right.READ_NOTES: "A VIEWER may not read notes.",
    Right.MARK: "A VIEWER may not mark attendance.",
    Right.MARK_ANY_DAY: "A VIEWER may not mark attendance for days ahead, or that are long over.",
    Right.MANAGE_DAYS: "A VIEWER may not change or lock days.",
    Right.MANAGE_STAFF: "A VIEWER may not manage staff.",
    Right.MANAGE_REASONS: "A VIEWER may not manage reasons.",
    Right.MANAGE_ACCOUNTS: "A VIEWER may not manage accounts.",
    Right.READ_AUDIT: "A VIEWER may not read the audit log.",
    Right.INTROSPECT: "A VIEWER may not introspect the schema.",
}


def test_every_refusal_reads_as_english(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(RIGHTS, Role.VIEWER, frozenset())
    told = {}
    for right in Right:
        with pytest.raises(Forbidden) as refused:
            Caller(1, "session", "Wall", Role.VIEWER).require(right)
        told[right] = refused.value.message
    assert told == REFUSALS


@pytest.mark.parametrize("role", Role)
def test_what_a_role_may_do_raises_nothing_and_the_rest_does(role: Role) -> None:
    caller = Caller(1, "session", "Somebody", role)
    for right in Right:
        if caller.may(right):
            caller.require(right)
        else:
            with pytest.raises(Forbidden):
                caller.require(right)
    assert {right for right in Right if caller.may(right)} == RIGHTS[role]


def test_the_command_line_may_do_everything_and_has_no_account() -> None:
    assert COMMAND_LINE.account_id is None
    assert all(COMMAND_LINE.may(right) for right in Right)
