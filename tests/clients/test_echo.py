"""Front ends that use Laravel Echo keep their live updates, with pusher-js 7 and 8; docs/from-laravel.md says how."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from textwrap import dedent
from typing import Any
from uuid import uuid4

import pytest
from redis.exceptions import NoPermissionError

from memberstaff.access import Role
from tests.clients.conftest import ROOT
from tests.clients.counting import counting
from tests.clients.echo import (
    KEY,
    PUSHERS,
    QUICK,
    all_said,
    bearing,
    fourth_connection,
    laravel_echo_server,
    late,
    listening,
    live,
    playing,
    tell,
    without_note,
)
from tests.clients.killable import killable
from tests.clock import TODAY, TurnedClock
from tests.infrastructure.process import free_port
from tests.infrastructure.redis import Redis, RedisServer
from tests.installation import Installation, install
from tests.waiting import until


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    """With the app key that the Laravel application had, and nothing else."""
    return QUICK


@pytest.mark.parametrize("channel", ["attendance", f"attendance.{TODAY}"])
async def test_the_original_payload_arrives_once(workshop: Path, installation: Installation, channel: str) -> None:
    async with playing(workshop, installation.address.http) as program:
        await listening(program, PUSHERS, "private", channel, options=bearing(installation, Role.MARKER))
        first = await late(installation)
        second = await late(installation, "Chloé")
        await program.hear("event", second, *PUSHERS)
        assert all_said(program, "event") == [[first, second]] * 2


async def test_the_broadcaster_reverb_is_served_too(workshop: Path, installation: Installation) -> None:
    reverb = {**bearing(installation, Role.MARKER), "broadcaster": "reverb"}
    async with playing(workshop, installation.address.http) as program:
        await listening(program, PUSHERS, "private", "attendance", options=reverb)
        await program.hear("event", await late(installation), *PUSHERS)


async def test_who_may_not_read_notes_is_sent_none(workshop: Path, installation: Installation) -> None:
    async with playing(workshop, installation.address.http) as program:
        await listening(program, PUSHERS, "private", "attendance", options=bearing(installation, Role.VIEWER))
        await program.hear("event", without_note(await late(installation)), *PUSHERS)


async def test_without_a_login_nothing_arrives(workshop: Path, installation: Installation) -> None:
    allowed = ["allowed"]
    wrong = {**bearing(installation, Role.VIEWER), "bearerToken": "nonsense"}
    async with playing(workshop, installation.address.http) as program:
        await tell(program, "open", options=wrong)
        await tell(program, "channel", channel="attendance")
        await program.hear("refused", ["attendance", "AuthError"], *PUSHERS)
        await tell(program, "private", channel="attendance")
        await program.hear("refused", ["private-attendance", "AuthError"], *PUSHERS)
        await listening(program, allowed, "private", "attendance", options=bearing(installation, Role.MARKER))
        await program.hear("event", await late(installation), *allowed)
        assert all_said(program, "event") == [[], []]


async def test_a_wrong_key_is_given_up(workshop: Path, installation: Installation) -> None:
    async with playing(workshop, installation.address.http) as program:
        await tell(program, "open", key="another")
        await program.hear("closed", 4001, *PUSHERS)
        await program.hear("state", "disconnected", *PUSHERS)


async def test_an_untouched_front_end_works_when_the_public_channel_is_open(
    workshop: Path, furnished_url: str, clock: TurnedClock
) -> None:
    async with (
        install(furnished_url, clock=clock, echo_public=True, **QUICK) as installation,
        playing(workshop, installation.address.http) as program,
    ):
        await listening(program, PUSHERS, "channel", "attendance")
        first, second = without_note(await late(installation)), without_note(await late(installation, "Chloé"))
        await program.hear("event", second, *PUSHERS)
        assert all_said(program, "event") == [[first, second]] * 2


async def test_status_words_and_the_place_of_the_fields_are_settings(
    workshop: Path, furnished_url: str, clock: TurnedClock
) -> None:
    more: dict[str, Any] = {"echo_flat": True, "echo_statuses": {"LATE": "delayed"}, "echo_public": True}
    async with (
        install(furnished_url, clock=clock, **QUICK, **more) as installation,
        playing(workshop, installation.address.http) as program,
    ):
        await listening(program, PUSHERS, "channel", "attendance")
        data = without_note(await late(installation))
        flat = {**data["attendanceData"], "status": "delayed", "cursor": data["cursor"]}
        await program.hear("event", flat, *PUSHERS)


@pytest.mark.parametrize("pusher", PUSHERS.values())
async def test_a_presence_channel_tells_who_is_there(workshop: Path, installation: Installation, pusher: int) -> None:
    async with playing(workshop, installation.address.http) as program:
        await tell(program, "open", ["wall"], pusher=pusher, options=bearing(installation, Role.VIEWER))
        await tell(program, "join", ["wall"], channel="attendance")
        await program.hear("here", ["Viewer"], "wall")
        await tell(program, "open", ["desk"], pusher=pusher, options=bearing(installation, Role.MARKER))
        await tell(program, "join", ["desk"], channel="attendance")
        await program.hear("here", ["Marker", "Viewer"], "desk")
        await program.hear("joining", "Marker", "wall")
        await tell(program, "leave", ["desk"], channel="attendance")
        await program.hear("leaving", "Marker", "wall")
        assert program.said["wall"]["joining"] == ["Marker"]
        assert program.said["desk"]["joining"] == []


async def test_nothing_of_a_day_is_missed_while_the_server_was_killed(
    workshop: Path, database_url: str, redis_server: Redis, tmp_path: Path
) -> None:
    async with (
        killable(tmp_path, database_url, redis_server, echo_key=KEY) as killed,
        playing(workshop, killed.server.http) as program,
    ):
        await live(program)
        await tell(program, "day", date=TODAY)
        await tell(program, "watch")
        await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        await program.hear("all read", 1, *PUSHERS)
        await killed.mark("Amina", "PRESENT")
        await program.hear("change", "Amina present", *PUSHERS)
        killed.server.kill()
        await killed.mark("Björn", "LATE")
        await killed.mark("Chloé", "ABSENT")
        killed.server.start()
        await program.hear("change", "Chloé absent", *PUSHERS)
        await killed.mark("Amina", "REMOTE")
        await program.hear("change", "Amina remote", *PUSHERS)
        once = ["Amina present", "Björn late", "Chloé absent", "Amina remote"]
        assert all_said(program, "change") == [once] * 2
        await program.hear("all read", 2, *PUSHERS)  # since this channel sends nothing again
        assert all_said(program, "day read") == [[1]] * 2


async def test_a_day_whose_cursor_leads_nowhere_is_read_anew(workshop: Path, installation: Installation) -> None:
    async with playing(workshop, installation.address.http) as program:
        await live(program)
        await tell(program, "day", date=TODAY, cursor="nonsense")
        await program.hear("day read", 2, *PUSHERS)
        await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        await late(installation)
        await program.hear("change", "Amina late", *PUSHERS)
        assert all_said(program, "day read") == [[1, 2], [1, 2]]


async def test_a_token_that_expires_is_renewed_and_nothing_is_missed(
    workshop: Path, installation: Installation, clock: TurnedClock
) -> None:
    lifetime = installation.application.settings.access_token_seconds
    async with playing(workshop, installation.address.http) as program:
        await live(program)
        await tell(program, "day", date=TODAY)
        await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        await late(installation)
        await program.hear("change", "Amina late", *PUSHERS)
        marker = installation.marker
        clock.turn(seconds=lifetime - 1)
        await marker.mark(installation.staff["Björn"], TODAY, status="LATE")
        clock.turn(seconds=2)
        await program.hear("closed", 4100, *PUSHERS)
        await program.hear("change", "Björn late", *PUSHERS)
        await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        assert all_said(program, "change") == [["Amina late", "Björn late"]] * 2


async def test_a_logout_ends_the_socket_for_good(workshop: Path, installation: Installation) -> None:
    async with counting(installation.address.port) as door, playing(workshop, door.http) as program:
        await listening(program, PUSHERS, "private", "attendance", options=bearing(installation, Role.VIEWER))
        await installation.viewer.ask("mutation { logout { errors { message } } }")
        await program.hear("closed", 4009, *PUSHERS)
        await program.hear("state", "disconnected", *PUSHERS)  # out of which only the page itself leads
        again = ["allowed"]
        await listening(program, again, "private", "attendance", options=bearing(installation, Role.MARKER))
        await program.hear("event", await late(installation), *again)
        assert all_said(program, "event") == [[], []]
        assert len(door.opened) == 3


@pytest.mark.parametrize("client", PUSHERS)
async def test_a_refused_token_makes_no_storm(
    workshop: Path, furnished_url: str, clock: TurnedClock, client: str
) -> None:
    async with (
        install(furnished_url, clock=clock, echo_idle_seconds=0.1, **QUICK) as installation,
        counting(installation.address.port) as door,
        playing(workshop, door.http) as program,
    ):
        await tell(program, "open", [client], options={**bearing(installation, Role.VIEWER), "bearerToken": "nonsense"})
        await tell(program, "private", [client], channel="attendance")
        assert await fourth_connection(door) > 3  # a second after each close
        await program.hear("refused", ["private-attendance", "AuthError"], client)


@pytest.mark.parametrize("client", PUSHERS)
async def test_a_full_server_makes_no_storm(
    workshop: Path, furnished_url: str, clock: TurnedClock, client: str
) -> None:
    async with (
        install(furnished_url, clock=clock, max_sockets_per_address=1, echo_public=True, **QUICK) as installation,
        playing(workshop, installation.address.http) as first,
        counting(installation.address.port) as door,
        playing(workshop, door.http) as program,
    ):
        await listening(first, [client], "channel", "attendance")
        await tell(program, "open", [client])
        assert await fourth_connection(door) > 3


async def test_a_server_that_drains_is_come_back_to_without_a_storm(
    workshop: Path, furnished_url: str, clock: TurnedClock
) -> None:
    port = free_port()
    async with counting(port) as door, playing(workshop, door.http) as program:
        async with install(furnished_url, clock=clock, port=port, drain_seconds=0.1, **QUICK) as installation:
            staff = installation.staff
            await live(program)
            await tell(program, "day", date=TODAY)
            await program.hear("subscribed", f"attendance.{TODAY}", *PUSHERS)
        async with install(furnished_url, clock=clock, port=port, furnish=False, **QUICK) as installation:
            installation.staff = staff
            await late(installation)
            await program.hear("closed", 4100, *PUSHERS)
            await program.hear("change", "Amina late", *PUSHERS)
            # The first one, one after a second, and, if that came too early, one after another fifteen.
            assert len(door.opened) <= 3 * len(PUSHERS)


@pytest.mark.parametrize(("client", "ends"), [("pusher-js 7", "failed"), ("pusher-js 8", "connected")])
async def test_a_broken_connection_comes_back_but_with_pusher_js_7_only_once(
    workshop: Path, installation: Installation, client: str, ends: str
) -> None:
    async with counting(installation.address.port) as door, playing(workshop, door.http) as program:
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
    workshop: Path, furnished_url: str, clock: TurnedClock, redis_server: Redis, tmp_path: Path
) -> None:
    prefix = f"{uuid4().hex}_database_"
    shared: dict[str, Any] = {"broadcast_url": redis_server.url, "broadcast_channel": uuid4().hex}
    relayed: dict[str, Any] = {"echo_channel": "attendance", "echo_prefix": prefix}
    async with install(furnished_url, clock=clock, **QUICK, **shared, **relayed) as installation:
        with laravel_echo_server(tmp_path, redis_server, prefix, installation.address.http) as host:
            async with playing(workshop, host) as program:
                options = {"host": host, "bearerToken": installation.tokens[Role.VIEWER]}
                await tell(program, "socketIo", ["wall"], channel="attendance", options=options)
                await program.hear("here", ["Viewer"], "wall")
                first, second = [without_note(await late(installation, name)) for name in ("Amina", "Chloé")]
                del first["cursor"], second["cursor"]
                await program.hear("event", {**second, "socket": None}, "wall")
                assert program.said["wall"]["event"] == [{**first, "socket": None}, {**second, "socket": None}]


PAGE = ROOT / "docs" / "from-laravel.md"


async def test_the_users_of_the_documentation_can_do_what_they_need(
    workshop: Path, furnished_url: str, clock: TurnedClock, own_redis: RedisServer, tmp_path: Path
) -> None:
    written = re.findall(r"^redis-cli (ACL SETUSER .*?[^\\])$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    prefix = "laravel_database_"
    with own_redis.client() as client:
        for command in written:
            client.execute_command(*shlex.split(command.replace("\\\n", " ")))
    url = own_redis.url.replace("//", "//memberstaff:a%20long%20password@")
    relayed: dict[str, Any] = {"broadcast_url": url, "echo_channel": "attendance", "echo_prefix": prefix}
    login = {"username": "echo", "password": "another long password"}
    async with install(furnished_url, clock=clock, **QUICK, **relayed) as installation:
        with laravel_echo_server(tmp_path, own_redis, prefix, installation.address.http, **login) as host:
            async with playing(workshop, host) as program:
                options = {"host": host, "bearerToken": installation.tokens[Role.VIEWER]}
                await tell(program, "socketIo", ["wall"], channel="attendance", options=options)
                await program.hear("here", ["Viewer"], "wall")
                services: Any = installation.application.services
                await until(lambda: bool(services["relay"].__self__.leading))
                await until(lambda: bool(services["presence"].__self__.channel.subscribed))
                assert installation.application.notifier.subscribed
                event = without_note(await late(installation, "Amina"))
                del event["cursor"]
                await program.hear("event", {**event, "socket": None}, "wall")
    with own_redis.client(**login) as client:
        for refused in (("PUBLISH", "memberstaff", "x"), ("GET", "memberstaff:relay"), ("SUBSCRIBE", "memberstaff")):
            with pytest.raises(NoPermissionError):
                client.execute_command(*refused)


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
