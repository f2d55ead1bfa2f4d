"""One person marks, and everybody who watches that day sees it."""

from __future__ import annotations

from memberstaff.access import Role
from tests.clock import TODAY
from tests.installation import Installation


async def test_a_mark_reaches_every_board_of_that_day_also_the_senders_own(on_any_path: Installation) -> None:
    amina = on_any_path.staff["Amina"]
    async with (
        on_any_path.watching(TODAY, Role.VIEWER) as wall,
        on_any_path.watching(TODAY, Role.MARKER) as desk,
    ):
        payload = await on_any_path.marker.mark(amina, TODAY, status="LATE", note="Train delayed")
        assert payload["errors"] == []
        expected = {
            "id": payload["attendance"]["id"],
            "staffName": "Amina",
            "staffCategory": "Teaching",
            "status": "LATE",
            "note": "Train delayed",
            "version": 1,
            "updatedBy": "Marker",
            "updatedAt": "2026-01-12T08:00:00.000Z",
            "feedCursor": payload["attendance"]["feedCursor"],
        }
        assert await desk.change() == expected
        assert await wall.change() == expected | {"note": None}
