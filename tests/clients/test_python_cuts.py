"""The Python client over a network that breaks every connection somewhere, often in the middle of an event."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress

import pytest

from memberstaff.access import Role
from memberstaff_client import Attendance, Unavailable
from memberstaff_client.transport import OverEventLoop
from tests.clock import TODAY, TurnedClock
from tests.installation import PASSWORD, Installation, email, renew_tokens
from tests.waiting import WAIT_SECONDS


class Hasty(OverEventLoop):
    """Tries again at once."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(0)


@asynccontextmanager
async def cutting(port: int, chance: random.Random) -> AsyncIterator[str]:
    """The address of a proxy that passes on a number of bytes of what the server sends, and then breaks off."""

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, allowed: int) -> None:
        with suppress(ConnectionError):
            while allowed and (some := await reader.read(min(allowed, 65_536))):
                writer.write(some)
                await writer.drain()
                allowed -= len(some)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection("127.0.0.1", port)
        allowed = chance.choice((chance.randrange(1_200), chance.randrange(6_000)))
        await asyncio.gather(pipe(reader, to_server, 1 << 30), pipe(from_server, writer, allowed))

    listening = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"


@pytest.mark.parametrize("seed", [1, 2])
async def test_each_change_comes_once_and_in_order_wherever_connections_break(
    installation: Installation, clock: TurnedClock, seed: int
) -> None:
    amina, statuses = installation.staff["Amina"], ["LATE", "PRESENT", "ABSENT", "REMOTE"] * 10
    direct = int(installation.address.http.rpartition(":")[2])
    async with asyncio.timeout(WAIT_SECONDS), cutting(direct, random.Random(seed)) as address:
        attendance = Attendance(
            address, email=email(Role.MARKER), password=PASSWORD, transport=Hasty(address, WAIT_SECONDS)
        )
        day, begun = attendance.day(TODAY), False
        while not begun:
            with suppress(Unavailable):
                begun = bool(await day.board())
        async with attendance, aclosing(day.changes()) as changes:
            following = asyncio.ensure_future(anext(changes))
            seen: list[tuple[int, str]] = []
            for number, status in enumerate(statuses, 1):
                if number == len(statuses) // 2:
                    clock.turn(seconds=installation.application.settings.access_token_seconds + 1)
                    await renew_tokens(installation)
                await installation.marker.mark(amina, TODAY, status=status)
                if number % 4 == 0:  # so that changes come one by one, and several together
                    while len(seen) < number:
                        seen.append(((record := await following).version, record.status))
                        following = asyncio.ensure_future(anext(changes))
            following.cancel()
            with suppress(asyncio.CancelledError):
                await following
        assert seen == list(enumerate(statuses, 1))
