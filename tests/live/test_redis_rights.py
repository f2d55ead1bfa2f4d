"""Redis gives memberstaff no more than it needs, over TLS: the users of the documentation, on each kind of Redis."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog
from redis.exceptions import NoPermissionError

from memberstaff.access import Role
from tests.clock import TODAY
from tests.infrastructure.process import running
from tests.infrastructure.redis import Redis, RedisServer
from tests.infrastructure.redis_groups import Cluster, Sentinels
from tests.infrastructure.tls import behind_tls
from tests.installation import Installation, install
from tests.pusher import KEY, echo
from tests.waiting import until

PAGE = (Path(__file__).parents[2] / "docs" / "redis.md").read_text(encoding="utf-8")
LOGIN = "memberstaff:PASSWORD@"

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


def user_of_the_page() -> str:
    [user] = re.findall(r"^user (memberstaff .*)$", PAGE, re.MULTILINE)
    return str(user)


def rights_of(whom: str) -> str:
    """That the page says so in a sentence."""
    [rights] = re.findall(rf"{whom}[^`]*`([^`]*[+][^`]*)`", PAGE)
    return str(rights)


def add_user(server: Redis, user: str) -> None:
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", *user.split())


Served = AbstractAsyncContextManager[tuple[str, list[Redis]]]


@asynccontextmanager
async def one_with_tls(folder: Path) -> AsyncIterator[tuple[str, list[Redis]]]:
    with running(RedisServer(folder / "redis")) as server:
        add_user(server, user_of_the_page())
        async with behind_tls(server.port, folder) as (port, file):
            yield f"rediss://{LOGIN}127.0.0.1:{port}/0?ssl_ca_certs={file}", [server]


@asynccontextmanager
async def sentinels(folder: Path) -> AsyncIterator[tuple[str, list[Redis]]]:
    with running(Sentinels(folder / "redis")) as group:
        guards = [Redis(f"redis://127.0.0.1:{port}") for port in group.ports]
        for server in group.servers:
            add_user(server, user_of_the_page())
        for guard in guards:
            add_user(guard, f"guarded on >GUARD {rights_of('Sentinels need of their users')}")
        url = group.url.replace("//", f"//{LOGIN}")
        yield f"{url}?sentinel_username=guarded&sentinel_password=GUARD", [*group.servers, *guards]


@asynccontextmanager
async def cluster(folder: Path) -> AsyncIterator[tuple[str, list[Redis]]]:
    with running(Cluster(folder / "redis")) as group:
        for server in group.servers:
            add_user(server, f"{user_of_the_page()} {rights_of('On a cluster add')}")
        yield group.url.replace("//", f"//{LOGIN}"), [*group.servers]


def refused(servers: Iterable[Redis]) -> list[str]:
    """What any of them has refused so far."""
    found = []
    for server in servers:
        with server.client() as client:
            found += [f"{entry['reason']} {entry['object']}" for entry in client.acl_log()]
    return found


async def everything_works(office: Installation) -> None:
    """Changes, presence and the relay."""
    services: Any = office.application.services
    await until(lambda: office.application.notifier.subscribed)
    await until(lambda: bool(services["relay"].__self__.leading))
    await until(lambda: bool(services["presence"].__self__.channel.subscribed))
    async with office.watching(TODAY) as board, echo(office) as client:
        await client.joined("presence-attendance", Role.MARKER)
        await office.admin.mark(office.staff["Amina"], TODAY, status="LATE")
        assert (await board.change())["staffName"] == "Amina"


@pytest.mark.parametrize("kind", [one_with_tls, sentinels, cluster])
async def test_the_user_of_the_page_may_do_what_is_needed_and_no_more(
    furnished_url: str, tmp_path: Path, kind: Callable[[Path], Served]
) -> None:
    async with kind(tmp_path) as (url, servers):
        settings: dict[str, Any] = {"broadcast_url": url, "echo_key": KEY, "echo_channel": "attendance"}
        for server in servers:
            add_user(server, "memberstaff &attendance")
        async with install(furnished_url, poll_seconds=60, **settings) as office:
            await everything_works(office)
        assert refused(servers) == []
        with servers[0].client(username="memberstaff", password="PASSWORD") as client:
            for command in (
                ("GET", "other"),
                ("SCAN", "0"),
                ("SUBSCRIBE", "other"),
                ("CONFIG", "GET", "*"),
                ("FLUSHDB",),
            ):
                with pytest.raises(NoPermissionError):
                    client.execute_command(*command)


async def test_a_server_with_a_certificate_that_nobody_knows_is_not_believed(
    furnished_url: str, tmp_path: Path, own_redis: RedisServer
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with behind_tls(own_redis.port, tmp_path) as (port, _), behind_tls(own_redis.port, other) as (_, file):
        url = f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={file}"
        with structlog.testing.capture_logs() as lines:
            async with install(furnished_url, broadcast_url=url) as office:
                await until(lambda: any(line["event"].startswith("Redis is unreachable") for line in lines))
                assert not office.application.notifier.subscribed
