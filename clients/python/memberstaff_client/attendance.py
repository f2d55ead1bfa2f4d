"""The server as one account sees it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Self

from memberstaff_client.answers import Endpoint, understood
from memberstaff_client.connection import Connection
from memberstaff_client.day import Day
from memberstaff_client.errors import RequestRefused, VersionConflict
from memberstaff_client.records import KEEP, RECORD, Keep, Record
from memberstaff_client.session import Session, Storage
from memberstaff_client.transport import OverEventLoop, Transport

MARK = f"""mutation Mark($input: UpdateAttendanceInput!) {{
  updateAttendance(input: $input) {{
    attendance {{ ...Record }}
    errors {{ code message path ... on VersionConflictError {{ current {{ ...Record }} }} }}
  }}
}}
{RECORD}"""


class Attendance:
    """The server at `address`, such as https://attendance.school.example, as one account sees it.

    It logs in when it first has to, with `email` and `password`, or with the refresh token in `storage`; given both,
    it needs the password only when the session has ended. Or else `token` is called for access tokens, such as an
    identity provider's, at first and after each that has expired. `timeout` is in seconds, for each step of a
    request. `transport` takes the place of the HTTP client.

    Raises ValueError for what cannot be a server, or nobody's login. Errors of all methods are in `errors`.
    """

    def __init__(
        self,
        address: str,
        *,
        email: str | None = None,
        password: str | None = None,
        storage: Storage | None = None,
        token: Callable[[], Awaitable[str]] | None = None,
        timeout: float = 30.0,
        transport: Transport | None = None,
    ) -> None:
        endpoint = Endpoint(transport or OverEventLoop(address, timeout))
        session = Session(endpoint, email=email, password=password, storage=storage, fetch_token=token)
        self._connection = Connection(endpoint, session)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections. A session in a `storage` stays open, for the next start; another ends.

        That is not sure: a server that does not answer within a moment keeps the session until it expires.
        """
        await self._connection.close()

    async def logout(self) -> None:
        """End the session, on the server and in the storage; what is called or followed then raises SessionEnded.

        Raises RequestRefused and SessionEnded if the session may go on: the server cannot be reached, say.
        """
        await self._connection.logout()

    async def execute(self, document: str, /, **variables: Any) -> dict[str, Any]:
        """The data of a query or a mutation; dates may be among the variables.

        Raises RequestRefused if there is an error in the answer, whose `data` has the rest.
        """
        return await self._connection.execute(document, variables)

    async def mark(
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
        """Change a person's record of a day, and answer it as it is then; what is not given stays as it is.

        But for the times, which follow the status on the day itself. `occurred_at` is when a mark was made that comes
        late. Instants need a time zone.

        Raises VersionConflict if the record has another version than the expected one, and RequestRefused.
        """
        values: dict[str, Any] = {
            "status": status,
            "note": note,
            "photoUrl": photo_url,
            "reasonId": reason_id,
            "arrivedAt": arrived_at,
            "leftAt": left_at,
        }
        values = {name: value for name, value in values.items() if value is not KEEP}
        values["target"] = {"staffDate": {"staffId": staff_id, "date": date}}
        if occurred_at is not None:
            values["occurredAt"] = occurred_at
        if expected_version is not None:
            values["expectedVersion"] = expected_version
        answer = await self._connection.execute(MARK, {"input": values})
        with understood():
            payload = answer["updateAttendance"]
            for error in payload["errors"]:
                message, code, path = error["message"], error["code"], error["path"]
                if current := error.get("current"):
                    raise VersionConflict(message, code, current=Record.of(current), path=path)
                raise RequestRefused(message, code, path=path)
            return Record.of(payload["attendance"])

    def day(self, date: dt.date | str | None = None) -> Day:
        """A day to read and to follow; by default today, in the organisation's time zone, as it is when first read."""
        return Day(self._connection, dt.date.fromisoformat(date) if isinstance(date, str) else date)
