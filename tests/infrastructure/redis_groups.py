"""Real groups of Redis servers that replace a master which was killed: Sentinels with a pair, and a cluster."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from redis.crc import key_slot
from redis.exceptions import RedisError

from tests.infrastructure.process import START_SECONDS, free_port, start, stop
from tests.infrastructure.redis import RedisServer, find_binary

NOTICED_MILLISECONDS = 1_000
"""After which a master that does not answer is replaced."""
SLOTS = 16_384


class RedisGroup(Protocol):
    """Servers of which one is killed, and another one takes its place."""

    url: str

    def start(self) -> None:
        """Listen, all of them."""

    def stop(self) -> None:
        """End all of them, and leave nothing behind."""

    def listening(self, channel: str) -> RedisServer:
        """The master to which most of the clients that listen there are connected."""

    def holding(self, key: str) -> RedisServer:
        """The master that has this key, or would."""

    def has(self, key: str) -> bool:
        """Whether it is there."""

    def masters(self) -> list[RedisServer]:
        """Those that say so themselves."""


class _Servers:
    """What both kinds have in common."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.servers: list[RedisServer] = []

    def masters(self) -> list[RedisServer]:
        return [server for server in self.servers if _ask(server, "ROLE", [b""])[0] == b"master"]

    def listening(self, channel: str) -> RedisServer:
        return max(self.masters(), key=lambda server: _ask(server, f"PUBSUB NUMSUB {channel}", [channel, 0])[1])

    def holding(self, key: str) -> RedisServer:
        return self.masters()[0]

    def has(self, key: str) -> bool:
        return bool(_ask(self.holding(key), f"EXISTS {key}", 0))

    def _stop(self) -> None:
        for server in self.servers:
            server.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class Sentinels(_Servers):
    """A master with a replica, and three Sentinels, which know each other from the start."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers = [RedisServer(folder / name) for name in ("first", "second")]
        first, second = self.servers
        first.options = ["--repl-diskless-sync-delay", "0"]
        second.options = ["--replicaof", f"127.0.0.1 {first.port}", "--repl-diskless-sync-delay", "0"]
        self.ports = [free_port() for _ in range(3)]
        self._processes: list[subprocess.Popen[bytes]] = []
        nodes = ",".join(f"127.0.0.1:{port}" for port in self.ports)
        self.url = f"redis+sentinel://{nodes}/mymaster/0"

    def start(self) -> None:
        for server in self.servers:
            server.start()
        _until(lambda: _ask(self.servers[1], "ROLE", [b""] * 4)[3] == b"connected")
        for number, port in enumerate(self.ports):
            folder = self._folder / f"sentinel{number}"
            folder.mkdir(parents=True)
            file = folder / "sentinel.conf"
            file.write_text("\n".join(self._configuration(number)) + "\n")
            server = RedisServer(folder)
            server.port = port
            self._processes.append(start([find_binary(), file, "--sentinel"], log=folder / "log", ready=server.answers))

    def _configuration(self, number: int) -> list[str]:
        first, second = self.servers
        return [
            f"port {self.ports[number]}",
            "bind 127.0.0.1",
            f"dir {self._folder / f'sentinel{number}'}",
            f"sentinel myid {_id(number)}",
            f"sentinel monitor mymaster 127.0.0.1 {first.port} 2",
            f"sentinel down-after-milliseconds mymaster {NOTICED_MILLISECONDS}",
            "sentinel failover-timeout mymaster 5000",
            f"sentinel known-replica mymaster 127.0.0.1 {second.port}",
            *(
                f"sentinel known-sentinel mymaster 127.0.0.1 {port} {_id(other)}"
                for other, port in enumerate(self.ports)
                if other != number
            ),
        ]

    def stop(self) -> None:
        for process in self._processes:
            stop(process)
        self._stop()


class Cluster(_Servers):
    """Three masters, each with a replica."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.servers = [RedisServer(folder / f"node{number}") for number in range(6)]
        self._bus = [free_port() for _ in self.servers]
        self.url = "redis+cluster://" + ",".join(f"127.0.0.1:{master.port}" for master in self.servers[:3])

    def start(self) -> None:
        for number, server in enumerate(self.servers):
            folder = self._folder / f"node{number}"
            folder.mkdir(parents=True)
            (folder / "nodes.conf").write_text("\n".join(self._nodes(number)) + "\n")
            timeout = ["--cluster-node-timeout", str(NOTICED_MILLISECONDS)]
            server.options = ["--cluster-enabled", "yes", "--cluster-port", str(self._bus[number]), *timeout]
            server.options += ["--repl-diskless-sync-delay", "0"]
            server.start()
        _until(lambda: all(b"cluster_state:ok" in _ask(each, "CLUSTER INFO", b"") for each in self.servers))
        _until(lambda: all(_ask(each, "ROLE", [b""] * 4)[3] == b"connected" for each in self.servers[3:]))

    def _nodes(self, me: int) -> list[str]:
        """What the node would have written down, had it met the others."""
        lines = []
        for number, server in enumerate(self.servers):
            myself = "myself," if number == me else ""
            master = number % 3
            address = f"127.0.0.1:{server.port}@{self._bus[number]}"
            role, of = ("master", "-") if number < 3 else ("slave", _id(master))
            slots = f" {master * SLOTS // 3}-{(master + 1) * SLOTS // 3 - 1}" if number < 3 else ""
            lines.append(f"{_id(number)} {address} {myself}{role} {of} 0 0 {master + 1} connected{slots}")
        return [*lines, "vars currentEpoch 3 lastVoteEpoch 0"]

    def holding(self, key: str) -> RedisServer:
        for server in self.masters():
            for first, last, (_, port, *_), *_ in _ask(server, "CLUSTER SLOTS", []):
                if first <= key_slot(key.encode()) <= last:
                    return next(each for each in self.servers if each.port == port)
        raise LookupError(key)

    def stop(self) -> None:
        self._stop()


def _id(number: int) -> str:
    return f"{number + 1:040x}"


def _ask(server: RedisServer, question: str, otherwise: Any) -> Any:
    """What a server answers, as it sends it; something else when it is gone."""
    with suppress(RedisError), server.client(socket_timeout=1, protocol=2) as client:
        connection = client.connection_pool.get_connection()
        connection.send_command(*question.split())
        return connection.read_response()
    return otherwise


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise RuntimeError("The servers did not find each other.")
        time.sleep(0.02)
