"""What a mark reads: the rows that it is about, whatever else there is, and whatever PostgreSQL believes there is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import count

import pytest
from sqlalchemy import text

from memberstaff.attendance.rules import Mark
from memberstaff.changes import Status
from memberstaff.db.work import Work
from tests.services.school import School

pytestmark = pytest.mark.parametrize("engine", ["postgresql"])

TABLES = ("staff", "attendance", "attendance_revision")
PLANS = {"auto": 6, "force_generic_plan": 1, "force_custom_plan": 1}
"""How PostgreSQL plans prepared statements, and how many marks show it: the sixth may have a generic plan."""

# Both count from the last report of the session on, which is another transaction's: so the difference is asked for.
_SO_FAR = text(
    """SELECT relname, coalesce(seq_scan, 0) AS scans, coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) AS fetched
    FROM pg_stat_xact_user_tables WHERE relname = ANY (:tables)"""
)


@asynccontextmanager
async def reading_at_most(rows: int, school: School, plans: str) -> AsyncIterator[None]:
    """Fail when a transaction of the block scans a table of TABLES, or reads more of its rows than this."""

    async def so_far(work: Work) -> dict[str, tuple[int, int]]:
        return {row.relname: (row.scans, row.fetched) for row in await work.rows(_SO_FAR, {"tables": list(TABLES)})}

    @asynccontextmanager
    async def looked_at() -> AsyncIterator[Work]:
        async with write() as work:
            await work.write(text(f"SET LOCAL plan_cache_mode = {plans}"))
            before = await so_far(work)
            yield work
            after = await so_far(work)
            read = {name: tuple(after[name][i] - before[name][i] for i in (0, 1)) for name in TABLES}
            assert {name: (0, min(fetched, rows)) for name, (_, fetched) in read.items()} == read

    write = school.database.write
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(school.database, "write", looked_at)
        yield


async def run(school: School, *sql: str) -> None:
    async with school.database.write() as work:
        for statement in sql:
            await work.write(text(statement))


async def grow(school: School, people: int) -> None:
    """Hire up to so many people, and have everybody marked today."""
    await run(
        school,
        "SET LOCAL session_replication_role = replica",  # without a look-up of each row's foreign keys
        f"""INSERT INTO staff (name, starts_on, version, sort_key, search_key)
        SELECT 'Person', '2020-01-01', 1, 'person', 'person'
        FROM generate_series(1, {people} - (SELECT count(*) FROM staff))""",
        """WITH unmarked AS (SELECT id, row_number() OVER () + (SELECT position FROM attendance_day) AS position
          FROM staff WHERE id NOT IN (SELECT staff_id FROM attendance)),
        logged AS (INSERT INTO attendance_revision (date, position, staff_id, version, status, changed_at)
          SELECT date, unmarked.position, id, 1, 'PRESENT', now() FROM unmarked, attendance_day),
        stored AS (INSERT INTO attendance (date, position, staff_id, version, status, updated_at)
          SELECT date, unmarked.position, id, 1, 'PRESENT', now() FROM unmarked, attendance_day)
        UPDATE attendance_day SET position = position + (SELECT count(*) FROM unmarked)""",
    )


ANALYZE = tuple(f"ANALYZE {name}" for name in TABLES)
FORGET = (
    *(f"DELETE FROM pg_statistic WHERE starelid = '{name}'::regclass" for name in TABLES),
    *(f"UPDATE pg_class SET reltuples = -1, relpages = 0 WHERE oid = '{name}'::regclass" for name in TABLES),
)


@pytest.mark.parametrize("sizes", [(20, 200, 20_000, 200_000)])
async def test_a_mark_reads_as_little_in_a_country_as_in_a_school(school: School, sizes: Sequence[int]) -> None:
    """With statistics that are missing, of when the day had just begun, and new; by plans of now and of then."""
    await school.mark("Amina", Status.LATE)
    notes = count()
    for people in sizes:
        await run(school, *ANALYZE)
        await grow(school, people)
        async with school.database.read() as reading:
            some = [row.id for row in await reading.rows(text("SELECT id FROM staff ORDER BY random() LIMIT 40"))]
        for statistics in ((), ANALYZE, FORGET):
            await run(school, *statistics)
            for plans, times in PLANS.items():
                async with reading_at_most(3, school, plans):
                    for _ in range(times):
                        await school.mark("Amina", Status.LATE, note=f"{next(notes)}")
                async with reading_at_most(3 * len(some), school, plans):
                    marks = [Mark(number, status=Status.LATE, note=f"{next(notes)}") for number in some]
                    await school.bulk(*marks)
