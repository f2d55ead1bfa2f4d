"""Tells what a failover has lost: changes that were announced here, and that the log no longer holds."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from datetime import date
from functools import cache
from typing import Any

import structlog
from sqlalchemy import BigInteger, Date, Select, and_, select

from memberstaff import metrics
from memberstaff.attendance import log as change_log
from memberstaff.changes import Change
from memberstaff.db.database import Database
from memberstaff.db.rows import as_json, from_json, json_date
from memberstaff.db.tables import attendance_revision
from memberstaff.errors import Unavailable
from memberstaff.notify.notification import Notification

log = structlog.get_logger(__name__)

MOST_REMEMBERED = 1_000
"""Changes, and days: a standby is seconds behind, not hours."""
MOST_LISTED = 100
"""In one line of the log."""

Place = tuple[int, date, int]
"""Epoch, date, position."""


class LostChanges:
    """Compares the last changes that were announced with the log, whenever a failover has begun another epoch.

    Nobody else knows what was lost: those who made these changes were told that they are stored. Needs `run` to be
    running.
    """

    def __init__(self, database: Database) -> None:
        self.lost = 0
        """How many, while this process runs."""
        self._database = database
        self._changes: OrderedDict[Place, Change] = OrderedDict()
        self._reached: OrderedDict[tuple[int, date], int] = OrderedDict()
        """Each day's last position, by epoch."""
        self._bulks: OrderedDict[Place, int] = OrderedDict()
        """The first position of a bulk mark, by its last: those between are not announced."""
        self._requested = asyncio.Event()

    def remember(self, notification: Notification) -> None:
        """Remember what a commit of this process, or of another one, has announced."""
        if notification.epoch < self._database.timeline.epoch:  # somebody has recorded it, and publishes it again
            return
        for change in notification.changes:
            self._changes[notification.epoch, change.date, change.position] = change
        of_day: dict[date, list[int]] = {}
        for change in notification.changes:
            of_day.setdefault(change.date, []).append(change.position)
        for on, positions in of_day.items():
            if len(positions) <= max(positions) - min(positions):
                self._bulks[notification.epoch, on, max(positions)] = min(positions)
        for day in notification.days:
            key = notification.epoch, day.date
            self._reached[key] = max(day.position, self._reached.pop(key, 0))
        for kept in (self._changes, self._reached, self._bulks):
            while len(kept) > MOST_REMEMBERED:
                kept.popitem(last=False)

    def request(self) -> None:
        """Compare what was announced before this epoch."""
        self._requested.set()

    async def run(self) -> None:
        """Compare on request, until cancelled."""
        while True:
            await self._requested.wait()
            self._requested.clear()
            try:
                await self._compare()
            except Unavailable:
                self._requested.set()
                await asyncio.sleep(1)
            except BaseException:
                self._requested.set()  # whoever starts this again compares then
                raise

    async def _compare(self) -> None:
        epoch = self._database.timeline.epoch
        announced = {place: change for place, change in self._changes.items() if place[0] < epoch}
        reached = {place: position for place, position in self._reached.items() if place[0] < epoch}
        async with self._database.read() as reading:
            states = await change_log.states(reading, {day for _, day in reached})
            places = [{"date": json_date(reading.dialect, day), "position": position} for _, day, position in announced]
            rows = await reading.rows(_select_at(reading.dialect), {"rows": as_json(places)})
        stored = {(row.date, row.position): (row.staff_id, row.version, row.changed_at) for row in rows}
        changed = {
            (day, position): change.staff_id
            for (_, day, position), change in announced.items()
            if stored.get((day, position)) != (change.staff_id, change.version, change.changed_at)
        }
        more = 0
        for (_, day), last in reached.items():
            now = states.days[day].position
            more += max(0, last - now) - sum(on == day and position > now for on, position in changed)
        bulks = {place: first for place, first in self._bulks.items() if place[0] < epoch}
        for (of, day, last), first in bulks.items():
            if (day, last) in changed:  # and so are those between, in whose places are others now
                taken = range(first, min(last, states.days[day].position + 1))
                more += sum((of, day, position) not in announced for position in taken)
        for place in announced:
            self._changes.pop(place, None)
        for place in bulks:
            self._bulks.pop(place, None)
        for each in reached:
            self._reached.pop(each, None)
        self._tell(epoch, changed, max(0, more))

    def _tell(self, epoch: int, changed: Mapping[tuple[date, int], int], more: int) -> None:
        lost = len(changed) + more
        self.lost += lost
        metrics.CHANGES_LOST.inc(lost)
        if not lost:
            log.info("No change that was announced here was lost", epoch=epoch)
            return
        log.error(
            "Changes that were acknowledged are lost; somebody has to make them again",
            epoch=epoch,
            lost=lost,
            changes=[
                {"date": day.isoformat(), "position": position, "staff_id": staff_id}
                for (day, position), staff_id in sorted(changed.items())[:MOST_LISTED]
            ],
        )


@cache
def _select_at(dialect: str) -> Select[Any]:
    given = from_json(dialect, {"date": Date(), "position": BigInteger()})
    of = attendance_revision.c
    same = and_(of.date == given.c.date, of.position == given.c.position)
    return select(of.date, of.position, of.staff_id, of.version, of.changed_at).select_from(
        given.join(attendance_revision, same)
    )
