"""The server process is killed and started again: every client goes on where it was, and sees each change once."""

from __future__ import annotations

from pathlib import Path

from tests.clients.follower import following, following_in_a_thread
from tests.clients.killable import killable
from tests.clients.program import CLIENTS, playing
from tests.clock import TODAY
from tests.infrastructure.redis import Redis


async def test_every_client_resumes_after_the_server_was_killed(
    workshop: Path, database_url: str, redis_server: Redis, tmp_path: Path
) -> None:
    async with (
        killable(tmp_path, database_url, redis_server) as killed,
        playing(workshop, killed.server.http, TODAY, *CLIENTS) as program,
        following(killed.server.http, TODAY) as python,
        following_in_a_thread(killed.server.http, TODAY, until="Amina REMOTE") as thread,
    ):

        async def heard(change: str) -> None:
            await program.hear("change", change, *CLIENTS)
            await python.hear(change)
            await thread.hear(change)

        await program.tell("show")
        await program.hear("done", "show", *CLIENTS)
        await program.tell("watch")
        await killed.mark("Amina", "PRESENT")
        await heard("Amina PRESENT")
        killed.server.kill()
        await killed.mark("Björn", "LATE")
        await killed.mark("Chloé", "ABSENT")
        killed.server.start()
        await heard("Chloé ABSENT")
        await killed.mark("Amina", "REMOTE")
        await heard("Amina REMOTE")
        once = ["Amina PRESENT", "Björn LATE", "Chloé ABSENT", "Amina REMOTE"]
        seen = {client: program.said[client]["change"] for client in CLIENTS}
        seen |= {"python": python.seen, "python, without a loop": thread.seen}
        assert seen == dict.fromkeys(seen, once)
