"""Front ends that use Laravel Echo keep their live updates, with pusher-js 7 and 8; docs/from-laravel.md says how."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import make_url

from memberstaff.access import Role
from tests.clients.conftest import HERE, ROOT
from tests.clients.counting import Door, counting
from tests.clients.program import Program, started
from tests.clients.test_restart import killable
from tests.clock import TurnedClock
from tests.infrastructure.process import free_port, start, stop
from tests.infrastructure.redis import Redis
from tests.installation import PASSWORD, SECRET, Installation, email, install, until

TODAY = "2026-01-12"
KEY = "the-old-app-key"
PUSHERS = {"pusher-js 7": 7, "pusher-js 8": 8}
QUICK: dict[str, Any] = {"echo_key": KEY, "poll_seconds": 0.05, "logins_per_minute": 100}
LATE: dict[str, Any] = {
    "staff_name": "Amina",
    "staff_category": "Teaching",
    "staff_photo": None,
    "status": "late",
    "note": "Bus",
    "photo_url": None,
    "date": TODAY,
    "updated_at": "2026-01-12T08:00:00.000000Z",
}
"""What Laravel sent, less the ids."""


@pytest.fixture
async def school(database_url: str, clock: TurnedClock) -> AsyncIterator[Installation]:
    """With the app key that the Laravel application had, and nothing else."""
    async with install(database_url, clock=clock, **QUICK) as installed:
        yield installed


@asynccontextmanager
async def playing(workshop: Path, address: str) -> AsyncIterator[Program]:
    async with started(workshop, "players/echo.ts", address) as program:
        yield program


async def tell(program: Program, command: str, clients: Any = tuple(PUSHERS), **values: Any) -> None:
    """Have each client do something, and wait until it has begun."""
    for client in clients:
        about = {"client": client, "pusher": PUSHERS.get(client, 8), "key": KEY, "options": {}, **values}
        await program.tell(command, **about)
    await program.hear("done", command, *clients)


def bearing(installation: Installation, role: Role) -> dict[str, str]:
    """What a front end adds for channels that need a login; in a browser the address can be relative."""
    return {
        "authEndpoint": f"{installation.address.http}/broadcasting/auth",
        "bearerToken": installation.tokens[role],
    }


async def listening(program: Program, clients: Any, how: str, channel: str, **values: Any) -> None:
    """Clients with the original configuration, subscribed to a channel."""
    await tell(program, "open", clients, **values)
    await tell(program, how, clients, channel=channel)
    await program.hear("subscribed", channel, *clients)


async def late(installation: Installation, name: str = "Amina") -> dict[str, Any]:
    """Somebody is late; answers the data that Echo's listeners should be given."""
    answer = await installation.marker.mark(installation.staff[name], TODAY, status="LATE", note="Bus")
    record = answer["attendance"]
    fields = {"id": record["id"], "staff_id": installation.staff[name], **LATE, "staff_name": name}
    return {"attendanceData": fields, "cursor": record["feedCursor"]}


def all_said(program: Program, what: str) -> list[list[Any]]:
    """What each of the two clients has said of this kind."""
    return [program.said[client][what] for client in PUSHERS]


def without_note(data: dict[str, Any]) -> dict[str, Any]:
    return {**data, "attendanceData": {**data["attendanceData"], "note": None}}


@pytest.mark.parametrize("channel", ["attendance", f"attendance.{TODAY}"])
async def test_the_original_payload_arrives_once(workshop: Path, school: Installation, channel: str) -> None:
    async with playing(workshop, school.address.http) as program:
        await listening(program, PUSHERS, "private", channel, options=bearing(school, Role.MARKER))
        first = await late(school)
        second = await late(school, "Chloé")
        await program.hear("event", second, *PUSHERS)
        assert all_said(program, "event") == [[first, second]] * 2


async def test_the_broadcaster_reverb_is_served_too(workshop: Path, school: Installation) -> None:
    reverb = {**bearing(school, Role.MARKER), "broadcaster": "reverb"}
    async with playing(workshop, school.address.http) as program:
        await listening(program, PUSHERS, "private", "attendance", options=reverb)
        await program.hear("event", await late(school), *PUSHERS)


async def test_who_may_not_read_notes_is_sent_none(workshop: Path, school: Installation) -> None:
    async with playing(workshop, school.address.http) as program:
        await listening(program, PUSHERS, "private", "attendance", options=bearing(school, Role.VIEWER))
        await program.hear("event", without_note(await late(school)), *PUSHERS)


async def test_without_a_login_nothing_arrives(workshop: Path, school: Installation) -> None:
    allowed = ["allowed"]
    wrong = {**bearing(school, Role.VIEWER), "bearerToken": "nonsense"}
    async with playing(workshop, school.address.http) as program:
        await tell(program, "open", options=wrong)
        await tell(program, "channel", channel="attendance")
        await program.hear("refused", ["attendance", "AuthError"], *PUSHERS)
        await tell(program, "private", channel="attendance")
        await program.hear("refused", ["private-attendance", "AuthError"], *PUSHERS)
        await listening(program, allowed, "private", "attendance", options=bearing(school, Role.MARKER))
        await program.hear("event", await late(school), *allowed)
        assert all_said(program, "event") == [[], []]


async def test_a_wrong_key_is_given_up(workshop: Path, school: Installation) -> None:
    async with playing(workshop, school.address.http) as program:
        await tell(program, "open", key="another")
        await program.hear("closed", 4001, *PUSHERS)
        await program.hear("state", "disconnected", *PUSHERS)


async def test_an_untouched_front_end_works_when_the_public_channel_is_open(
    workshop: Path, database_url: str, clock: TurnedClock
) -> None:
    async with (
        install(database_url, clock=clock, echo_public=True, **QUICK) as school,
        playing(workshop, school.address.http) as program,
    ):
        await listening(program, PUSHERS, "channel", "attendance")
        first, second = without_note(await late(school)), without_note(await late(school, "Chloé"))
        await program.hear("event", second, *PUSHERS)
        assert all_said(program, "event") == [[first, second]] * 2


async def test_status_words_and_the_place_of_the_fields_are_settings(
    workshop: Path, database_url: str, clock: TurnedClock
) -> None:
    more: dict[str, Any] = {"echo_flat": True, "echo_statuses": {"LATE": "delayed"}, "echo_public": True}
    async with (
        install(database_url, clock=clock, **QUICK, **more) as school,
        playing(workshop, school.address.http) as program,
    ):
        await listening(program, PUSHERS, "channel", "attendance")
        data = without_note(await late(school))
        flat = {**data["attendanceData"], "status": "delayed", "cursor": data["cursor"]}
        await program.hear("event", flat, *PUSHERS)


@pytest.mark.parametrize("pusher", PUSHERS.values())
async def test_a_presence_channel_tells_who_is_there(workshop: Path, school: Installation, pusher: int) -> None:
    async with playing(workshop, school.address.http) as program:
        await tell(program, "open", ["wall"], pusher=pusher, options=bearing(school, Role.VIEWER))
        await tell(program, "join", ["wall"], channel="attendance")
        await program.hear("here", ["Viewer"], "wall")
        await tell(program, "open", ["desk"], pusher=pusher, options=bearing(school, Role.MARKER))
        await tell(program, "join", ["desk"], channel="attendance")
        await program.hear("here", ["Marker", "Viewer"], "desk")
        await program.hear("joining", "Marker", "wall")
        await tell(program, "leave", ["desk"], channel="attendance")
        await program.hear("leaving", "Marker", "wall")
        assert program.said["wall"]["joining"] == ["Marker"]
        assert program.said["desk"]["joining"] == []


async def live(program: Program, role: Role = Role.MARKER) -> None:
    """The example's clients, logged in."""
    await tell(program, "live", email=email(role), password=PASSWORD)


async def test_nothing_of_a_day_is_missed_while_the_server_was_killed(
    workshop: Path, database_url: str, redis_server: Redis, tmp_path: Path
) -> None:
    today = datetime.now(UTC).date().isoformat()
    shared: dict[str, Any] = {
        "broadcast_url": redis_server.url,
        "broadcast_channel": uuid4().hex,
        "logins_per_minute": 100,
        "echo_key": KEY,
    }
    async with (
        install(database_url, **shared) as other,  # of the same installation, where marks are made meanwhile
        killable(tmp_path, database_url=database_url, secret_key=SECRET, **shared) as server,
        playing(workshop, server.http) as program,
    ):

        async def mark(name: str, status: str) -> None:
            assert (await other.admin.mark(other.staff[name], today, status=status))["errors"] == []

        await live(program)
        await tell(program, "day", date=today)
        await tell(program, "watch")
        await program.hear("subscribed", f"attendance.{today}", *PUSHERS)
        await program.hear("all read", 1, *PUSHERS)
        await mark("Amina", "PRESENT")
        await program.hear("change", "Amina present", *PUSHERS)
        server.kill()
        await mark("Björn", "LATE")
        await mark("Chloé", "ABSENT")
        server.start()
        await program.hear("change", "Chloé absent", *PUSHERS)
        await mark("Amina", "REMOTE")
        await program.hear("change", "Amina remote", *PUSHERS)
        once = ["Amina present", "Björn late", "Chloé absent", "Amina remote"]
        assert all_said(program, "change") == [once] * 2
        await program.hear("all read", 2, *PUSHERS)  # since this channel sends nothing again
        assert all_said(program, "day read") == [[1]] * 2


async def test_a_day_whose_cursor_leads_nowhere_is_read_anew(workshop: Path, school: Installation) -> None:
    async with playing(workshop, school.address.http) as program:
        await live(program)
        await tell(program, "day", date=TODAY, cursor="nonsense")
        await program.hear("day read", 2, *PUSHERS)
        await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        await late(school)
        await program.hear("change", "Amina late", *PUSHERS)
        assert all_said(program, "day read") == [[1, 2], [1, 2]]


async def test_a_token_that_expires_is_renewed_and_nothing_is_missed(
    workshop: Path, school: Installation, clock: TurnedClock
) -> None:
    lifetime = school.application.settings.access_token_seconds
    async with playing(workshop, school.address.http) as program:
        await live(program)
        await tell(program, "day", date=TODAY)
        await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        await late(school)
        await program.hear("change", "Amina late", *PUSHERS)
        marker = school.marker
        clock.turn(seconds=lifetime - 1)
        await marker.mark(school.staff["Björn"], TODAY, status="LATE")
        clock.turn(seconds=2)
        await program.hear("closed", 4100, *PUSHERS)
        await program.hear("change", "Björn late", *PUSHERS)
        await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        assert all_said(program, "change") == [["Amina late", "Björn late"]] * 2


async def test_a_logout_ends_the_socket_for_good(workshop: Path, school: Installation) -> None:
    async with counting(school.address.port) as door, playing(workshop, door.http) as program:
        await listening(program, PUSHERS, "private", "attendance", options=bearing(school, Role.VIEWER))
        await school.viewer.ask("mutation { logout { errors { message } } }")
        await program.hear("closed", 4009, *PUSHERS)
        await program.hear("state", "disconnected", *PUSHERS)  # out of which only the page itself leads
        again = ["allowed"]
        await listening(program, again, "private", "attendance", options=bearing(school, Role.MARKER))
        await program.hear("event", await late(school), *again)
        assert all_said(program, "event") == [[], []]
        assert len(door.opened) == 3


async def fourth_connection(door: Door) -> float:
    """Seconds from the first connection to the fourth."""
    await until(lambda: len(door.opened) >= 4)
    return door.opened[3] - door.opened[0]


@pytest.mark.parametrize("client", PUSHERS)
async def test_a_refused_token_makes_no_storm(
    workshop: Path, database_url: str, clock: TurnedClock, client: str
) -> None:
    async with (
        install(database_url, clock=clock, echo_idle_seconds=0.1, **QUICK) as school,
        counting(school.address.port) as door,
        playing(workshop, door.http) as program,
    ):
        await tell(program, "open", [client], options={**bearing(school, Role.VIEWER), "bearerToken": "nonsense"})
        await tell(program, "private", [client], channel="attendance")
        assert await fourth_connection(door) > 3  # a second after each close
        await program.hear("refused", ["private-attendance", "AuthError"], client)


@pytest.mark.parametrize("client", PUSHERS)
async def test_a_full_server_makes_no_storm(workshop: Path, database_url: str, clock: TurnedClock, client: str) -> None:
    async with (
        install(database_url, clock=clock, max_sockets_per_address=1, echo_public=True, **QUICK) as school,
        playing(workshop, school.address.http) as first,
        counting(school.address.port) as door,
        playing(workshop, door.http) as program,
    ):
        await listening(first, [client], "channel", "attendance")
        await tell(program, "open", [client])
        assert await fourth_connection(door) > 3


async def test_a_server_that_drains_is_come_back_to_without_a_storm(
    workshop: Path, database_url: str, clock: TurnedClock
) -> None:
    port = free_port()
    async with counting(port) as door, playing(workshop, door.http) as program:
        async with install(database_url, clock=clock, port=port, drain_seconds=0.1, **QUICK) as school:
            staff = school.staff
            await live(program)
            await tell(program, "day", date=TODAY)
            await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        async with install(database_url, clock=clock, port=port, furnish=False, **QUICK) as school:
            school.staff = staff
            await late(school)
            await program.hear("closed", 4100, *PUSHERS)
            await program.hear("change", "Amina late", *PUSHERS)
            # The first one, one after a second, and, if that came too early, one after another fifteen.
            assert len(door.opened) <= 3 * len(PUSHERS)


@pytest.mark.parametrize(("client", "ends"), [("pusher-js 7", "failed"), ("pusher-js 8", "connected")])
async def test_a_broken_connection_comes_back_but_with_pusher_js_7_only_once(
    workshop: Path, school: Installation, client: str, ends: str
) -> None:
    async with counting(school.address.port) as door, playing(workshop, door.http) as program:
        await tell(program, "open", [client], options={"enabledTransports": ["ws"]})
        await program.hear("state", "connected", client)
        door.cut()
        await program.hear("state", "connecting", client)
        await program.hear("state", "connected", client)
        door.cut()
        if ends == "connected":
            await program.hear("state", "connecting", client)
        await program.hear("state", ends, client)
        assert len(door.opened) == (3 if ends == "connected" else 2)


async def test_laravel_echo_server_passes_the_event_on(
    workshop: Path, database_url: str, clock: TurnedClock, redis_server: Redis, tmp_path: Path
) -> None:
    prefix = f"{uuid4().hex}_database_"
    shared: dict[str, Any] = {"broadcast_url": redis_server.url, "broadcast_channel": uuid4().hex}
    relayed: dict[str, Any] = {"echo_channel": "attendance", "echo_prefix": prefix}
    async with install(database_url, clock=clock, **QUICK, **shared, **relayed) as school:
        with laravel_echo_server(tmp_path, redis_server, prefix, school.address.http) as host:
            async with playing(workshop, host) as program:
                options = {"host": host, "bearerToken": school.tokens[Role.VIEWER]}
                await tell(program, "socketIo", ["wall"], channel="attendance", options=options)
                await program.hear("here", ["Viewer"], "wall")
                first, second = [without_note(await late(school, name)) for name in ("Amina", "Chloé")]
                del first["cursor"], second["cursor"]
                await program.hear("event", {**second, "socket": None}, "wall")
                assert program.said["wall"]["event"] == [{**first, "socket": None}, {**second, "socket": None}]


@contextmanager
def laravel_echo_server(folder: Path, redis_server: Redis, prefix: str, auth_host: str) -> Iterator[str]:
    """Unmodified, on a port of its own."""
    url, port = make_url(redis_server.url), free_port()
    where = {"host": url.host, "port": url.port, "db": int(url.database or 0), "keyPrefix": prefix}
    settings = {
        "authHost": auth_host,
        "authEndpoint": "/broadcasting/auth",
        "clients": [],
        "database": "redis",
        "databaseConfig": {"redis": {name: value for name, value in where.items() if value is not None}},
        "devMode": False,
        "host": "127.0.0.1",
        "port": str(port),
        "protocol": "http",
        "socketio": {},
        "subscribers": {"http": False, "redis": True},
    }
    (folder / "laravel-echo-server.json").write_text(json.dumps(settings))
    script = HERE / "echo-server" / "node_modules" / "laravel-echo-server" / "bin" / "server.js"
    with redis_server.client() as client:
        before = client.pubsub_numpat()
        process = start(
            ["node", script, "start", "--force", f"--dir={folder}"],
            log=folder / "log",
            ready=lambda: client.pubsub_numpat() > before,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop(process)


PAGE = ROOT / "docs" / "from-laravel.md"


@pytest.mark.parametrize(
    ("file", "region"), [("examples/echo.ts", "page"), ("tests/clients/players/echo.ts", "original")]
)
def test_the_code_on_the_page_is_what_is_tested(file: str, region: str) -> None:
    code = (ROOT / file).read_text(encoding="utf-8")
    shown = re.search(rf"// #region {region}\n(.*?)\n *// #endregion", code, re.DOTALL)
    assert shown is not None
    assert f"```ts\n{dedent(shown[1])}\n```" in PAGE.read_text(encoding="utf-8")


def test_every_test_that_the_page_names_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", PAGE.read_text(encoding="utf-8")))
    files = [Path(__file__), ROOT / "tests" / "api" / "test_readme.py"]
    there = set(re.findall(r"def (test_\w+)", "".join(file.read_text(encoding="utf-8") for file in files)))
    assert named
    assert named - there == set()
