"""What subscriptions may take: groups, connections, and nothing of the database while somebody does not read."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from memberstaff.access import Role
from memberstaff.server.uvicorn_http import HttpProtocol
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.front_ends import WATCH
from tests.installation import Installation, install
from tests.waiting import until

SSE = "text/event-stream"
OTHER = "subscription ($date: Date!) { attendanceUpdated(date: $date) { id } }"
FULL = {"code": "RATE_LIMITED", "retryAfter": 5}


@pytest.fixture
def engine() -> Engine:
    """Limits of a process know no database."""
    return "sqlite"


@pytest.fixture
async def small(furnished_url: str, clock: TurnedClock) -> AsyncIterator[Installation]:
    async with install(furnished_url, clock=clock, max_groups_per_account=1, max_sockets_per_account=2) as installed:
        yield installed


@asynccontextmanager
async def listening(installation: Installation, document: str, accept: str = SSE) -> AsyncIterator[None]:
    """A stream that follows today, from its first moment to its last."""
    feed = installation.application.feed
    before = feed.subscriptions
    async with installation.stream(document, accept, date=TODAY) as stream:
        assert stream.status == 200
        await until(lambda: feed.subscriptions > before)
        yield
    await until(lambda: feed.subscriptions == before)


async def test_one_group_too_many_ends_the_operation_and_leaves_the_sockets_others_alone(small: Installation) -> None:
    async with small.socket() as board:
        async with small.one_more_follower(TODAY):
            await board.subscribe("1", WATCH, date=TODAY)
        await board.subscribe("2", OTHER, date=TODAY)
        refused = await board.receive()
        assert (refused["type"], refused["id"], refused["payload"][0]["extensions"]) == ("error", "2", FULL)
        await small.marker.mark(small.staff["Amina"], TODAY, status="LATE")
        assert (await board.change())["status"] == "LATE"


@pytest.mark.parametrize("accept", [SSE, "multipart/mixed;subscriptionSpec=1.0"])
async def test_one_group_too_many_is_refused_with_429_before_the_stream(small: Installation, accept: str) -> None:
    async with listening(small, WATCH, accept), small.stream(OTHER, accept, date=TODAY) as refused:
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        assert refused.headers["content-type"] == "application/json; charset=utf-8"
    async with listening(small, WATCH, accept), listening(small, WATCH, accept):
        assert len(small.application.groups) == 1  # an equal one is no other


async def test_a_group_too_many_for_the_process_is_refused_with_503(furnished_url: str, clock: TurnedClock) -> None:
    async with (
        install(furnished_url, clock=clock, max_groups=1) as installation,
        listening(installation, WATCH),
        installation.stream(OTHER, SSE, date=TODAY) as refused,
    ):
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")


async def test_what_an_event_sends_to_all_subscriptions_of_an_account_is_bounded(
    furnished_url: str, clock: TurnedClock
) -> None:
    fourteen = (
        "subscription ($date: Date!) { attendanceDayUpdated(date: $date) { records(first: 14) { edges { cursor } } } }"
    )
    async with install(furnished_url, clock=clock, max_event_cost_per_account=40) as installation:
        async with listening(installation, fourteen), installation.socket() as socket:  # 1 + 1 + 14
            await socket.subscribe("1", fourteen, date=TODAY)
            await socket.receive()
            await socket.subscribe("2", fourteen, date=TODAY)
            refused = await socket.receive()
            assert (refused["type"], refused["id"], refused["payload"][0]["extensions"]) == ("error", "2", FULL)
            assert refused["payload"][0]["message"] == (
                "An event would send your account's subscriptions 48 objects here; the limit is 40. "
                "End some, or select less."
            )
            async with listening(installation, OTHER):
                pass  # there is room for what costs less
        async with listening(installation, fourteen), listening(installation, fourteen):
            pass  # what ended counts no more


async def test_an_event_is_bounded_more_closely_than_a_response(furnished_url: str, clock: TurnedClock) -> None:
    day = "{ records(first: 250) { edges { node { id } } } }"
    async with install(furnished_url, clock=clock) as installation, installation.socket() as socket:
        assert await installation.viewer.ask(f"{{ attendanceDay {day} }}")
        await socket.subscribe("1", f'subscription {{ attendanceDayUpdated(date: "{TODAY}") {day} }}')
        refused = await socket.receive()
        assert refused["payload"][0]["message"] == (
            "Each event of the subscription could return 502 objects; the limit is 500. Ask for smaller pages."
        )


async def test_sockets_and_streams_of_an_account_are_counted_together(small: Installation) -> None:
    async with small.socket(), listening(small, WATCH):
        async with small.stream(WATCH, SSE, date=TODAY) as refused:
            assert (refused.status, refused.headers["retry-after"]) == (429, "5")
        async with small.stream(WATCH, SSE, Role.MARKER, date=TODAY) as another:
            assert another.status == 200
    async with listening(small, WATCH), listening(small, WATCH):
        pass  # there is room again


async def test_sockets_and_streams_of_an_address_are_counted_together(furnished_url: str, clock: TurnedClock) -> None:
    async with (
        install(furnished_url, clock=clock, max_sockets_per_address=1) as installation,
        installation.socket(),
        installation.stream(WATCH, SSE, date=TODAY) as refused,
    ):
        assert (refused.status, refused.headers["retry-after"]) == (429, "5")


LARGE = """subscription ($date: Date!) { attendanceUpdated(date: $date) { status
  day { records(first: 100) { edges { node { id staffId staffName staffPhotoUrl staff { id name } } } } } } }"""
FILL = """mutation ($input: BulkUpdateAttendanceInput!) { bulkUpdateAttendance(input: $input) { errors { code } } }"""


async def fill(installation: Installation, status: str) -> None:
    """80 events of 25 KB: more than the server's and the kernel's buffers hold for a client that does not read."""
    change = {"fill": {"status": status, "onlyUnmarked": False}}
    await installation.marker.ask(FILL, input={"date": TODAY, "change": change})


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_streams_that_nobody_reads_hold_no_database_connection(database_url: str, clock: TurnedClock) -> None:
    async with (
        install(database_url, clock=clock, demo_people=80, database_pool_size=2) as installation,
        installation.stream(LARGE, SSE, date=TODAY),
        installation.stream(LARGE, SSE, date=TODAY),
        installation.stream(LARGE, SSE, Role.MARKER, date=TODAY),
    ):
        await until(lambda: installation.application.feed.subscriptions == 3)
        await fill(installation, "LATE")
        await until(lambda: all(protocol.blocked for protocol in http_streams(installation)))
        pool = installation.application.database.engine.sync_engine.pool
        await until(lambda: pool.checkedout() == 0)  # type: ignore[attr-defined]
        assert await installation.viewer.ask("{ attendanceDay { summary { total } } }")


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_a_stream_leaves_its_group_when_its_access_ends_though_its_client_does_not_read(
    database_url: str, clock: TurnedClock
) -> None:
    async with (
        install(database_url, clock=clock, demo_people=80) as installation,
        installation.stream(LARGE, SSE, date=TODAY),
    ):
        await until(lambda: installation.application.feed.subscriptions == 1)
        await fill(installation, "LATE")
        await until(lambda: all(protocol.blocked for protocol in http_streams(installation)))
        await installation.viewer.ask("mutation { logout { errors { message } } }")
        await until(lambda: installation.application.feed.subscriptions == 0)
        assert [protocol.blocked for protocol in http_streams(installation)] == [True]  # its last words wait


async def test_a_stream_with_another_request_behind_it_ends_when_its_client_goes(small: Installation) -> None:
    """uvicorn tells only the newest request of a connection that the client is gone."""
    feed = small.application.feed
    for number in range(3):  # more than the account may have open at a time
        async with small.stream(WATCH, SSE, date=TODAY) as stream:
            await until(lambda: feed.subscriptions == 1)
            stream.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await until(lambda: any(len(protocol.cycles) == 2 for protocol in http_streams(small)))
            stream.reset()
        # Reading is paused, so that the server learns of it when it writes: an event, or a heartbeat.
        await small.marker.mark(small.staff["Amina"], TODAY, note=str(number))
        await until(lambda: feed.subscriptions == 0)
        await until(lambda: not http_streams(small))


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_who_logs_out_while_a_stream_waits_for_the_database_is_told_at_once(
    small: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    never = asyncio.Event()

    async def refresh() -> None:
        await never.wait()

    monkeypatch.setattr(small.application.feed, "refresh", refresh)
    async with asyncio.timeout(10), asyncio.TaskGroup() as tasks:
        asking = tasks.create_task(small.viewer.stream_once(WATCH, date=TODAY))
        await until(lambda: len(small.application.access_watcher) == 1)
        await small.viewer.ask("mutation { logout { errors { message } } }")
    assert "UNAUTHENTICATED" in asking.result()


def http_streams(installation: Installation) -> list[HttpProtocol]:
    connections = installation.address.server.server_state.connections
    return [each for each in connections if isinstance(each, HttpProtocol) and each.is_streaming]


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
async def test_an_answer_that_nobody_reads_holds_no_database_connection(database_url: str, clock: TurnedClock) -> None:
    query = "{ attendanceDay { records(first: 1000) { edges { node { id staffName staff { id name category } } } } } }"
    async with install(database_url, clock=clock, demo_people=300, database_pool_size=1) as installation:
        body = json.dumps({"query": query}).encode()
        head = (
            f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {installation.tokens[Role.VIEWER]}\r\n"
        )
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        loop = asyncio.get_running_loop()
        with socket.socket() as client:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
            client.setblocking(False)
            await loop.sock_connect(client, ("127.0.0.1", installation.address.port))
            connections = installation.address.server.server_state.connections
            sent = 0
            while not any(isinstance(each, HttpProtocol) and each.blocked for each in connections):
                if sent < 100:
                    await loop.sock_sendall(client, head.encode() + body)  # pipelined: none of them is read
                    sent += 1
                await asyncio.sleep(0.001)
            assert await installation.viewer.ask("{ attendanceDay { summary { total } } }")
