"""Bounds the requests without a valid access token, by address: anybody on the network can send them."""

from __future__ import annotations

import asyncio
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, islice
from weakref import WeakValueDictionary

from memberstaff import metrics
from memberstaff.addresses import networks_of
from memberstaff.engine.request import OperationRequest, strings
from memberstaff.errors import RateLimited
from memberstaff.server.connection import Connection
from memberstaff.server.host import Host

MINUTE = 60.0

MOST_KEYS = 20_000
"""Allowances that are remembered, at some 250 bytes. Each is forgotten once it is full again."""

OTHERS = "others"
"""The key of the allowance that newcomers share while so many are remembered."""

STRANGER_BYTES = 10_000
"""Size of a request without a valid access token."""

LITERAL = re.compile(r'"([A-Za-z0-9._~+/=-]{40,256})"')
"""A string in a document that can be a refresh token."""
MOST_CANDIDATES = 5
"""Strings of a request that are tried as refresh tokens; an ordinary one has one."""


class Allowances:
    """Requests a minute for each key, counted with the generic cell rate algorithm: the instant when a key's is full.

    In memory, of this process. Nobody can push out another's: newcomers share one when there are too many.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def __len__(self) -> int:
        """Keys that are remembered."""
        return len(self._full_at)

    def take(self, keys: Sequence[tuple[str, int]]) -> float:
        """Take one of each key's allowance per minute. 0 if it is taken; otherwise the seconds until it could be."""
        now = self._clock()
        taken: dict[str, float] = {}
        for name, per_minute in keys:
            key = name if name in self._full_at or len(self._full_at) < MOST_KEYS else OTHERS
            full_at = max(self._full_at.get(key, now), now) + MINUTE / per_minute
            if (wait := full_at - now - MINUTE) > 1e-6:
                return wait
            taken[key] = full_at
        for key, full_at in taken.items():
            self._full_at.pop(key, None)
            self._full_at[key] = full_at
        self._forget(now, 2 * len(taken))
        return 0.0

    def _forget(self, now: float, tries: int) -> None:
        """Look at the keys that were looked at longest ago, and drop those whose allowance is full."""
        for _ in range(min(tries, len(self._full_at))):
            key, full_at = self._full_at.popitem(last=False)
            if full_at > now:
                self._full_at[key] = full_at


class Strangers:
    """Tells who is a stranger, and how often they may come. Shared by requests and sockets."""

    def __init__(self, host: Host, allowances: Allowances | None = None) -> None:
        self.host = host
        self.allowances = Allowances() if allowances is None else allowances
        self.per_minute = host.settings.anonymous_requests_per_minute
        self._turns: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def identify(self, connection: Connection) -> None:
        """Set the connection's `stranger`, and let a stranger wait for their turn.

        In each iteration of the loop one of an address goes on, so that many at once do not hold it, whoever they are.
        """
        connection.stranger = await self.host.stranger(connection)
        if connection.stranger is not None:
            turn = self._turns.get(connection.network)
            if turn is None:
                turn = self._turns[connection.network] = asyncio.Lock()
            async with turn:
                await asyncio.sleep(0)

    def knows(self, connection: Connection) -> bool:
        """Whether a request that was identified has a valid access token, or one of ours that has expired."""
        if connection.stranger is None:
            return True
        return connection.authorization is not None and self.host.session_of(connection.authorization) is not None

    async def check(self, connection: Connection) -> None:
        """Count what a stranger says on a socket. Raises RateLimited."""
        if await self.host.stranger(connection) is not None:
            self.admit(connection)

    def admit(self, connection: Connection, refresh_tokens: Iterable[str] = ()) -> None:
        """Take a stranger's request from the allowance of their address. Raises RateLimited.

        With a token that we signed it is taken from its session's instead, be it a refresh token or an access token
        that has expired: in the morning a whole school learns that its tokens have expired and refreshes, from one
        address. So is the login of a known device from its own: others there cannot use it up.
        """
        given = [connection.authorization] if connection.authorization is not None else []
        sessions = map(self.host.session_of, chain(given, islice(refresh_tokens, MOST_CANDIDATES)))
        session = next((session for session in sessions if session is not None), None)
        device = self.host.device_of(connection.device_value)
        if session is not None:
            keys = [(f"session {session}", self.per_minute)]
        elif device is not None:
            keys = [(f"device {device}", self.per_minute)]
        else:
            keys = [(name, share * self.per_minute) for name, share in networks_of(connection.address)]
        if wait := self.allowances.take(keys):
            metrics.RATE_LIMITED.labels("strangers").inc()
            raise RateLimited("Too many requests without a valid login from this address. Try again later.", wait)


def refresh_tokens_in(request: OperationRequest) -> Iterator[str]:
    """The strings of a request that can be refresh tokens: in its variables, or in its document."""
    yield from (text for text in strings(request.variables) if LITERAL.fullmatch(f'"{text}"'))
    yield from (found[1] for found in LITERAL.finditer(request.query))
