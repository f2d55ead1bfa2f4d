"""Access tokens are short-lived: a client renews its own, comes back with it, and has missed nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients.program import CLIENTS, playing
from tests.clock import TODAY, TurnedClock
from tests.installation import Installation, renew_tokens


@pytest.mark.parametrize("client", CLIENTS)
async def test_a_client_whose_token_expires_comes_back_with_another(
    workshop: Path, installation: Installation, clock: TurnedClock, client: str
) -> None:
    lifetime = installation.application.settings.access_token_seconds
    async with playing(workshop, installation.address.http, TODAY, client) as program:
        await program.tell("show")
        await program.hear("done", "show", client)
        await program.tell("watch")
        await installation.marker.mark(installation.staff["Amina"], TODAY, status="PRESENT")
        await program.hear("change", "Amina PRESENT", client)
        for times, name in enumerate(["Björn", "Chloé"], start=1):  # a subscription outlives many a token
            clock.turn(seconds=lifetime + 1)
            await renew_tokens(installation)
            await installation.marker.mark(installation.staff[name], TODAY, status="LATE")
            await program.hear("renewed", times, client)
            await program.hear("change", f"{name} LATE", client)
        await installation.marker.mark(installation.staff["Дмитрий"], TODAY, status="ABSENT")
        await program.hear("change", "Дмитрий ABSENT", client)
        assert program.said[client]["change"] == ["Amina PRESENT", "Björn LATE", "Chloé LATE", "Дмитрий ABSENT"]
