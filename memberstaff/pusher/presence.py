"""Who is looking: the accounts that are subscribed to `presence-attendance`, on all processes.

Each process holds a lease in Redis that says whom it serves, renews it, and reads those of the others. A process
that dies is forgotten with its lease.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import orjson
import structlog
from broadcaster import Broadcast
from redis.exceptions import RedisError

from memberstaff.access import Caller
from memberstaff.notify.redis_backend import RedisBackend, raise_if_cancelled, redis_client
from memberstaff.pusher.protocol import event

log = structlog.get_logger(__name__)

CHANNEL = "presence-attendance"
RENEW_SECONDS = 10.0
LEASE_SECONDS = 30

Say = Callable[[bytes], None]
"""Sends a message to one subscriber."""


class Presence:
    """The members as this process knows them, by the id that clients see. `run` must be running.

    `account_id` makes that id of an account's number.
    """

    def __init__(self, url: str, channel: str, account_id: Callable[[int | None], str]) -> None:
        self._url = url
        self._channel = f"{channel}:presence"
        self._nodes = f"{channel}:presence:nodes"
        self._node = f"{channel}:presence:{secrets.token_hex(8)}"
        self._account_id = account_id
        self._here: defaultdict[str, list[Say]] = defaultdict(list)
        """Subscribers of this process, by member."""
        self._names: dict[str, str] = {}
        """Display names of this process's members."""
        self._others: dict[str, str] = {}
        """Members whom other processes serve."""
        self._known: dict[str, str] = {}
        """Everybody, as the subscribers here have been told."""
        self._changed = asyncio.Event()
        self._wake = asyncio.Event()

    def here(self) -> dict[str, Any]:
        """Who is there, as the answer to a subscription says it."""
        members = {member: {"name": name} for member, name in self._known.items()}
        return {"presence": {"count": len(members), "ids": list(members), "hash": members}}

    def join(self, caller: Caller, say: Say) -> Callable[[], None]:
        """Let somebody be seen, and be told of the others; answers how they leave."""
        member = self._account_id(caller.account_id)
        self._here[member].append(say)
        self._names[member] = caller.display_name
        self._tell()
        self._changed.set()
        self._wake.set()

        def leave() -> None:
            if say not in self._here.get(member, ()):
                return
            self._here[member].remove(say)
            if not self._here[member]:
                del self._here[member], self._names[member]
                self._tell()
                self._changed.set()
                self._wake.set()

        return leave

    async def run(self) -> None:
        """Keep the lease and follow the others until cancelled; alone where there is no Redis."""
        if self._url.startswith("memory:"):
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._keep())

    async def _listen(self) -> None:
        """Look again whenever another process says that its members have changed."""
        broadcast = Broadcast(backend=RedisBackend(self._url, lambda _: self._wake.set()))
        async with broadcast, broadcast.subscribe(self._channel) as subscriber:
            while True:
                if (await subscriber.get()).message != self._node:
                    self._wake.set()

    async def _keep(self) -> None:
        redis = redis_client(self._url, retries=1)
        seen = asyncio.get_running_loop().time()
        try:
            while True:
                try:
                    await self._exchange(redis)
                    seen = asyncio.get_running_loop().time()
                except (RedisError, OSError, TimeoutError) as error:
                    log.warning("Presence cannot reach Redis", reason=type(error).__name__)
                    if asyncio.get_running_loop().time() - seen > LEASE_SECONDS:
                        self._others = {}
                        self._tell()
                    await asyncio.sleep(1)
                    continue
                try:
                    async with asyncio.timeout(RENEW_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            try:
                async with asyncio.timeout(1):  # a process that stops takes its members with it at once
                    await redis.delete(self._node)
                    await redis.publish(self._channel, self._node)
                    await redis.aclose()
            except (RedisError, OSError, TimeoutError):
                log.info("Presence could not say farewell; its lease ends by itself")

    async def _exchange(self, redis: Any) -> None:
        """Renew our lease and read the others'."""
        self._wake.clear()
        changed = self._changed.is_set()
        self._changed.clear()
        if self._names or changed:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.set(self._node, orjson.dumps(self._names), ex=LEASE_SECONDS)
                pipe.sadd(self._nodes, self._node)
                if changed:
                    pipe.publish(self._channel, self._node)
                await pipe.execute()
        nodes = sorted(node for node in await redis.smembers(self._nodes) if node.decode() != self._node)
        leases = await redis.mget(nodes) if nodes else []
        if gone := [node for node, lease in zip(nodes, leases, strict=True) if lease is None]:
            await redis.srem(self._nodes, *gone)
        raise_if_cancelled()
        others: dict[str, str] = {}
        for lease in leases:
            others |= orjson.loads(lease) if lease else {}
        self._others = others
        self._tell()

    def _tell(self) -> None:
        """Tell the subscribers here who has come and who has gone, but nobody of themselves."""
        now = {**self._others, **self._names}
        before, self._known = self._known, now
        news = [
            *(
                (member, event("pusher_internal:member_removed", {"user_id": member}, CHANNEL))
                for member in before
                if member not in now
            ),
            *(
                (
                    member,
                    event("pusher_internal:member_added", {"user_id": member, "user_info": {"name": name}}, CHANNEL),
                )
                for member, name in now.items()
                if member not in before
            ),
        ]
        for about, message in news:
            for member, several in list(self._here.items()):
                if member != about:
                    for say in list(several):
                        say(message)
