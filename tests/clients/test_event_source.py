"""An EventSource, which comes back by itself whenever a stream ends, stops when there is nothing more for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from memberstaff.access import Role
from memberstaff.attendance.cursor import Cursor
from tests.clients.program import started
from tests.clock import TODAY
from tests.front_ends import BOARD
from tests.installation import Installation

WATCH = f'subscription {{ attendanceUpdated(date: "{TODAY}") {{ staffName }} }}'


async def stopped(
    workshop: Path,
    installation: Installation,
    query: str,
    status: int,
    connections: int,
    last: str = "",
    token: str = "",
) -> dict[str, list[Any]]:
    """What an EventSource is told until it is stopped, by this status of its last connection."""
    words = [installation.address.http, token or installation.tokens[Role.VIEWER], query, *([last] if last else [])]
    async with started(workshop, "players/stops.ts", *words) as program:
        await program.hear("stopped", [status, connections], "event-source")
    return dict(program.said["event-source"])


async def test_a_query_is_asked_once(workshop: Path, installation: Installation) -> None:
    said = await stopped(workshop, installation, "{ viewer { role } }", 204, 2)
    assert said["next"] == [{"data": {"viewer": {"role": "VIEWER"}}}]
    assert said["complete"] == ["complete"]


async def test_what_is_refused_at_first_is_told_once(workshop: Path, installation: Installation) -> None:
    said = await stopped(workshop, installation, WATCH, 204, 2, token="nonsense")
    assert [result["errors"][0]["extensions"]["code"] for result in said["next"]] == ["UNAUTHENTICATED"]


@pytest.mark.parametrize(("token", "status"), [("", 409), ("nonsense", 401)])
async def test_a_resume_that_is_refused_stops_it_at_once(
    workshop: Path, installation: Installation, token: str, status: int
) -> None:
    day = (await installation.viewer.ask(BOARD, date=TODAY))["attendanceDay"]
    cursor = Cursor.parse(day["records"]["feedCursor"])
    other = str(Cursor(1, cursor.date, 0))
    said = await stopped(workshop, installation, WATCH, status, 1, other, token)
    assert "next" not in said
