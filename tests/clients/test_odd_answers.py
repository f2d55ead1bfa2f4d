"""What the TypeScript client does with odd answers, bursts and clocks, played without memberstaff's server."""

from __future__ import annotations

from pathlib import Path

from tests.clients.conftest import node


async def test_answers_of_proxies_and_gateways_are_taken_for_what_they_are(workshop: Path) -> None:
    assert await node(workshop, "players/odd.ts") == ""


async def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(workshop: Path) -> None:
    assert await node(workshop, "players/busy.ts") == ""


async def test_a_request_for_a_day_that_nobody_watches_any_more_is_ended(workshop: Path) -> None:
    assert await node(workshop, "players/given-up.ts") == ""


async def test_bursts_are_handed_on_together(workshop: Path) -> None:
    assert await node(workshop, "players/bursts.ts") == ""


async def test_own_updates_of_graphcache_run_beside_ours(workshop: Path) -> None:
    assert await node(workshop, "players/updates.ts") == ""


async def test_a_login_is_not_undone_by_what_was_under_way_before_it(workshop: Path) -> None:
    assert await node(workshop, "players/logins.ts") == ""


async def test_today_is_the_servers_and_moves_on_at_midnight(workshop: Path) -> None:
    assert await node(workshop, "players/midnight.ts") == ""
