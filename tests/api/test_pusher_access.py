"""Who may subscribe to which channel over the Pusher protocol, and for how long."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select

from memberstaff.access import Role
from memberstaff.db.retention import Retention
from memberstaff.db.tables import channel_grant
from tests.api.echoes import DAY
from tests.clock import TurnedClock
from tests.installation import Installation
from tests.pusher import KEY, authorise, echo


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    return {"echo_key": KEY, "poll_seconds": 0.05}


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "channel", ["private-staff", "private-attendance.2026-02-30", "private-attendance.x", "x" * 5_000, "presence-x"]
)
async def test_a_channel_that_does_not_exist_is_refused(installation: Installation, channel: str) -> None:
    assert (await authorise(installation, Role.ADMIN, "1.2", channel)).status_code == 403
    async with echo(installation) as client:
        assert (await client.subscribe(channel))["data"]["status"] == 403


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_without_a_login_there_is_no_authorisation_and_no_subscription(installation: Installation) -> None:
    async with echo(installation) as client:
        for headers in ({}, {"Authorization": "Bearer nonsense"}):
            fields = {"socket_id": client.socket_id, "channel_name": DAY}
            answer = await installation.http.post("/broadcasting/auth", data=fields, headers=headers)
            assert answer.status_code == 401
            assert set(answer.json()) == {"message"}
        refused = await client.subscribe(DAY)
        assert (refused["data"]["type"], refused["data"]["status"]) == ("AuthError", 401)


async def test_an_authorisation_is_for_one_socket_one_channel_and_one_time(installation: Installation) -> None:
    async with echo(installation) as one, echo(installation) as other:
        auth = (await authorise(installation, Role.VIEWER, one.socket_id, DAY)).json()
        for client, channel in ((other, DAY), (one, "private-attendance")):
            await client.send("pusher:subscribe", {"channel": channel, **auth})
            assert (await client.hear())["data"]["status"] == 401
        await one.send("pusher:subscribe", {"channel": DAY, **auth})
        assert (await one.hear())["event"] == "pusher_internal:subscription_succeeded"
        await one.send("pusher:unsubscribe", {"channel": DAY})
        await one.send("pusher:subscribe", {"channel": DAY, **auth})
        assert (await one.hear())["data"]["status"] == 401


async def test_grants_that_nobody_uses_do_not_stay(installation: Installation, clock: TurnedClock) -> None:
    async with echo(installation) as client:
        old = (await authorise(installation, Role.VIEWER, client.socket_id, DAY)).json()
        clock.turn(seconds=61)
        await client.send("pusher:subscribe", {"channel": DAY, **old})
        assert (await client.hear())["data"]["status"] == 401
        await authorise(installation, Role.VIEWER, "1.1", DAY)
        clock.turn(seconds=61)
        await authorise(installation, Role.VIEWER, "1.2", DAY)
        await Retention(installation.application.database, audit_days=0).prune()
    async with installation.application.database.read() as reading:
        assert await reading.scalar(select(func.count()).select_from(channel_grant)) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_what_the_authorisation_refuses(installation: Installation) -> None:
    async def status(**fields: Any) -> int:
        headers = {"Authorization": f"Bearer {installation.tokens[Role.VIEWER]}"}
        return (await installation.http.post("/broadcasting/auth", json=fields, headers=headers)).status_code

    assert await status(socket_id="1.2", channel_name=DAY) == 200
    assert await status(socket_id="nobody's", channel_name=DAY) == 422
    assert await status(socket_id=12, channel_name=DAY) == 422
    assert await status(socket_id="1.2", channel_name="attendance") == 403
    assert await status(socket_id="1.2", channel_name="private-attendance", cursor="x") == 422
    assert await status(socket_id="1.2", channel_name=DAY, cursor="x" * 201) == 422
    assert await status(socket_id="1.2", channel_name=DAY, cursor="\0") == 422
    assert await status(socket_id="1.2", channel_name="\0") == 422
    assert await status(socket_id="1.2", channel_name=DAY, more="x" * 20_000) == 413
    assert (await installation.http.get("/broadcasting/auth")).status_code == 405


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_laravel_echo_server_is_answered_in_its_own_shape(installation: Installation) -> None:
    async def answer(channel: str) -> Any:
        headers = {"Authorization": f"Bearer {installation.tokens[Role.VIEWER]}"}
        sent = await installation.http.post("/broadcasting/auth", data={"channel_name": channel}, headers=headers)
        assert sent.status_code == 200
        return sent.json()

    told = await answer("presence-attendance")
    assert told == {"channel_data": {"user_id": told["channel_data"]["user_id"], "user_info": {"name": "Viewer"}}}
    assert "auth" not in await answer("private-attendance")
