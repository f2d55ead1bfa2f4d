"""What the tests of the Pusher protocol do and look at."""

from __future__ import annotations

from typing import Any

from tests.clock import TODAY
from tests.installation import Installation

DAY = f"private-attendance.{TODAY}"


async def mark(installation: Installation, name: str, status: str, day: str = TODAY, **values: Any) -> None:
    payload = await installation.admin.mark(installation.staff[name], day, status=status, **values)
    assert payload["errors"] == []


def names(changes: list[dict[str, Any]]) -> list[str]:
    return [change["attendanceData"]["staff_name"] for change in changes]
