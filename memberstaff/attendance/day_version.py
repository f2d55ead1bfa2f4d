"""The version of a day: what a cached response depends on, read anew for each request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from memberstaff.access import Caller
from memberstaff.accounts.sessions import identify_all
from memberstaff.accounts.tokens import Claims
from memberstaff.attendance import log
from memberstaff.db.batcher import Batcher
from memberstaff.db.database import Database


@dataclass(frozen=True, slots=True)
class DayVersion:
    """Two readings of a day with the same version show the same to callers with the same role."""

    epoch: int
    date: date
    position: int
    day_version: int
    roster_version: int


class DayVersions:
    """Reads the caller and the day's version in one snapshot, which concurrent requests share."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._batcher = Batcher(self._read, pauses=True)

    async def read(self, claims: Claims, day: date | None) -> tuple[Caller, DayVersion]:
        """The token's holder, and the version of the day (None: today). Raises NoAccess."""
        return await self._batcher.ask((claims, day))

    async def _read(
        self, requests: Sequence[tuple[Claims, date | None]]
    ) -> Sequence[tuple[Caller, DayVersion] | Exception]:
        async with self._database.read() as reading:
            callers = await identify_all(reading, {claims for claims, _ in requests})
            states = await log.states(reading, {day or reading.today for _, day in requests})
        answers: list[tuple[Caller, DayVersion] | Exception] = []
        for claims, day in requests:
            caller = callers[claims]
            state = states.days[day or reading.today]
            version = DayVersion(states.epoch, state.date, state.position, state.day_version, states.roster_version)
            answers.append(caller if isinstance(caller, Exception) else (caller, version))
        return answers
