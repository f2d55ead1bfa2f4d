"""Single marks that arrive together are committed together: the day's lock lets one transaction through at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from memberstaff.access import Caller
from memberstaff.accounts.sessions import identify_all
from memberstaff.accounts.tokens import Claims
from memberstaff.attendance import commands
from memberstaff.attendance.commands import Outcome
from memberstaff.attendance.days import Calendar
from memberstaff.attendance.rules import Mark
from memberstaff.db.batcher import Batcher
from memberstaff.db.work import Database
from memberstaff.errors import Refusal, RequestError

MOST_TOGETHER = 200
"""Marks in one transaction: as many as one notification carries."""

Asked = tuple[Claims, Mark]


class GroupCommit:
    """Takes marks of single people. At the front desk's rush a transaction for each would spend its time waiting."""

    def __init__(self, database: Database, calendar: Calendar) -> None:
        self._database = database
        self._calendar = calendar
        self._days: dict[date, Batcher[Asked, Outcome]] = {}

    async def mark(self, claims: Claims, on: date, mark: Mark) -> Outcome:
        """Record one person's attendance; it is committed when this returns. Raises RequestError and Refusal."""
        together = self._days.get(on)
        if together is None:

            async def answer(asked: Sequence[Asked]) -> Sequence[Outcome | Exception]:
                return await self._commit(on, asked)

            together = self._days[on] = Batcher(answer, most=MOST_TOGETHER)
        try:
            return await together.ask((claims, mark))
        finally:
            if together.idle and self._days.get(on) is together:
                del self._days[on]

    async def _commit(self, on: date, asked: Sequence[Asked]) -> Sequence[Outcome | Exception]:
        try:
            async with self._database.write() as work:
                callers = await identify_all(work, {claims for claims, _ in asked})
                admitted: list[tuple[Caller, Mark]] = []
                for claims, mark in asked:
                    caller = callers[claims]
                    if isinstance(caller, Caller):
                        admitted.append((caller, mark))
                judged = await commands.update_each(work, self._calendar, on, admitted) if admitted else []
                if work.notification is None:
                    raise _NothingChanged(judged)
        except _NothingChanged as nothing:  # rolled back: what was refused leaves nothing, not even the day's row
            judged = nothing.judged
        in_order = iter(judged)
        answers: list[Outcome | Exception] = []
        for claims, _ in asked:
            found = callers[claims]
            answers.append(next(in_order) if isinstance(found, Caller) else found)
        return answers


class _NothingChanged(Exception):
    def __init__(self, judged: list[Outcome | Refusal | RequestError]) -> None:
        super().__init__()
        self.judged = judged
