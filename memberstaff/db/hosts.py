"""One of several PostgreSQL hosts: the one that accepts changes, also when a failover has made it another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import URL

from memberstaff.db.timeline import Timeline

CONNECT_SECONDS = 60.0
"""For all hosts together, if nobody says; asyncpg's own."""
ACCEPTS_CHANGES = "read-write"


class NoPrimary(OSError):
    """None of the hosts accepts changes now; the message says of each why."""


class Primary:
    """Connects to the host that accepts changes, beginning with the one that was it last.

    asyncpg goes through several hosts within one time-out, which a host that is gone without a word uses up alone.
    Here each has its share. An old primary that lives on says that it accepts changes, too: once there is reason to
    believe that it is one, it is asked last.
    """

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._last: tuple[str, int] | None = None

    async def connect(
        self, *, host: Sequence[str], port: Sequence[int], timeout: float = CONNECT_SECONDS, **arguments: Any
    ) -> Any:
        """A connection of asyncpg's, whose arguments these are. Raises NoPrimary."""
        is_doubted = self._timeline.is_doubted
        hosts = sorted(zip(host, port, strict=True), key=lambda each: (each == self._last) is is_doubted)
        arguments.setdefault("target_session_attrs", ACCEPTS_CHANGES)
        reasons = []
        for name, number in hosts:
            try:
                connection = await asyncpg.connect(host=name, port=number, timeout=timeout / len(hosts), **arguments)
            except asyncpg.TargetServerAttributeNotMatched:
                reasons.append(f"{name}:{number}: accepts no changes")
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError) as error:
                reasons.append(f"{name}:{number}: {str(error) or type(error).__name__}")
            else:
                self._last = name, number
                return connection
        raise NoPrimary("; ".join(reasons))


def connection_arguments(address: URL, timeline: Timeline) -> dict[str, Any]:
    """Arguments for SQLAlchemy's asyncpg, if the address names several hosts."""
    _, arguments = address.get_dialect()().create_connect_args(address)
    return {"async_creator_fn": Primary(timeline).connect} if isinstance(arguments.get("host"), list) else {}
