"""What a kept answer about a day depends on, read anew for each request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from memberstaff.access import Caller
from memberstaff.accounts.sessions import identify_all
from memberstaff.accounts.tokens import Claims
from memberstaff.attendance import log
from memberstaff.db.batcher import Batcher
from memberstaff.db.work import Database


@dataclass(frozen=True, slots=True)
class Version:
    """A day as it stands: two readings with the same version show the same, to callers with the same role."""

    epoch: str
    date: date
    position: int
    day_version: int
    roster_version: int


class DayVersions:
    """Who somebody is and how a day stands, in one snapshot; all who ask together share it."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._asking = Batcher(self._answer, rests=True)

    async def ask(self, claims: Claims, day: date | None) -> tuple[Caller, Version]:
        """The holder of a token, and the version of a day (None is today). Raises NoAccess."""
        return await self._asking.ask((claims, day))

    async def _answer(
        self, asked: Sequence[tuple[Claims, date | None]]
    ) -> Sequence[tuple[Caller, Version] | Exception]:
        async with self._database.read() as reading:
            callers = await identify_all(reading, {claims for claims, _ in asked})
            states = await log.states(reading, {day or reading.today for _, day in asked})
        answers: list[tuple[Caller, Version] | Exception] = []
        for claims, day in asked:
            caller = callers[claims]
            state = states.days[day or reading.today]
            version = Version(states.epoch, state.date, state.position, state.day_version, states.roster_version)
            answers.append(caller if isinstance(caller, Exception) else (caller, version))
        return answers
