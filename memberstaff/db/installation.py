"""The installation's one row: the epoch of its log, and the version of its roster."""

from __future__ import annotations

import secrets

from sqlalchemy import update

from memberstaff.db.tables import installation
from memberstaff.db.work import Work


async def new_epoch(work: Work) -> str:
    """Begin a new epoch: every feed cursor given out so far ends in RESTART_REQUIRED.

    A restored log gives positions again that it gave before, to other changes; only the epoch tells them apart.
    """
    epoch = secrets.token_hex(8)
    await work.write(update(installation).values(epoch=epoch))
    return epoch


async def raise_roster_version(work: Work) -> None:
    """Tell every board that people or names changed, once this work is committed."""
    row = await work.row(
        update(installation)
        .values(roster_version=installation.c.roster_version + 1)
        .returning(installation.c.epoch, installation.c.roster_version)
    )
    assert row is not None
    work.announce_roster(row.epoch, row.roster_version)
