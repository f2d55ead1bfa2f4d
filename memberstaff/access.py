"""Roles and rights: the one place that says who may do what."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from memberstaff.errors import Forbidden


class Role(StrEnum):
    """An account's role, which is read from its row, never from a token."""

    VIEWER = "VIEWER"
    MARKER = "MARKER"
    ADMIN = "ADMIN"


_ROLES = {role.value: role for role in Role}


def role_of(stored: str) -> Role | None:
    """A stored role; None for one of a later release, which gives no rights here."""
    return _ROLES.get(stored)


class Right(StrEnum):
    """A permission, worded to complete "A MARKER may not …"."""

    READ = "read attendance"
    READ_NOTES = "read notes"
    """And what else is confidential about a record: `memberstaff/changes.py` says what."""
    MARK = "mark attendance"
    MARK_ANY_DAY = "mark attendance for days ahead, or that are long over"
    """All days but today, and those before it that a setting names."""
    MANAGE_DAYS = "change or lock days"
    MANAGE_STAFF = "manage staff"
    MANAGE_REASONS = "manage reasons"
    MANAGE_ACCOUNTS = "manage accounts"
    READ_AUDIT = "read the audit log"
    INTROSPECT = "introspect the schema"


RIGHTS: dict[Role, frozenset[Right]] = {
    Role.VIEWER: frozenset({Right.READ}),
    Role.MARKER: frozenset({Right.READ, Right.READ_NOTES, Right.MARK}),
    Role.ADMIN: frozenset(Right),
}


class Reader:
    """Whoever reads, as far as rights go: a `Caller`, or anybody at all with a role."""

    __slots__ = ()
    role: Role

    def may(self, right: Right) -> bool:
        """Whether the role allows it."""
        return right in RIGHTS[self.role]

    def require(self, right: Right) -> None:
        """Raise Forbidden unless the role allows it."""
        if not self.may(right):
            raise Forbidden(f"A {self.role} may not {right}.")


@dataclass(frozen=True, slots=True)
class AnyoneWith(Reader):
    """Nobody in particular: what is rendered for this reader may be shown to everybody who has the role."""

    role: Role


@dataclass(frozen=True, slots=True)
class Caller(Reader):
    """Whoever is logged in, as the account's row says at this moment.

    `account_id` is None for the command line, which needs no account: see `COMMAND_LINE`.
    """

    account_id: int | None
    session_id: str
    display_name: str
    role: Role


class SharedAnswer(Exception):
    """A field looked at its caller while an answer was rendered for everybody with the caller's role."""


COMMAND_LINE = Caller(account_id=None, session_id="", display_name="Command line", role=Role.ADMIN)
"""Whoever has a shell on the server may do everything."""
