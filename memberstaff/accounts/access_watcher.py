"""Access that ends: open sockets and streams lose theirs when their token, session or account does.

They are looked at when the notifier tells that somebody's access changed, and every `poll_seconds`, so that it
ends on every node also while Redis is away; in one statement for all of this process.
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
from memberstaff.accounts.tokens import Claims, NoAccess, Why
from memberstaff.db.batcher import Batcher
from memberstaff.db.work import Database
from memberstaff.notify.notification import Notification

log = structlog.get_logger(__name__)

COME_AGAIN = 4403
"""The close code after which graphql-ws connects anew, with a fresh token: expired, or another role."""
GIVE_UP = 4401
"""The close code after which it does not: logged out, or disabled."""

ROLE_CHANGED = "Your role has changed. Connect again."


class Ending(Protocol):
    """A socket or stream; it lives as long as whoever serves it holds it."""

    def end(self, code: int, reason: str) -> None:
        """End it soon, with a WebSocket close code and words for a person."""


@dataclass(frozen=True, slots=True)
class _Admitted:
    claims: Claims
    caller: Caller


class AccessWatcher:
    """Knows who has been let in to what is open in this process. `run` must be running."""

    def __init__(self, database: Database, *, poll_seconds: float) -> None:
        self._database = database
        self._poll_seconds = poll_seconds
        self._admitted: WeakKeyDictionary[Ending, _Admitted] = WeakKeyDictionary()
        self._look = asyncio.Event()
        self._asking = Batcher(self._identify, rests=True)

    def __len__(self) -> int:
        return len(self._admitted)

    async def admit(self, door: Ending, claims: Claims) -> Caller:
        """Let the holder of a token in to a socket or stream, and watch over it. Raises NoAccess.

        A later call for the same one replaces what it was admitted with. All who ask together are answered by one
        statement: after a restart two thousand boards come back at once.
        """
        caller = await self._asking.ask(claims)
        self._admitted[door] = _Admitted(claims, caller)
        return caller

    def on_notification(self, notification: Notification) -> None:
        """Look at once when somebody's access has changed, or when a notification may have been missed."""
        if notification.accounts or notification.sessions or not notification.epoch:
            self._look.set()

    async def run(self) -> None:
        """Look at everybody whenever it is called for, and at least every `poll_seconds`, until cancelled."""
        while True:
            try:
                async with asyncio.timeout(self._poll_seconds):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            try:
                await self.check()
            except Exception as error:  # the database is away: nothing can be read through these sockets either
                log.warning("Access could not be checked", reason=type(error).__name__)

    async def check(self) -> None:
        """End what may not stay open."""
        open_now = list(self._admitted.items())
        if not open_now:
            return
        now = self._database.now()
        expired = [door for door, admitted in open_now if admitted.claims.expires_at <= now]
        for door in expired:  # known without asking anybody
            self._end(door, COME_AGAIN, str(NoAccess(Why.TOKEN_EXPIRED)))
        async with self._database.read() as reading:
            answers = await identify_all(reading, {admitted.claims for _, admitted in open_now})
        for door, admitted in open_now:
            if self._admitted.get(door) is not admitted:  # ended, or let in anew while this was being read
                continue
            answer = answers[admitted.claims]
            if isinstance(answer, NoAccess):
                again = answer.why is Why.TOKEN_EXPIRED
                self._end(door, COME_AGAIN if again else GIVE_UP, answer.message)
            elif answer.role is not admitted.caller.role:
                self._end(door, COME_AGAIN, ROLE_CHANGED)

    async def _identify(self, held: Sequence[Claims]) -> Sequence[Caller | Exception]:
        async with self._database.read() as reading:
            answers = await identify_all(reading, set(held))
        return [answers[claims] for claims in held]

    def _end(self, door: Ending, code: int, reason: str) -> None:
        if self._admitted.pop(door, None) is not None:
            door.end(code, reason)
