"""The installation's single row: the epoch of its log, and the version of its roster."""

from __future__ import annotations

from sqlalchemy import case, update

from memberstaff.db.tables import installation
from memberstaff.db.work import Work


async def new_epoch(work: Work) -> int:
    """Begin a new epoch: every feed cursor issued so far leads to RESTART_REQUIRED.

    A restored log reuses positions for other changes; only the epoch tells them apart. It is higher than any before,
    also than those that the backup does not know of: it is the Unix time in milliseconds, or one more than the last.
    """
    now = int(1000 * work.now.timestamp())
    last = installation.c.epoch
    higher = case((last < now, now), else_=last + 1)
    epoch: int = await work.scalar(update(installation).values(epoch=higher).returning(last))
    return epoch


async def raise_roster_version(work: Work) -> None:
    """Count a change of people or names, and announce it after the commit."""
    row = await work.row(
        update(installation)
        .values(roster_version=installation.c.roster_version + 1)
        .returning(installation.c.epoch, installation.c.roster_version)
    )
    assert row is not None
    work.announce_roster(row.epoch, row.roster_version)
