"""How Redis is reached: one server, the master that Sentinels name, or the nodes of a cluster.

Whoever needs Redis asks here for a client. One that has failed is not used again: the next one asks the Sentinels once
more, or goes to another node, so that a failover is followed wherever Redis is used.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from typing import Any, TypeVar

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.connection import parse_url
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from memberstaff.addresses import ENCODED

Result = TypeVar("Result")

FORMS = (
    "redis://HOST:PORT/DB",
    "redis+sentinel://HOST:PORT,HOST:PORT/SERVICE/DB",
    "redis+cluster://HOST:PORT,HOST:PORT",
)
"""Of addresses; each with TLS when it begins with rediss."""
PORTS = {"": 6379, "+sentinel": 26379, "+cluster": 6379}
FILES = ("ssl_ca_certs", "ssl_certfile", "ssl_keyfile")
OPTIONS = {*FILES, "ssl_check_hostname"}
"""Of TLS, named as in redis-py."""
SENTINEL_LOGIN = {"sentinel_username": "username", "sentinel_password": "password"}
"""Options for logging in to the Sentinels, and redis-py's names for them."""
SENTINEL_SECONDS = 0.5
"""For a Sentinel's answer, after which the next one is asked."""
CLOSE_SECONDS = 1.0
"""For closing connections, which may be broken."""

_ADDRESS = re.compile(
    r"(?P<transport>rediss?)(?P<kind>\+sentinel|\+cluster|)://"
    r"(?P<login>[^@/?#]*@)?(?P<nodes>[^@/?#]+)(?P<path>/[^@?#]*)?(?P<query>\?[^#]*)?"
)
_NODE = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%]+\]|[^\[\]:,\s]+)(?::(?P<port>[0-9]{1,5}))?")


@dataclass(frozen=True, slots=True)
class RedisAddress:
    """Where Redis is, and how to log in there."""

    kind: str
    nodes: tuple[tuple[str, int], ...]
    """The server, the Sentinels, or nodes of a cluster."""
    service: str
    """That the Sentinels watch."""
    options: Mapping[str, Any] = field(repr=False)
    """redis-py's, of each connection to a server that holds data."""
    sentinel_options: Mapping[str, Any] = field(repr=False)
    """The same of each connection to a Sentinel."""

    def clients(self, seconds: float) -> Iterator[Redis]:
        """Clients for publish/subscribe, of which each comes after the one before has failed; to be closed.

        They wait so long for a connection, and for an answer. In a cluster a message reaches every node, so any one
        will do, and they go through all that the address names.
        """
        options = _bounded(self.options, seconds)
        for host, port in cycle(random.sample(self.nodes, len(self.nodes))):
            yield self._of_master(options) if self.service else Redis(host=host, port=port, **options)

    def key_clients(self, seconds: float) -> Iterator[Redis | RedisCluster]:
        """The same for keys, each of which one node of a cluster holds."""
        if self.kind != "+cluster":
            return self.clients(seconds)
        options = _bounded(self.options, seconds)
        return (_ClusterClient(startup_nodes=[ClusterNode(*node) for node in self.nodes], **options) for _ in count())

    def _of_master(self, options: Mapping[str, Any]) -> Redis:
        """A client that asks the Sentinels, in some order, whenever it connects."""
        sentinels = Sentinel(  # type: ignore[no-untyped-call]
            random.sample(self.nodes, len(self.nodes)),
            sentinel_kwargs=_bounded(self.sentinel_options, SENTINEL_SECONDS),
        )
        client: Redis = sentinels.master_for(self.service, redis_class=_MasterClient, **options)
        return client


class _MasterClient(Redis):
    """Also closes its connections to the Sentinels, which redis-py leaves to whoever made it."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        await super().aclose(close_connection_pool)
        await self.connection_pool.sentinel_manager.aclose()  # type: ignore[attr-defined]


class _ClusterClient(RedisCluster):
    """Also closes its connections after one has failed, when redis-py takes it for a client that has none."""

    async def aclose(self) -> None:
        with suppress(RedisError, OSError):
            await super().aclose()
        for node in (*self.nodes_manager.nodes_cache.values(), *self.nodes_manager.startup_nodes.values()):
            with suppress(RedisError, OSError):
                await node.disconnect()


def _bounded(options: Mapping[str, Any], seconds: float) -> dict[str, Any]:
    """Options with time-outs. Nothing is tried again silently, which would hide that messages were lost.

    And nothing is told of the library, for which a user would need a right that Redis 7.0 does not know.
    """
    return {
        **options,
        "socket_timeout": seconds,
        "socket_connect_timeout": seconds,
        "retry": Retry(NoBackoff(), 0),
        "driver_info": None,
    }


def parse(address: str) -> RedisAddress:
    """Where Redis is; raises ValueError, whose message repeats nothing of the address, which may hold a password."""
    if not re.match(r"rediss?(\+sentinel|\+cluster|)://", address):
        raise ValueError("must begin with redis://, redis+sentinel:// or redis+cluster://; with TLS, rediss…")
    parts = _ADDRESS.fullmatch(address)
    names = parts["nodes"].split(",") if parts else []
    nodes = [node for name in names if (node := _NODE.fullmatch(name)) and 0 < int(node["port"] or 1) < 65_536]
    if parts is None or len(nodes) < len(names):
        raise ValueError(f"is not an address; {ENCODED}")
    kind = parts["kind"]
    if not kind and len(nodes) > 1:
        raise ValueError(f"names several servers, which only {FORMS[1]} and {FORMS[2]} do")
    service, database = _path(kind, (parts["path"] or "").strip("/"))
    login, query = _parsed(f"{parts['login'] or ''}host"), _parsed(f"host{parts['query'] or ''}")
    tls, sentinel_login = _tls(query, kind=kind, is_on=parts["transport"] == "rediss")
    return RedisAddress(
        kind=kind,
        nodes=tuple((node["host"].strip("[]"), int(node["port"] or PORTS[kind])) for node in nodes),
        service=service,
        options={**login, **tls, **({"db": database} if database else {})},
        sentinel_options={**sentinel_login, **tls},
    )


def _parsed(part: str) -> dict[str, Any]:
    """What redis-py reads in a part of an address, but for the host."""
    try:
        options = dict(parse_url(f"redis://{part}"))
    except ValueError:
        raise ValueError(f"is not an address; {ENCODED}") from None
    return {name: value for name, value in options.items() if name != "host"}


def _path(kind: str, path: str) -> tuple[str, int]:
    """The service and the database that an address names."""
    service, _, database = path.partition("/") if kind == "+sentinel" else ("", "", path)
    if kind == "+sentinel" and not service:
        raise ValueError(f"names no service that the Sentinels watch: {FORMS[1]}")
    if kind == "+cluster" and database not in {"", "0"}:
        raise ValueError("names a database, of which a cluster has only one")
    if not re.fullmatch("[0-9]{0,5}", database):
        raise ValueError(f"has something else than the number of a database at its end: {FORMS[kind == '+sentinel']}")
    return service, int(database or 0)


def _tls(query: Mapping[str, Any], *, kind: str, is_on: bool) -> tuple[dict[str, Any], dict[str, Any]]:
    """redis-py's options for TLS, and for logging in to the Sentinels."""
    known = {*OPTIONS, *(SENTINEL_LOGIN if kind == "+sentinel" else ())}
    if not query.keys() <= known:
        raise ValueError(f"has an option that is none of {', '.join(sorted(known))}")
    options = {name: query[name] for name in sorted(OPTIONS) if name in query}
    if options and not is_on:
        raise ValueError("has an option for TLS, and no TLS: let it begin with rediss")
    for name in FILES:
        if name in options and not os.access(options[name], os.R_OK):
            raise ValueError(f"names a file as {name} that cannot be read")
    login = {name: query[option] for option, name in SENTINEL_LOGIN.items() if option in query}
    return {"ssl": True, **options} if is_on else {}, login


class RedisConnection:
    """A client, and another one as soon as it has failed."""

    def __init__(self, clients: Iterator[Any]) -> None:
        self._clients = clients
        self._client: Any = None

    @property
    def client(self) -> Any:
        """The one to be used now: call `close` when it fails."""
        if self._client is None:
            self._client = next(self._clients)
        return self._client

    async def do(self, action: Callable[[Any], Awaitable[Result]]) -> Result:
        """What `action` returns for a client; it is tried once more with another one.

        So it repairs a connection that died while it was idle, and may do twice what was done.
        Raises redis-py's errors, OSError or TimeoutError.
        """
        try:
            return await self._once(action)
        except (RedisError, OSError):  # a TimeoutError is an OSError
            return await self._once(action)

    async def _once(self, action: Callable[[Any], Awaitable[Result]]) -> Result:
        try:
            result = await action(self.client)
            raise_if_cancelled()
        except BaseException:  # one that hangs is left by being cancelled
            await self.close()
            raise
        return result

    async def close(self) -> None:
        """Close the client, if there is one; the next use gets another."""
        client, self._client = self._client, None
        if client is not None:
            with suppress(Exception):  # whatever is left of it goes with the process
                async with asyncio.timeout(CLOSE_SECONDS):
                    await client.aclose()


def raise_if_cancelled() -> None:
    """Raise CancelledError if this task was cancelled while redis-py was sending.

    On Python 3.11 its `asyncio.wait_for` swallows a cancellation that arrives just as the sending is done, and the
    task, and so the shutdown, would wait for ever.
    """
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
