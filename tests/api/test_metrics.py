"""What Prometheus is told, and only when that is wanted. The values are of the process, and so of all tests before."""

from __future__ import annotations

from typing import Any

import pytest

from memberstaff import metrics
from memberstaff.access import Role
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.front_ends import MARK, WATCH
from tests.installation import Installation, install
from tests.scrapes import risen, scrape
from tests.waiting import until

TIMES = (
    "memberstaff_delivery_seconds",
    "memberstaff_redis_lag_seconds_count",
    "memberstaff_lock_wait_seconds_count",
)


@pytest.fixture
def engine() -> Engine:
    """What is counted and timed, whichever database it was."""
    return "sqlite"


async def test_metrics_are_off_unless_they_are_set(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock) as office:
        assert (await office.http.get("/metrics")).status_code == 404
        assert metrics.observed == 0


async def test_gauges_tell_how_the_process_does(furnished_url: str, clock: TurnedClock) -> None:
    own_schema: dict[str, Any] = {
        "max_tokens": 999
    }  # with limits that no other test has, and therefore no document of theirs
    async with install(furnished_url, clock=clock, metrics=True, **own_schema) as office:
        async with office.watching(TODAY):
            values = await scrape(office.http)
    gauges = {entry.name: values[entry.name] for entry in metrics.ENTRIES if entry.kind == "gauge"}
    assert gauges.pop("memberstaff_connections_most") >= 1_000
    assert gauges == {
        "memberstaff_ready": 1,
        "memberstaff_live_hearing": 1,
        "memberstaff_live_reading": 1,
        "memberstaff_notifications_unsent": 0,
        "memberstaff_dates_watched": 1,
        "memberstaff_subscriptions": 1,
        "memberstaff_groups": 1,
        "memberstaff_connections_open": 2,
        "memberstaff_connections_watched": 1,
        "memberstaff_database_connections_used": 0,
        "memberstaff_database_connections_most": 10,
        "memberstaff_rendering_cache_bytes": 0,
        "memberstaff_response_cache_bytes": 0,
        "memberstaff_document_cache_bytes": 270 * len(WATCH),
        "memberstaff_processes": 1,
        "memberstaff_timeline_followed": 1,
    }


async def test_a_mark_is_timed_once_however_many_are_sent_it(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock, metrics=True) as office:
        await until(lambda: office.application.notifier.subscribed)
        async with (
            office.watching(TODAY) as first,
            office.watching(TODAY) as second,
            office.watching(TODAY, Role.MARKER) as third,
            office.watching(TODAY, scope={"categories": ["Kitchen"]}),
        ):
            before = await scrape(office.http)
            for status in ("LATE", "PRESENT"):
                await office.marker.mark(office.staff["Amina"], TODAY, status=status)
                for board in (first, second, third):
                    assert (await board.change())["status"] == status
            after = await scrape(office.http)
    # The clock stands still: from the mark to its delivery no time passes.
    rose = risen(before, after, *TIMES)
    assert rose.pop("memberstaff_lock_wait_seconds_count") >= 2
    assert rose == {"memberstaff_delivery_seconds_count": 2, "memberstaff_redis_lag_seconds_count": 2}


async def test_nothing_is_timed_unless_it_is_wanted(installation: Installation) -> None:
    before = {name: value for name, value in _samples().items() if "_count" in name or "_sum" in name}
    await until(lambda: installation.application.notifier.subscribed)
    async with installation.watching(TODAY) as board:
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        await board.change()
    assert {name: value for name, value in _samples().items() if "_count" in name or "_sum" in name} == before


def _samples() -> dict[str, float]:
    return {
        f"{sample.name}{sample.labels}": sample.value
        for family in metrics.REGISTRY.collect()
        for sample in family.samples
    }


async def test_requests_and_statements_are_timed_by_what_becomes_of_them(
    furnished_url: str, clock: TurnedClock
) -> None:
    async with install(furnished_url, clock=clock, metrics=True) as office:
        await office.http.get("/health/ready")
        before = await scrape(office.http)
        await office.viewer.ask("{ viewer { role } }")
        await office.http.put("/graphql")
        await office.http.get("/health/live")
        await office.http.get("/somebody's/secret")
        async with office.socket():
            pass
        after = await scrape(office.http)
    counts = {
        name.removeprefix("memberstaff_request_duration_seconds_count"): by
        for name, by in risen(before, after, "memberstaff_request_duration_seconds_count").items()
    }
    assert counts.pop("{outcome=answered,route=page}", 0) + counts.pop("{outcome=refused,route=page}", 0) == 1
    assert counts == {
        "{outcome=answered,route=graphql}": 1,
        "{outcome=refused,route=graphql}": 1,
        "{outcome=answered,route=health}": 1,
        "{outcome=answered,route=metrics}": 1,
        "{outcome=answered,route=socket}": 1,
    }
    assert risen(before, after, "memberstaff_statement_duration_seconds_count{kind=read}") != {}


async def test_what_is_refused_is_counted_by_its_reason(furnished_url: str, clock: TurnedClock) -> None:
    async with install(furnished_url, clock=clock, metrics=True, logins_per_minute=1) as office:
        staff = office.staff["Amina"]
        await office.marker.mark(staff, TODAY, status="LATE")
        login = 'mutation { login(input: {email: "a@b.example", password: "wrong"}) { errors { code } } }'
        before = await scrape(office.http)
        target = {"staffDate": {"staffId": staff, "date": TODAY}}
        for version in (0, 7):
            await office.marker.ask(MARK, input={"target": target, "status": "PRESENT", "expectedVersion": version})
        await office.viewer.fail(MARK, input={"target": target, "status": "PRESENT"})
        await office.nobody.fail("{ attendanceDay { id } }")
        await office.nobody.send(login)
        await office.nobody.send(login)
        async with office.socket() as socket:
            await socket.send(type="nonsense")
            await socket.connection.wait_closed()
        after = await scrape(office.http)
    counters = (
        "memberstaff_errors",
        "memberstaff_refusals",
        "memberstaff_rate",
        "memberstaff_logins",
        "memberstaff_so",
    )
    assert risen(before, after, *counters) == {
        "memberstaff_errors_total{code=FORBIDDEN}": 1,
        "memberstaff_errors_total{code=UNAUTHENTICATED}": 1,
        "memberstaff_errors_total{code=RATE_LIMITED}": 1,
        "memberstaff_refusals_total{code=VERSION_CONFLICT}": 2,
        "memberstaff_refusals_total{code=BAD_CREDENTIALS}": 1,
        "memberstaff_rate_limited_total{limit=logins}": 1,
        "memberstaff_logins_refused_total{action=login_failed}": 1,
        "memberstaff_logins_refused_total{action=rate_limited}": 1,
        "memberstaff_sockets_closed_total{code=4400}": 1,
    }
