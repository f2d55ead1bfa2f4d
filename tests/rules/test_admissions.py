"""Finding who is let in: by session, account and expiry, until they are gone."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime, timedelta

from memberstaff.access import Caller, Role
from memberstaff.accounts.admissions import Admission, Admissions
from memberstaff.accounts.sessions import Session
from memberstaff.accounts.tokens import Claims

NOW = datetime(2026, 1, 12, 8, 0, tzinfo=UTC)


class Door:
    """Something open."""

    def end(self, code: int, reason: str) -> None:
        """Nothing here ends it."""


def entered(
    admissions: Admissions, door: Door, session_id: str = "s", *, account_id: int = 1, seconds: float = 60
) -> Admission:
    """A door that is let in with a token for so long."""
    expires_at = NOW + timedelta(seconds=seconds)
    admission = admissions.begin(Claims(session_id, account_id, expires_at))
    caller = Caller(account_id, session_id, "Amina", Role.MARKER)
    admissions.complete(admission, door, Session(caller, account_id, None, NOW + timedelta(days=1)))
    return admission


def test_all_of_an_account_and_all_of_a_session_are_found() -> None:
    admissions, doors = Admissions(), [Door() for _ in range(3)]
    phone, tab, other = (
        entered(admissions, doors[0], "phone"),
        entered(admissions, doors[1], "tab"),
        entered(admissions, doors[2], "other", account_id=2),
    )
    assert set(admissions.of([1])) == {phone, tab}
    assert admissions.of(["tab"]) == [tab]
    assert set(admissions.of(["tab", 1, 2, "unknown", 3])) == {phone, tab, other}


def test_nothing_is_left_of_a_connection_that_is_gone() -> None:
    admissions, door = Admissions(), Door()
    admission = entered(admissions, door)
    entered(admissions, door)  # a renewed token
    assert (len(admissions), admission in admissions) == (1, False)
    del door
    assert (len(admissions), admissions.any) == (0, False)
    assert admissions.next_due(NOW + timedelta(days=1)) is None


def test_nothing_is_left_of_one_that_was_not_let_in() -> None:
    admissions = Admissions()
    admissions.remove(admissions.begin(Claims("s", 1, NOW)))
    assert (len(admissions), admissions.any) == (0, False)


def test_a_renewed_token_takes_the_place_of_the_one_before() -> None:
    admissions, door = Admissions(), Door()
    entered(admissions, door, seconds=60)
    renewed = entered(admissions, door, seconds=120)
    assert admissions.everyone() == admissions.of(["s"]) == [renewed]
    assert admissions.next_due(NOW + timedelta(seconds=119)) is None
    assert admissions.next_due(NOW + timedelta(seconds=120)) is renewed


def test_one_that_has_expired_is_returned_once_and_not_before_its_time() -> None:
    admissions, doors = Admissions(), [Door() for _ in range(4)]
    late, early, fraction, _ = (
        entered(admissions, door, seconds=seconds) for door, seconds in zip(doors, (5, 3, 3.5, 60), strict=True)
    )
    assert admissions.next_due(NOW + timedelta(seconds=2.999)) is None
    assert admissions.next_due(NOW + timedelta(seconds=3)) is early
    assert admissions.next_due(NOW + timedelta(seconds=3.9)) is None
    assert [admissions.next_due(NOW + timedelta(seconds=5)) for _ in range(3)] == [fraction, late, None]


def test_only_those_are_overtaken_that_are_being_let_in() -> None:
    admissions, door = Admissions(), Door()
    inside = entered(admissions, door)
    entering, stranger = admissions.begin(Claims("s", 1, NOW)), admissions.begin(Claims("t", 2, NOW))
    assert admissions.of(["s"]) == [inside]
    assert (inside.overtaken, entering.overtaken, stranger.overtaken) == (False, True, False)
    assert admissions.everyone() == [inside]
    assert (inside.overtaken, stranger.overtaken) == (False, True)


def test_connections_that_come_and_go_leave_no_memory_behind() -> None:
    admissions = Admissions()
    entered(admissions, Door())
    tracemalloc.start()
    try:
        for _ in range(5_000):
            entered(admissions, Door())
        left, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert left < 10_000
