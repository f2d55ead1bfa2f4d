"""The members of the presence channel, `presence-attendance`, on all processes.

Each process renews a lease in Redis that lists its members, and reads those of the others. When a process dies, its
lease expires, and its members are removed.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import msgspec
import structlog
from broadcaster import Broadcast
from redis.exceptions import RedisError

from memberstaff.access import Caller
from memberstaff.keyring import Keyring
from memberstaff.notify.redis_backend import RedisBackend, raise_if_cancelled, redis_client
from memberstaff.notify.seal import NotSealed, Seal
from memberstaff.pusher.protocol import event

log = structlog.get_logger(__name__)

CHANNEL = "presence-attendance"
RENEW_SECONDS = 10.0
LEASE_SECONDS = 30

Send = Callable[[bytes], None]
"""Sends a message to one subscriber."""


class Presence:
    """The members, by the id that clients see; needs `run` to be running.

    `account_id` converts the number of an account to that id.
    """

    def __init__(self, url: str, channel: str, keyring: Keyring, account_id: Callable[[int | None], str]) -> None:
        self._url = url
        self._seal = Seal(keyring, f"presence on {channel}")
        self._channel = f"{channel}:presence"
        self._nodes = f"{channel}:presence:nodes"
        self._node = f"{channel}:presence:{secrets.token_hex(8)}"
        self._account_id = account_id
        self._subscribers: defaultdict[str, list[Send]] = defaultdict(list)
        """Subscribers of this process, by member."""
        self._names: dict[str, str] = {}
        """Display names of members on this process."""
        self._others: dict[str, str] = {}
        """Display names of members on other processes."""
        self._sent: dict[str, str] = {}
        """Display names of all members, as last sent to the subscribers."""
        self._changed = asyncio.Event()
        self._wake = asyncio.Event()

    def subscription_data(self) -> dict[str, Any]:
        """The data of `subscription_succeeded`: the current members."""
        members = {member: {"name": name} for member, name in self._sent.items()}
        return {"presence": {"count": len(members), "ids": list(members), "hash": members}}

    def join(self, caller: Caller, send: Send) -> Callable[[], None]:
        """Add a subscriber, and notify it of other members from now on; returns how to leave."""
        member = self._account_id(caller.account_id)
        self._subscribers[member].append(send)
        self._names[member] = caller.display_name
        self._send_changes()
        self._changed.set()
        self._wake.set()

        def leave() -> None:
            if send not in self._subscribers.get(member, ()):
                return
            self._subscribers[member].remove(send)
            if not self._subscribers[member]:
                del self._subscribers[member], self._names[member]
                self._send_changes()
                self._changed.set()
                self._wake.set()

        return leave

    async def run(self) -> None:
        """Renew the lease and read the others until cancelled; does nothing without Redis."""
        if self._url.startswith("memory:"):
            await asyncio.Event().wait()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen())
            tasks.create_task(self._renew())

    async def _listen(self) -> None:
        """Read the leases whenever another process publishes a change."""
        broadcast = Broadcast(backend=RedisBackend(self._url, lambda _: self._wake.set()))
        async with broadcast, broadcast.subscribe(self._channel) as subscriber:
            while True:
                if (await subscriber.get()).message != self._node:
                    self._wake.set()

    async def _renew(self) -> None:
        redis = redis_client(self._url, retries=1)
        reached_at = asyncio.get_running_loop().time()
        try:
            while True:
                try:
                    await self._exchange(redis)
                    reached_at = asyncio.get_running_loop().time()
                except (RedisError, OSError, TimeoutError) as error:
                    log.warning("Presence cannot reach Redis", reason=type(error).__name__)
                    if asyncio.get_running_loop().time() - reached_at > LEASE_SECONDS:
                        self._others = {}
                        self._send_changes()
                    await asyncio.sleep(1)
                    continue
                try:
                    async with asyncio.timeout(RENEW_SECONDS):
                        await self._wake.wait()
                except TimeoutError:
                    pass
        finally:
            try:
                async with asyncio.timeout(1):  # remove our members at once, rather than when the lease expires
                    await redis.delete(self._node)
                    await redis.publish(self._channel, self._node)
                    await redis.aclose()
            except (RedisError, OSError, TimeoutError):
                log.info("Presence could not remove its lease, which will expire")

    async def _exchange(self, redis: Any) -> None:
        """Renew our lease, and read the others."""
        self._wake.clear()
        changed = self._changed.is_set()
        self._changed.clear()
        if self._names or changed:
            async with redis.pipeline(transaction=True) as pipe:
                pipe.set(self._node, self._seal.seal(msgspec.json.encode(self._names)), ex=LEASE_SECONDS)
                pipe.sadd(self._nodes, self._node)
                if changed:
                    pipe.publish(self._channel, self._node)
                await pipe.execute()
        nodes = sorted(node for node in await redis.smembers(self._nodes) if node != self._node.encode())
        leases = dict(zip(nodes, map(self._members, await redis.mget(nodes) if nodes else []), strict=True))
        if gone := [node for node, members in leases.items() if members is None]:
            await redis.srem(self._nodes, *gone)
        raise_if_cancelled()
        self._others = {member: name for members in leases.values() for member, name in (members or {}).items()}
        self._send_changes()

    def _members(self, lease: bytes | None) -> dict[str, str] | None:
        """The names in a lease, by member; None when it has expired, or nobody with our secret wrote it."""
        try:
            return msgspec.json.decode(self._seal.open(lease), type=dict[str, str]) if lease else None
        except (NotSealed, msgspec.DecodeError) as error:
            log.warning("Ignored a presence lease that is not ours", reason=type(error).__name__)
            return None

    def _send_changes(self) -> None:
        """Notify the subscribers here of members who joined or left, except of themselves."""
        now = {**self._others, **self._names}
        before, self._sent = self._sent, now
        messages = [
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
        for about, message in messages:
            for member, sends in list(self._subscribers.items()):
                if member != about:
                    for send in list(sends):
                        send(message)
