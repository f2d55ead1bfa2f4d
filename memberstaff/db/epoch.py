"""The installation's epoch: names the log that positions count, and is renewed when a backup is restored."""

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
