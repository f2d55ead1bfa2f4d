"""What the tests of bad input, bad changes and bad queries share."""

from __future__ import annotations

import re

from sqlalchemy import func, select

from memberstaff.db.tables import attendance_revision
from tests.installation import Installation

BULK = """mutation ($input: BulkUpdateAttendanceInput!) {
  bulkUpdateAttendance(input: $input) { day { summary { present } } attendances { staffName }
    errors { code path message } } }"""


INSIDES = re.compile(
    r"Traceback|sqlalchemy|sqlite|asyncpg|SELECT |INSERT |Error\b|Exception|<class|object at|NoneType|\bself\b"
    r"|memberstaff\."
)
"""What no message for a client may hold."""


async def revisions(installation: Installation) -> int:
    async with installation.application.database.read() as reading:
        return int(await reading.scalar(select(func.count()).select_from(attendance_revision)))
