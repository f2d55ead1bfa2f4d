"""Access that ends: open sockets and streams are ended with their token, session or account.

Every process reads the log of access changes when a notification says that it has grown, and otherwise so often that
access ends within `poll_seconds` on every node, even while Redis is unreachable. It asks the database about those that
the log names, and about those that expire: checking costs what has changed, not what is connected. What the log cannot
tell is found by the full check, every minute.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta

import structlog

from memberstaff import metrics
from memberstaff.access import Caller
from memberstaff.accounts import access_log, sessions
from memberstaff.accounts.admissions import Admission, Admissions, Revocable
from memberstaff.accounts.sessions import Session
from memberstaff.accounts.tokens import Claims, NoAccess, NoAccessReason
from memberstaff.db.batcher import Batcher
from memberstaff.db.database import Database
from memberstaff.notify.notification import Notification
from memberstaff.notify.read_requests import ReadRequests

log = structlog.get_logger(__name__)

RECONNECT = 4403
"""Close code after which graphql-ws reconnects with a fresh token: expired, or another role."""
DO_NOT_RECONNECT = 4401
"""Close code after which it does not: logged out, or disabled."""

ROLE_CHANGED = "Your role has changed. Connect again."

FULL_CHECK_SECONDS = 60.0
"""Between two checks of all: as long takes what somebody has changed in the database by hand."""
PAGE = 500
"""Sessions that the full check asks about in one statement, which answers those in doubt only."""
MOST_AT_ONCE = 100
"""Sessions whose rows are read in one statement, and converted at a stretch."""
SOONER = 0.75
"""Part of `poll_seconds` between two checks: the rest is for the check itself and for ending what is open."""
AGAIN = timedelta(seconds=1)
"""After which an expired session is asked about again, if the database did not answer."""


class AccessWatcher:
    """Watches the access behind all open sockets and streams of this process. `run` must be running."""

    def __init__(
        self, database: Database, *, poll_seconds: float, full_check_seconds: float = FULL_CHECK_SECONDS
    ) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._full_check_seconds = full_check_seconds
        self._admissions = Admissions()
        self._position: access_log.Position | None = None
        """How far the log was read."""
        self._announced = 0
        """The highest number that a notification has named, and the log has not yet confirmed."""
        self._requests = ReadRequests()
        """To read the log."""
        self._full_checks = ReadRequests()
        self._batcher = Batcher(self._identify, max_batch=MOST_AT_ONCE, pauses=True)

    def __len__(self) -> int:
        return len(self._admissions)

    async def admit(self, connection: Revocable, claims: Claims) -> Caller:
        """Admit the token's holder to a socket or stream, and watch over their access. Raises NoAccess.

        A later call for the same connection replaces its claims. Concurrent calls share one statement: after a
        restart two thousand boards reconnect at once.
        """
        admission = self._admissions.begin(claims)
        try:
            while True:
                admission.overtaken = False
                session = await self._batcher.ask(claims)
                if not admission.overtaken:
                    break
        except BaseException:
            self._admissions.remove(admission)
            raise
        self._admissions.complete(admission, connection, session)
        return session.caller

    def on_notification(self, notification: Notification) -> None:
        """Read the log at once when it has grown, or when a notification may have been missed.

        What was recorded and is published again names a number that was read, and costs nothing. What names another
        epoch, or none, is believed once a second; so is a higher number, from the moment when the log did not have one
        until it has one again.
        """
        read, number = self._position, notification.access_number
        if read is not None and notification.epoch == read.epoch:
            if number is not None and number > read.number:
                self._announced = max(number, self._announced)
                self._requests.announced()
        elif number is not None or not notification.epoch:
            self._requests.doubt()

    async def run(self) -> None:
        """Check when notified, and so often that access has ended within `poll_seconds`, until cancelled."""
        self._requests.request()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._repeat(self._check_changes, self._requests, SOONER * self._poll_seconds))
            tasks.create_task(self._repeat(self._check_all, self._full_checks, self._full_check_seconds))

    async def check(self) -> None:
        """End every socket and stream whose access has ended."""
        await self._check_changes()
        if self._full_checks.waiting:
            await self._full_checks.wait(None)
            await self._check_all()

    async def _repeat(self, check: Callable[[], Awaitable[None]], requests: ReadRequests, seconds: float) -> None:
        failing = False
        while True:
            await requests.wait(seconds)
            try:
                await check()
                metrics.READS.labels("access", "done").inc()
                failing = False
            except Exception as error:  # the database is unreachable, so these sockets can read nothing either
                metrics.READS.labels("access", "failed").inc()
                if not failing:
                    log.warning("Access cannot be checked; will retry", reason=type(error).__name__)
                failing = True
                requests.request()
                await asyncio.sleep(min(1.0, self._poll_seconds))

    async def _check_changes(self) -> None:
        """End what has expired, and those named in the log whose access has ended."""
        await self._check_expired()
        if self._position is not None and not self._admissions.any:
            return
        announced, self._announced = self._announced, 0
        while True:
            async with self._database.read() as reading:
                position, subjects = await access_log.after(reading, self._position)
            if subjects is None:
                self._full_checks.request()
            else:
                await self._check(self._admissions.of(subjects))
            self._position = position
            if subjects is None or len(subjects) < access_log.PAGE:
                break
        if announced:
            self._requests.judge(confirmed=announced <= position.number)

    async def _check_expired(self) -> None:
        """End those whose token has expired, and ask about those whose session has: a refresh may have extended it."""
        now = self._database.now()
        expired: list[Admission] = []
        while (admission := self._admissions.next_due(now)) is not None:
            if admission.claims.expires_at <= now:  # no need for the database
                await self._end(admission, RECONNECT, str(NoAccess(NoAccessReason.TOKEN_EXPIRED)))
            else:
                expired.append(admission)
                self._admissions.schedule(admission, now + AGAIN)  # unless the database answers
        await self._check(expired)

    async def _check_all(self) -> None:
        """Check all, a page at a time; pause for as long as each page took."""
        loop = asyncio.get_running_loop()
        everyone = self._admissions.everyone()
        for start in range(0, len(everyone), PAGE):
            began = loop.time()
            page = everyone[start : start + PAGE]
            async with self._database.read() as reading:
                doubtful = await sessions.doubtful(reading, {(each.claims.session_id, each.role) for each in page})
            await self._check([each for each in page if each.claims.session_id in doubtful])
            await asyncio.sleep(loop.time() - began)

    async def _check(self, admissions: Sequence[Admission]) -> None:
        """Ask the database about these, and end those whose access has ended."""
        for start in range(0, len(admissions), MOST_AT_ONCE):
            some = admissions[start : start + MOST_AT_ONCE]
            async with self._database.read() as reading:
                answers = await sessions.sessions_of(reading, {admission.claims for admission in some})
            for admission in some:
                await self._judge(admission, answers[admission.claims])

    async def _judge(self, admission: Admission, answer: Session | NoAccess) -> None:
        if isinstance(answer, NoAccess):
            may_renew = answer.reason in {NoAccessReason.TOKEN_EXPIRED, NoAccessReason.ROLE_UNKNOWN}
            await self._end(admission, RECONNECT if may_renew else DO_NOT_RECONNECT, answer.message)
        elif answer.caller.role is not admission.role:
            await self._end(admission, RECONNECT, ROLE_CHANGED)
        elif admission in self._admissions:
            self._admissions.schedule(admission, answer.expires_at)

    async def _identify(self, batch: Sequence[Claims]) -> Sequence[Session | Exception]:
        async with self._database.read() as reading:
            answers = await sessions.sessions_of(reading, set(batch))
        return [answers[claims] for claims in batch]

    async def _end(self, admission: Admission, code: int, reason: str) -> None:
        """End a connection, and let others have a turn: thousands may expire in one second."""
        if admission not in self._admissions:  # it has gone, or was admitted anew while this was read
            return
        assert admission.connection is not None
        connection = admission.connection()
        self._admissions.remove(admission)
        if connection is not None:
            connection.end(code, reason)
        await asyncio.sleep(0)
