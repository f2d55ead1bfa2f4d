"""The Python example: `gql` over HTTP and over a WebSocket."""

from __future__ import annotations

import pytest
from gql.transport.exceptions import TransportQueryError

from examples.python_gql import MARK, Attendance, code_of
from memberstaff.access import Role
from tests.clients.follower import following
from tests.clock import TODAY, TurnedClock
from tests.installation import PASSWORD, Installation, email, renew_tokens
from tests.waiting import until


async def test_marks_go_over_http_and_arrive_over_the_socket(installation: Installation) -> None:
    async with following(installation.address.http, TODAY) as python:
        target = {"staffDate": {"staffId": installation.staff["Amina"], "date": TODAY}}
        answer = await python.attendance.execute(MARK, input={"target": target, "status": "LATE"})
        assert answer["updateAttendance"] == {
            "attendance": {"staffName": "Amina", "status": "LATE"},
            "errors": [],
        }
        await python.hear("Amina LATE")


async def test_expired_tokens_are_renewed_over_http_and_on_the_socket(
    installation: Installation, clock: TurnedClock
) -> None:
    lifetime = installation.application.settings.access_token_seconds
    async with following(installation.address.http, TODAY) as python:
        for name in ("Amina", "Björn"):
            token = python.attendance.tokens["accessToken"]
            clock.turn(seconds=lifetime + 1)
            await until(lambda old=token: python.attendance.tokens["accessToken"] not in {old, ""})  # type: ignore[misc]
            await renew_tokens(installation)
            await installation.marker.mark(installation.staff[name], TODAY, status="LATE")
            await python.hear(f"{name} LATE")
        clock.turn(seconds=lifetime + 1)
        target = {"staffDate": {"staffId": installation.staff["Chloé"], "date": TODAY}}
        await python.attendance.execute(MARK, input={"target": target, "status": "ABSENT"})
        await python.hear("Chloé ABSENT")
        assert python.seen == ["Amina LATE", "Björn LATE", "Chloé ABSENT"]


async def test_a_cursor_of_another_history_is_the_callers_to_know(installation: Installation) -> None:
    attendance = Attendance(installation.address.http)
    await attendance.login(email(Role.VIEWER), PASSWORD)
    with pytest.raises(TransportQueryError) as refused:
        await anext(attendance.watch(TODAY, "nonsense"))
    assert code_of(refused.value) == "RESTART_REQUIRED"


async def test_a_wrong_password_is_told(installation: Installation) -> None:
    with pytest.raises(PermissionError, match="The email or the password is wrong"):
        await Attendance(installation.address.http).login(email(Role.VIEWER), "wrong")
