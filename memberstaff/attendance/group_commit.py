"""Group commit: single marks that arrive together share a transaction, since the day's lock admits one at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from memberstaff.access import Caller
from memberstaff.accounts.sessions import identify_all
from memberstaff.accounts.tokens import Claims
from memberstaff.attendance import commands
from memberstaff.attendance.commands import MarkOutcome
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.rules import Mark
from memberstaff.db.batcher import Batcher
from memberstaff.db.database import Database
from memberstaff.errors import Refusal, RequestError

MOST_MARKS = 200
"""In one transaction: as many as one notification carries."""

_Request = tuple[Claims, Mark]


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
                return await self._commit(on, requests)

            batcher = self._days[on] = Batcher(commit, max_batch=MOST_MARKS)
        try:
            return await batcher.ask((claims, mark))
        finally:
            if batcher.idle and self._days.get(on) is batcher:
                del self._days[on]

    async def _commit(self, on: date, requests: Sequence[_Request]) -> Sequence[MarkOutcome | Exception]:
        try:
            async with self._database.write() as work:
                callers = await identify_all(work, {claims for claims, _ in requests})
                admitted: list[tuple[Caller, Mark]] = []
                for claims, mark in requests:
                    caller = callers[claims]
                    if isinstance(caller, Caller):
                        admitted.append((caller, mark))
                outcomes = await commands.update_each(work, self._calendar, on, admitted) if admitted else []
                if work.notification is None:
                    raise _NothingChanged(outcomes)
        except _NothingChanged as nothing:  # so roll back: refused marks leave nothing behind, not even the day's row
            outcomes = nothing.outcomes
        in_order = iter(outcomes)
        answers: list[MarkOutcome | Exception] = []
        for claims, _ in requests:
            caller_or_error = callers[claims]
            answers.append(next(in_order) if isinstance(caller_or_error, Caller) else caller_or_error)
        return answers


class _NothingChanged(Exception):
    def __init__(self, outcomes: list[MarkOutcome | Refusal | RequestError]) -> None:
        super().__init__()
        self.outcomes = outcomes
