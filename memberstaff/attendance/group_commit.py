"""Group commit: single marks that arrive together share a transaction, since the day's lock admits one at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, NamedTuple

from memberstaff import tracing
from memberstaff.access import Caller
from memberstaff.accounts.sessions import identify_all
from memberstaff.accounts.tokens import Claims, NoAccess
from memberstaff.attendance import commands
from memberstaff.attendance.commands import MarkOutcome
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.rules import Mark
from memberstaff.db.batcher import Batcher
from memberstaff.db.clock import today
from memberstaff.db.database import Database
from memberstaff.errors import Refusal, RequestError, RolledBack

MOST_MARKS = 200
"""In one transaction: as many as one notification carries."""


class _Request(NamedTuple):
    claims: Claims
    mark: Mark
    trace: Any
    """Where its trace goes on; None without one."""


class GroupCommit:
    """Records single marks. In a rush at the front desk a transaction for each would mostly wait for the lock."""

    def __init__(self, database: Database, calendar: Calendar) -> None:
        self._database = database
        self._calendar = calendar
        self._days: dict[date, Batcher[_Request, MarkOutcome]] = {}

    async def mark(self, claims: Claims, on: date, mark: Mark) -> MarkOutcome:
        """Record one person's attendance; returns after the commit. Raises RequestError and Refusal."""
        batcher = self._days.get(on)
        if batcher is None:

            async def commit(requests: Sequence[_Request]) -> Sequence[MarkOutcome | Exception]:
                with tracing.spans.batch(each.trace for each in requests) if tracing.on else tracing.OFF:
                    return await self._commit(on, requests, made.more)

            made = batcher = self._days[on] = Batcher(commit, max_batch=MOST_MARKS)
        try:
            return await batcher.ask(_Request(claims, mark, tracing.spans.here() if tracing.on else None))
        finally:
            if batcher.idle and self._days.get(on) is batcher:
                del self._days[on]

    async def _commit(
        self, on: date, requests: Sequence[_Request], more: Callable[[], Sequence[_Request]]
    ) -> Sequence[MarkOutcome | Exception]:
        """Those who come while this waits for the day, which others may hold, join it; they are identified then."""
        identified: list[Caller | NoAccess] = []
        try:
            async with self._database.write() as work:

                async def admitted(requests: Sequence[_Request]) -> list[tuple[Caller, Mark]]:
                    found = await identify_all(work, {request.claims for request in requests})
                    callers = [(found[claims], mark) for claims, mark, _ in requests]
                    identified.extend(caller for caller, _ in callers)
                    return [(caller, mark) for caller, mark in callers if isinstance(caller, Caller)]

                async def late() -> list[tuple[Caller, Mark]]:
                    if today(self._database.now(), work.zone) != work.today:
                        return []  # what they may mark is another day by now
                    if not (came := more()):
                        return []
                    if work.span is not None:
                        tracing.spans.link(work.span, (request.trace for request in came))
                    return await admitted(came)

                first = await admitted(requests)
                outcomes = await commands.update_each(work, self._calendar, on, first, late) if first else []
                # A mark that was stored already ends with a COMMIT as well: its locks let that wait for a synchronous
                # standby, for which the first one may have waited in vain.
                if not any(isinstance(each, MarkOutcome) and each.record.version for each in outcomes):
                    raise _NothingStored(outcomes)
        except _NothingStored as nothing:  # so roll back: refused marks leave nothing behind, not even the day's row
            outcomes = nothing.outcomes
        in_order = iter(outcomes)
        return [next(in_order) if isinstance(caller, Caller) else caller for caller in identified]


class _NothingStored(RolledBack):
    def __init__(self, outcomes: list[MarkOutcome | Refusal | RequestError]) -> None:
        super().__init__()
        self.outcomes = outcomes
