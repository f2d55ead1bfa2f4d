"""Grants of /broadcasting/auth: the session behind a signature, for one socket and one channel, once.

A Pusher signature names a socket and a channel, but no session. Whichever process has the socket finds the session
here, so that the subscription ends with its access.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Text, delete, select, tuple_

from memberstaff.accounts.tokens import Claims
from memberstaff.db.batcher import Batcher
from memberstaff.db.database import Database
from memberstaff.db.rows import as_json, from_json
from memberstaff.db.tables import channel_grant
from memberstaff.db.upsert import insert

LIFETIME = timedelta(seconds=60)
"""From the response to the subscription; clients subscribe at once."""

Key = tuple[str, str]
"""Socket id and channel name."""


@dataclass(frozen=True, slots=True)
class Grant:
    """A session that may subscribe, and the cursor to resume from."""

    claims: Claims
    after: str | None


class Grants:
    """One-time grants in the database; concurrent calls share a statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recording = Batcher(self._record, pauses=True)
        self._redeeming = Batcher(self._redeem, pauses=True)

    async def record(self, socket_id: str, channel: str, grant: Grant) -> None:
        """Store a grant, replacing an earlier one for the same socket and channel."""
        await self._recording.ask(((socket_id, channel), grant))

    async def redeem(self, socket_id: str, channel: str) -> Grant | None:
        """Consume a grant; None if there is none, or it has expired."""
        return await self._redeeming.ask((socket_id, channel))

    async def _record(self, batch: Sequence[tuple[Key, Grant]]) -> Sequence[None]:
        latest = dict(batch)
        async with self._database.write() as work:
            new = insert(work.dialect, channel_grant)
            columns = [name for name in channel_grant.c.keys() if name not in {"socket_id", "channel"}]  # noqa: SIM118
            await work.write(
                new.on_conflict_do_update(
                    index_elements=["socket_id", "channel"], set_={name: new.excluded[name] for name in columns}
                ),
                [
                    {
                        "socket_id": socket_id,
                        "channel": channel,
                        "session_id": grant.claims.session_id,
                        "account_id": grant.claims.account_id,
                        "expires_at": grant.claims.expires_at,
                        "issued_at": grant.claims.issued_at,
                        "after": grant.after,
                        "granted_at": work.now,
                    }
                    for (socket_id, channel), grant in sorted(latest.items(), key=lambda item: item[0])
                ],
            )
        return [None] * len(batch)

    async def _redeem(self, keys: Sequence[Key]) -> Sequence[Grant | None]:
        async with self._database.write() as work:
            given = from_json(work.dialect, {"socket_id": Text(), "channel": Text()})
            redeemed = tuple_(channel_grant.c.socket_id, channel_grant.c.channel).in_(select(*given.c))
            rows = await work.rows(
                delete(channel_grant).where(redeemed).returning(*channel_grant.c),
                {"rows": as_json([{"socket_id": socket_id, "channel": channel} for socket_id, channel in keys])},
            )
            valid = [row for row in rows if row.granted_at >= work.now - LIFETIME]
        found = {
            (row.socket_id, row.channel): Grant(
                Claims(row.session_id, row.account_id, row.expires_at, row.issued_at), row.after
            )
            for row in valid
        }
        return [found.get(key) for key in keys]
