"""Epochs rise, whatever a restored backup knows of those before it."""

from __future__ import annotations

from sqlalchemy import update

from memberstaff.access import COMMAND_LINE
from memberstaff.db.installation import new_epoch
from memberstaff.db.tables import installation
from tests.clock import TurnedClock
from tests.services.school import School


async def begin(school: School) -> int:
    """A new epoch."""
    async with school.work(COMMAND_LINE) as work:
        return await new_epoch(work)


async def restore(school: School, epoch: int) -> None:
    """A backup of this epoch."""
    async with school.work(COMMAND_LINE) as work:
        await work.write(update(installation).values(epoch=epoch))


async def test_a_new_epoch_is_the_millisecond_or_one_more_than_the_last(school: School) -> None:
    now = int(1000 * school.database.now().timestamp())
    await restore(school, 7)
    assert [await begin(school) for _ in range(3)] == [now, now + 1, now + 2]


async def test_an_epoch_is_higher_than_those_that_a_restored_backup_does_not_know_of(
    school: School, clock: TurnedClock
) -> None:
    await restore(school, 7)
    backup = await begin(school)
    clock.turn(hours=1)
    later = [await begin(school), await begin(school)]
    clock.turn(seconds=5)
    await restore(school, backup)
    assert await begin(school) > max(later)
