"""The session of the TypeScript client: it begins in several ways, renews itself, and says when it is over."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pytest

from memberstaff.access import Role
from tests.clients.program import Program, playing, started
from tests.clock import TODAY, TurnedClock
from tests.databases import Engine
from tests.installation import PASSWORD, Installation, email, install, renew_tokens

OVER = "SessionEnded"
REFUSED = "The session has ended. Log in again."


async def tell(program: Program, command: str, **values: Any) -> dict[str, list[Any]]:
    """Have the session do something; answers what it has said so far."""
    before = len(program.said["session"]["done"])
    await program.tell(command, **values)
    while len(program.said["session"]["done"]) == before:
        await program.listen()
    return program.said["session"]


async def test_a_stored_refresh_token_goes_on_with_the_session(workshop: Path, installation: Installation) -> None:
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        login = {"email": email(Role.VIEWER), "password": PASSWORD}
        [stored] = (await tell(program, "begin", credentials=login))["stored"]
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        said = await tell(program, "begin", credentials={"refreshToken": stored})
        assert said["in"] == [True]
        [newer] = said["stored"]
        assert newer != stored


async def test_a_refused_token_is_renewed_once_however_many_requests_it_was_refused_to(
    workshop: Path, installation: Installation
) -> None:
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        login = {"email": email(Role.VIEWER), "password": PASSWORD}
        await tell(program, "begin", credentials=login)
        said = await tell(program, "refused")
        assert said["in"] == [True, True]
        assert len(said["stored"]) == len(set(said["stored"])) == 2


@pytest.mark.parametrize(
    ("credentials", "reason", "stored"),
    [
        ({"email": email(Role.VIEWER), "password": "wrong"}, "The email or the password is wrong.", []),
        ({"refreshToken": "nonsense"}, REFUSED, [None]),
        ({"stored": True}, "Nobody is logged in.", []),
        ({"cookie": True}, REFUSED, [None]),
    ],
    ids=["a wrong password", "no refresh token", "nothing stored", "no cookie"],
)
async def test_a_session_that_does_not_begin_says_why(
    workshop: Path, installation: Installation, credentials: dict[str, Any], reason: str, stored: list[None]
) -> None:
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        said = await tell(program, "begin", credentials=credentials)
        assert (said["over"], said["stored"], said["in"]) == ([[OVER, reason]], stored, [])


async def test_tabs_share_a_stored_session(workshop: Path, installation: Installation, clock: TurnedClock) -> None:
    """A refresh token that was replaced some time ago would end it."""
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        await tell(program, "begin", credentials={"email": email(Role.VIEWER), "password": PASSWORD})
        await tell(program, "open")
        for _ in range(2):
            clock.turn(seconds=60)
            said = await tell(program, "renew")
        assert said["tabs"] == [4, 4]
        assert len(said["stored"]) == len(set(said["stored"])) == 1 + 3 + 4 + 4


async def test_tabs_that_cannot_wait_for_each_other_renew_a_stored_login_at_once_and_lose_nothing(
    workshop: Path, installation: Installation, clock: TurnedClock
) -> None:
    """Pages without TLS have no Web Locks. A login in a cookie may end there: no tab sees what another one has got."""
    login = {"email": email(Role.VIEWER), "password": PASSWORD}
    async with started(workshop, "players/session.ts", installation.address.http, "without-locks") as program:
        await tell(program, "begin", credentials=login)
        await tell(program, "open")
        for _ in range(3):
            clock.turn(seconds=60)
            said = await tell(program, "renew")
        assert said["tabs"] == [4, 4, 4]
        assert None not in said["stored"]


async def test_a_tab_ends_when_somebody_else_has_logged_in(workshop: Path, installation: Installation) -> None:
    """It shares the storage, and would go on as another account."""
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        await tell(program, "begin", credentials={"email": email(Role.VIEWER), "password": PASSWORD})
        said = await tell(program, "replace", credentials={"email": email(Role.ADMIN), "password": PASSWORD})
        assert said["over"] == [[OVER, "Somebody else has logged in here since."]]
        assert said["in"] == [True, True, True]
        assert None not in said["stored"]


async def test_whoever_logs_out_has_no_token_and_nothing_stored(workshop: Path, installation: Installation) -> None:
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        await tell(program, "begin", credentials={"email": email(Role.VIEWER), "password": PASSWORD})
        [stored] = program.said["session"]["stored"]
        await tell(program, "logout")
        said = await tell(program, "token")
        assert (said["over"], said["stored"]) == ([[OVER, "You have logged out."]], [stored, None])
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        said = await tell(program, "begin", credentials={"refreshToken": stored})
        assert said["over"] == [[OVER, REFUSED]]


async def test_whoever_changes_their_password_stays_logged_in(workshop: Path, installation: Installation) -> None:
    login = {"email": email(Role.VIEWER), "password": PASSWORD}
    new = "another good password"
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        await tell(program, "begin", credentials=login)
        wrong = await tell(program, "change", **{"from": "wrong", "to": new})
        assert [answer[0] for answer in wrong["answer"]] == ["BAD_CREDENTIALS"]
        said = await tell(program, "change", **{"from": PASSWORD, "to": new})
        assert said["answer"][1:] == [None]
        await tell(program, "refused")
        assert len(set(said["stored"])) == 3
        assert said["in"] == [True, True]
        assert said["state"] == [["starting", None], ["in", "Viewer"]]


async def test_a_session_that_is_over_begins_again_with_a_login(workshop: Path, installation: Installation) -> None:
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        await tell(program, "begin", credentials={"stored": True})
        await tell(program, "login", email=email(Role.VIEWER), password="wrong")
        said = await tell(program, "login", email=email(Role.VIEWER), password=PASSWORD)
        assert said["answer"] == [["BAD_CREDENTIALS", "The email or the password is wrong."], None]
        await tell(program, "token")
        await tell(program, "logout")
        await tell(program, "login", email=email(Role.ADMIN), password=PASSWORD)
        assert said["state"] == [
            ["starting", None],
            ["out", "Nobody is logged in."],
            ["in", "Viewer"],
            ["out", "You have logged out."],
            ["in", "Admin"],
        ]


async def test_tabs_with_a_cookie_share_a_login_a_new_password_and_a_logout(
    workshop: Path, installation: Installation
) -> None:
    async with started(workshop, "players/session.ts", installation.address.http) as program:
        await tell(program, "visit")
        await tell(program, "login", email=email(Role.VIEWER), password=PASSWORD)
        await program.hear("one", ["in", "Viewer"], "session")
        await program.hear("two", ["in", "Viewer"], "session")
        await tell(program, "change", **{"from": PASSWORD, "to": "another good password"})
        said = await tell(program, "renew")
        assert (said["answer"], said["tabs"]) == ([None, None], [2])
        await tell(program, "logout")
        await program.hear("two", ["out", "You have logged out."], "session")
        for tab in ("one", "two"):
            assert [status for status, _ in groupby(said[tab], key=itemgetter(0))] == ["starting", "out", "in", "out"]


async def test_a_socket_outlives_its_token(
    workshop: Path, furnished_url: str, clock: TurnedClock, engine: Engine
) -> None:
    """The client renews halfway through so short a life, and tells the socket; the server's clock is turned by hand."""
    settings: dict[str, Any] = {"poll_seconds": 0.05, "logins_per_minute": 100, "access_token_seconds": 10}
    async with (
        install(furnished_url, clock=clock, **settings) as installation,
        playing(workshop, installation.address.http, TODAY, "plain-websocket") as program,
    ):
        await program.tell("show")
        await program.hear("done", "show", "plain-websocket")
        clock.turn(seconds=5)
        await program.hear("renewed", 1, "plain-websocket")
        await program.hear("renewal", "acknowledged", "network")
        clock.turn(seconds=6)
        await renew_tokens(installation)
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        await program.hear("change", "Amina LATE", "plain-websocket")
        assert program.said["network"]["sockets"] == [1]


async def test_a_login_that_has_ended_ends_what_it_follows(workshop: Path, installation: Installation) -> None:
    clients = ["apollo-websocket", "urql-websocket", "relay-websocket", "apollo-events", "plain-events"]
    disable = "mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { errors { message } } }"
    async with playing(workshop, installation.address.http, TODAY, *clients) as program:
        await program.tell("show")
        await program.hear("done", "show", *clients)
        await program.tell("watch")
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
        await program.hear("change", "Amina LATE", *clients)
        accounts = (await installation.admin.ask("{ accounts { edges { node { id role } } } }"))["accounts"]["edges"]
        [marker] = [edge["node"]["id"] for edge in accounts if edge["node"]["role"] == "MARKER"]
        await installation.admin.ask(disable, input={"id": marker, "isDisabled": True})
        await program.hear("refused", OVER, *clients)
