"""Who may do what: written down once more, so that no right changes by accident."""

from __future__ import annotations

import pytest

from memberstaff.access import RIGHTS, Caller, Right, Role
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
            Right.MANAGE_ACCOUNTS,
            Right.INTROSPECT,
        },
    } == RIGHTS


def test_a_refusal_says_who_may_not_do_what() -> None:
    with pytest.raises(Forbidden) as refused:
        Caller(1, "session", "Desk", Role.MARKER).require(Right.MANAGE_STAFF)
    assert refused.value.message == "A MARKER may not manage staff."
