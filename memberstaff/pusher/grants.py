"""What /broadcasting/auth has granted: a session's holder may subscribe, on one socket, to one channel, soon.

The signature that the client carries says which socket and channel. Whose it is stands here, so that the process
that holds the socket, whichever it is, knows whose access the subscription depends on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, tuple_

from memberstaff.accounts.tokens import Claims
from memberstaff.db.batcher import Batcher
from memberstaff.db.tables import channel_grant
from memberstaff.db.upsert import insert
from memberstaff.db.work import Database

GOOD_FOR = timedelta(seconds=60)
"""Between the answer and the subscription; a client subscribes at once."""

Key = tuple[str, str]
"""A socket's id and a channel's name."""


@dataclass(frozen=True, slots=True)
class Grant:
    """Who may subscribe, and from which cursor on they want to be served."""

    claims: Claims
    after: str | None


class Grants:
    """Kept in the database; each is used once. Those who come together share a statement."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._recording = Batcher(self._record, pauses=True)
        self._redeeming = Batcher(self._redeem, pauses=True)

    async def record(self, socket_id: str, channel: str, grant: Grant) -> None:
        """Keep a grant, in the place of an earlier one for the same socket and channel."""
        await self._recording.ask(((socket_id, channel), grant))

    async def redeem(self, socket_id: str, channel: str) -> Grant | None:
        """Use a grant; None when there is none (any more)."""
        return await self._redeeming.ask((socket_id, channel))

    async def _record(self, several: Sequence[tuple[Key, Grant]]) -> Sequence[None]:
        latest = dict(several)
        async with self._database.write() as work:
            await work.write(delete(channel_grant).where(channel_grant.c.granted_at < work.now - GOOD_FOR))
            new = insert(work.dialect, channel_grant)
            kept = [name for name in channel_grant.c.keys() if name not in {"socket_id", "channel"}]  # noqa: SIM118
            await work.write(
                new.on_conflict_do_update(
                    index_elements=["socket_id", "channel"], set_={name: new.excluded[name] for name in kept}
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
        return [None] * len(several)

    async def _redeem(self, keys: Sequence[Key]) -> Sequence[Grant | None]:
        mine = tuple_(channel_grant.c.socket_id, channel_grant.c.channel).in_(sorted(set(keys)))
        async with self._database.write() as work:
            rows = await work.rows(delete(channel_grant).where(mine).returning(*channel_grant.c))
            good = [row for row in rows if row.granted_at >= work.now - GOOD_FOR]
        found = {
            (row.socket_id, row.channel): Grant(
                Claims(row.session_id, row.account_id, row.expires_at, row.issued_at), row.after
            )
            for row in good
        }
        return [found.get(key) for key in keys]
