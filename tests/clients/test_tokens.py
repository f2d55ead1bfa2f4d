"""Access tokens are short-lived: a client renews its own, comes back with it, and has missed nothing."""

from __future__ import annotations

from pathlib import Path

from tests.clients.program import CLIENTS, all_told, playing
from tests.clock import TODAY, TurnedClock
from tests.installation import Installation, renew_tokens


async def test_a_client_whose_token_expires_comes_back_with_another(
    workshop: Path, installation: Installation, clock: TurnedClock
) -> None:
    lifetime = installation.application.settings.access_token_seconds
    async with playing(workshop, installation.address.http, TODAY, *CLIENTS) as program:
        await program.tell("show")
        await program.hear("done", "show", *CLIENTS)
        await program.tell("watch")
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="PRESENT")
        await program.hear("change", "Amina PRESENT", *CLIENTS)
        for times, name in enumerate(["Björn", "Chloé"], start=1):  # a subscription outlives many a token
            clock.turn(seconds=lifetime + 1)
            await renew_tokens(installation)
            await installation.marker.mark(installation.staff[name], TODAY, status="LATE")
            await program.hear("renewed", times, *CLIENTS)
            await program.hear("change", f"{name} LATE", *CLIENTS)
        await installation.marker.mark(installation.staff["Дмитрий"], TODAY, status="ABSENT")
        await program.hear("change", "Дмитрий ABSENT", *CLIENTS)
        all_told(program, CLIENTS, "Amina PRESENT", "Björn LATE", "Chloé LATE", "Дмитрий ABSENT")
