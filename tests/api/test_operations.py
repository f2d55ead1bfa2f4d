"""What one operation holds while it runs, and that it gives all of it back."""

from __future__ import annotations

from datetime import date

from tests.clock import TODAY, TurnedClock
from tests.front_ends import BOARD, WATCH
from tests.installation import Installation, install
from tests.waiting import until


async def test_an_operation_of_an_ended_session_holds_no_connections(furnished_url: str, clock: TurnedClock) -> None:
    """Ten fields that are each refused must not take ten connections: here there is only one."""
    async with install(furnished_url, clock=clock, database_pool_size=1) as office:
        await office.viewer.ask("mutation { logout { errors { message } } }")
        fields = " ".join(f"f{index}: attendanceDay {{ id }}" for index in range(10))
        answer = await office.viewer.send(f"{{ {fields} }}")
        assert {error["extensions"]["code"] for error in answer["errors"]} == {"UNAUTHENTICATED"}
        assert {error["message"] for error in answer["errors"]} == {"The session has been ended. Log in again."}


async def test_a_cursor_of_connection_init_is_used_once(installation: Installation) -> None:
    """A later operation with the same id starts where its own variables say."""
    cursor = str((await installation.viewer.ask(BOARD, date=TODAY))["attendanceDay"]["records"]["feedCursor"])
    await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
    async with installation.socket(payload={"resume": {"1": cursor}}) as board:
        async with installation.one_more_follower(TODAY):
            await board.subscribe("1", WATCH, date=TODAY)
        assert (await board.change())["staffName"] == "Amina"
        await board.send(id="1", type="complete")
        await until(lambda: installation.application.feed.followers(date.fromisoformat(TODAY)) == 0)
        async with installation.one_more_follower(TODAY):
            await board.subscribe("1", WATCH, date=TODAY)
        await installation.marker.mark(installation.staff["Björn"], TODAY, status="LATE")
        assert (await board.change())["staffName"] == "Björn"


async def test_a_bulk_change_that_is_sent_again_gets_the_first_answers_errors_too(installation: Installation) -> None:
    document = """mutation ($input: BulkUpdateAttendanceInput!) {
      bulkUpdateAttendance(input: $input) { attendances { staffName } errors { code message path } } }"""
    entries = [{"staffId": installation.staff["Amina"], "status": "LATE"}, {"staffId": "nobody", "status": "LATE"}]
    request = {
        "date": TODAY,
        "change": {"entries": entries},
        "errorPolicy": "SKIP_FAILED",
        "idempotencyKey": "once",
    }
    first = await installation.marker.ask(document, input=request)
    assert [error["code"] for error in first["bulkUpdateAttendance"]["errors"]] == ["NOT_FOUND"]
    assert await installation.marker.ask(document, input=request) == first
