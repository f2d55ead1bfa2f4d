"""Changing the secret, server by server: nobody is logged out, and changes pass, from the first restart to the last."""

from __future__ import annotations

from itertools import pairwise
from typing import Any
from uuid import uuid4

from pydantic import SecretStr

from memberstaff.access import Role
from tests.clock import TODAY, TurnedClock
from tests.infrastructure.redis import Redis
from tests.installation import PASSWORD, SECRET, Installation, email, install
from tests.pusher import KEY, authorise, echo
from tests.waiting import until

NEW = "the secret that takes the other one's place"
STEPS: list[dict[str, Any]] = [
    {"secret_key": SecretStr(SECRET)},
    {"secret_key": SecretStr(SECRET), "accepted_secret_key": SecretStr(NEW)},
    {"secret_key": SecretStr(NEW), "accepted_secret_key": SecretStr(SECRET)},
    {"secret_key": SecretStr(NEW)},
]
"""Settings that every server gets one after the other, as docs/secrets.md says."""


async def works_on(other: Installation, one: Installation) -> None:
    """Whoever logged in on the one server is at home on the other, and what is marked on either arrives there."""
    tokens, other.tokens = other.tokens, one.tokens
    async with other.watching(TODAY) as board, echo(other) as client:
        for server, status in ((one, "LATE"), (other, "ABSENT")):
            await server.admin.mark(one.staff["Amina"], TODAY, status=status)
            assert (await board.change())["status"] == status
        channel = f"private-attendance.{TODAY}"
        auth = (await authorise(one, Role.VIEWER, client.socket_id, channel)).json()
        await client.send("pusher:subscribe", {"channel": channel, **auth})
        assert (await client.hear())["event"] == "pusher_internal:subscription_succeeded"
        await client.joined("presence-attendance", Role.MARKER)
        await until(lambda: len(members(one)) == len(members(other)) == 1)
        assert members(one) == members(other)
    await until(lambda: members(one) == [])
    other.tokens = tokens


def members(installation: Installation) -> list[str]:
    """Who is on the presence channel, as a server knows them."""
    service: Any = installation.application.services["presence"]
    return list(service.__self__.subscription_data()["presence"]["ids"])


async def test_while_the_secret_is_changed_nobody_is_logged_out_and_changes_pass(
    postgres_url: str, redis_server: Redis
) -> None:
    """Each pair of servers is one of which the other half has been restarted."""
    shared: dict[str, Any] = {
        "broadcast_url": redis_server.url,
        "broadcast_channel": uuid4().hex,
        "echo_key": KEY,
        "poll_seconds": 60,  # what arrives came through Redis
        "clock": TurnedClock(),
    }
    login, refused = "", 0
    staff: dict[str, str] = {}
    for before, after in pairwise(STEPS):
        async with (
            install(postgres_url, furnish=not staff, **shared, **before) as one,
            install(postgres_url, furnish=False, **shared, **after) as other,
        ):
            await until(lambda: one.application.notifier.subscribed and other.application.notifier.subscribed)
            one.staff = other.staff = staff = staff or one.staff
            login = login or await logged_in(one)
            for server, peer in ((one, other), (other, one)):
                login, used = await refreshed(server, login), login
                assert await refreshed(peer, used) == login  # it gets the same successor, whichever server is asked
            await works_on(other, one)
            await works_on(one, other)
            refused += sum(server.application.notifier.channel.refused for server in (one, other))
    assert refused == 0


async def logged_in(server: Installation) -> str:
    """The first refresh token of a login."""
    login = await server.application.accounts.login(email(Role.VIEWER), PASSWORD, "192.0.2.1")
    return login.refresh_token


async def refreshed(server: Installation, token: str) -> str:
    """The refresh token's successor."""
    return (await server.application.accounts.refresh(token)).refresh_token
