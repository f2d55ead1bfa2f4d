"""Access that ends: open sockets and streams are ended with their token, session or account.

They are checked when a notification says that somebody's access has changed, and every `poll_seconds`, so that
access ends on every node even while Redis is unreachable; one statement checks all of this process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from weakref import WeakKeyDictionary

import structlog

from memberstaff.access import Caller
from memberstaff.accounts.sessions import identify_all
from memberstaff.accounts.tokens import Claims, NoAccess, NoAccessReason
from memberstaff.db.batcher import Batcher
from memberstaff.db.work import Database
from memberstaff.notify.notification import Notification
from memberstaff.notify.throttle import Throttle

log = structlog.get_logger(__name__)

RECONNECT = 4403
"""Close code after which graphql-ws reconnects with a fresh token: expired, or another role."""
DO_NOT_RECONNECT = 4401
"""Close code after which it does not: logged out, or disabled."""

ROLE_CHANGED = "Your role has changed. Connect again."


class Revocable(Protocol):
    """A socket or stream that can be ended; it is referenced weakly, so whoever serves it must hold it."""

    def end(self, code: int, reason: str) -> None:
        """End it soon, with a WebSocket close code and a reason for a person to read."""


@dataclass(frozen=True, slots=True)
class _Admitted:
    claims: Claims
    caller: Caller


class AccessWatcher:
    """Watches the access behind all open sockets and streams of this process. `run` must be running."""

    def __init__(self, database: Database, *, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._admitted: WeakKeyDictionary[Revocable, _Admitted] = WeakKeyDictionary()
        self._check_now = asyncio.Event()
        self._check_soon = Throttle(self._check_now.set)
        self._batcher = Batcher(self._identify, pauses=True)

    def __len__(self) -> int:
        return len(self._admitted)

    async def admit(self, connection: Revocable, claims: Claims) -> Caller:
        """Admit the token's holder to a socket or stream, and watch over their access. Raises NoAccess.

        A later call for the same connection replaces its claims. Concurrent calls share one statement: after a
        restart two thousand boards reconnect at once.
        """
        caller = await self._batcher.ask(claims)
        self._admitted[connection] = _Admitted(claims, caller)
        return caller

    def on_notification(self, notification: Notification) -> None:
        """Check when somebody's access has changed, or when a notification may have been missed.

        At once, but once a second at most: anybody who can publish on Redis can repeat what was published there.
        """
        if notification.accounts or notification.sessions or not notification.epoch:
            self._check_soon()

    async def run(self) -> None:
        """Check when notified, and at least every `poll_seconds`, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._check_now.wait()
            except TimeoutError:
                pass
            self._check_now.clear()
            try:
                await self.check()
            except Exception as error:  # the database is unreachable, so these sockets can read nothing either
                log.warning("Access could not be checked", reason=type(error).__name__)

    async def check(self) -> None:
        """End every socket and stream whose access has ended."""
        open_now = list(self._admitted.items())
        if not open_now:
            return
        now = self._database.now()
        expired = [connection for connection, admitted in open_now if admitted.claims.expires_at <= now]
        for connection in expired:  # no need for the database
            self._end(connection, RECONNECT, str(NoAccess(NoAccessReason.TOKEN_EXPIRED)))
        async with self._database.read() as reading:
            answers = await identify_all(reading, {admitted.claims for _, admitted in open_now})
        for connection, admitted in open_now:
            if self._admitted.get(connection) is not admitted:  # ended, or admitted anew while this was read
                continue
            answer = answers[admitted.claims]
            if isinstance(answer, NoAccess):
                may_renew = answer.reason is NoAccessReason.TOKEN_EXPIRED
                self._end(connection, RECONNECT if may_renew else DO_NOT_RECONNECT, answer.message)
            elif answer.role is not admitted.caller.role:
                self._end(connection, RECONNECT, ROLE_CHANGED)

    async def _identify(self, batch: Sequence[Claims]) -> Sequence[Caller | Exception]:
        async with self._database.read() as reading:
            answers = await identify_all(reading, set(batch))
        return [answers[claims] for claims in batch]

    def _end(self, connection: Revocable, code: int, reason: str) -> None:
        if self._admitted.pop(connection, None) is not None:
            connection.end(code, reason)
