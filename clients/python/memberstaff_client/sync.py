"""The same client for programs without an event loop."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Generator
from types import TracebackType
from typing import Any, Self

import memberstaff_client as asynchronous
from memberstaff_client import (
    KEEP,
    AttendanceError,
    Board,
    LoginRefused,
    RateLimited,
    Record,
    RequestRefused,
    SessionEnded,
    Storage,
    TokenFile,
    Unavailable,
    VersionConflict,
)
from memberstaff_client.records import Keep
from memberstaff_client.transport import Blocking, iterate, run

__all__ = [
    "KEEP",
    "Attendance",
    "AttendanceError",
    "Board",
    "Day",
    "LoginRefused",
    "RateLimited",
    "Record",
    "RequestRefused",
    "SessionEnded",
    "Storage",
    "TokenFile",
    "Unavailable",
    "VersionConflict",
]


class Attendance:
    """See `memberstaff_client.Attendance`. Its methods wait for the answers; several threads may call them.

    `close` ends the loops over its days, also when another thread calls it.
    """

    def __init__(
        self,
        address: str,
        *,
        email: str | None = None,
        password: str | None = None,
        storage: Storage | None = None,
        token: Callable[[], str] | None = None,
        timeout: float = 30.0,
    ) -> None:
        async def fetch_token() -> str:
            assert token is not None
            return token()

        self._attendance = asynchronous.Attendance(
            address,
            email=email,
            password=password,
            storage=storage,
            token=None if token is None else fetch_token,
            transport=Blocking(address, timeout),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. A session in a `storage` stays open, for the next start; another ends if it can."""
        run(self._attendance.close())

    def logout(self) -> None:
        """End the session, on the server and in the storage; what is called or followed then raises SessionEnded."""
        run(self._attendance.logout())

    def execute(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """The data of a query or a mutation; dates may be among the variables."""
        return run(self._attendance.execute(document, **variables))

    def mark(
        self,
        staff_id: str,
        date: dt.date | str,
        status: str | Keep = KEEP,
        *,
        note: str | None | Keep = KEEP,
        photo_url: str | None | Keep = KEEP,
        reason_id: str | None | Keep = KEEP,
        arrived_at: dt.datetime | None | Keep = KEEP,
        left_at: dt.datetime | None | Keep = KEEP,
        occurred_at: dt.datetime | None = None,
        expected_version: int | None = None,
    ) -> Record:
        """Change a person's record of a day, and answer it as it is then; what is not given stays as it is."""
        return run(
            self._attendance.mark(
                staff_id,
                date,
                status,
                note=note,
                photo_url=photo_url,
                reason_id=reason_id,
                arrived_at=arrived_at,
                left_at=left_at,
                occurred_at=occurred_at,
                expected_version=expected_version,
            )
        )

    def day(self, date: dt.date | str | None = None) -> Day:
        """A day to read and to follow; by default today, in the organisation's time zone, as it is when first read."""
        return Day(self._attendance.day(date))


class Day:
    """See `memberstaff_client.Day`."""

    def __init__(self, day: asynchronous.Day) -> None:
        self._day = day

    @property
    def date(self) -> dt.date | None:
        """None before today has been read."""
        return self._day.date

    def board(self) -> Board:
        """The day as it is now."""
        return run(self._day.board())

    def changes(self) -> Generator[Record]:
        """Each change after the last board: the record as it was then, once and in order; waits for the next one."""
        return iterate(self._day.changes())

    def live(self) -> Generator[Board]:
        """The board as it is, and the whole board again after each change; waits for the next one."""
        return iterate(self._day.live())
