"""Server processes that die with the tests, however those die."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

START_SECONDS = 90.0
LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
KEPT_PORTS: deque[socket.socket] = deque()
MOST_KEPT_PORTS = 64


class NotFound(Exception):
    """A server that the tests need is not on this machine; the message says what to install."""


def start(
    command: Sequence[str | Path],
    *,
    log: Path,
    ready: Callable[[], bool],
    user: int | None = None,
    orphaned: signal.Signals = signal.SIGKILL,
    environment: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a server, with another environment if one is given, and wait until it is ready.

    On Linux it is sent `orphaned` when the thread that started it ends: call this from the main thread.
    """
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            env=environment,
            preexec_fn=partial(_die_with_parent, os.getpid(), orphaned) if LIBC else None,
        )
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        if process.poll() is not None or time.monotonic() > deadline:
            stop(process)
            raise RuntimeError(f"{command[0]} did not start:\n{log.read_text(errors='replace')[-2000:]}")
        time.sleep(0.02)
    return process


def stop(process: subprocess.Popen[bytes], how: signal.Signals = signal.SIGTERM) -> None:
    """End a server by its process id, and wait until it is gone."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Startable(Protocol):
    """A server of the tests' own."""

    def start(self) -> None:
        """Listen."""

    def stop(self) -> None:
        """End, and leave nothing behind."""


S = TypeVar("S", bound=Startable)


@contextmanager
def running(server: S) -> Iterator[S]:
    """A server as long as the block lasts; one that fails to start leaves nothing behind either."""
    try:
        server.start()
        yield server
    finally:
        server.stop()


def free_port() -> int:
    """A port that nobody listens on, whatever the address, kept for a server that sets `SO_REUSEADDR`, as servers do.

    A port that nothing is bound to is taken by the next connection of another test, before the server has started.
    """
    kept = socket.socket()
    kept.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    kept.bind(("", 0))
    KEPT_PORTS.append(kept)
    while len(KEPT_PORTS) > MOST_KEPT_PORTS:
        KEPT_PORTS.popleft().close()
    return int(kept.getsockname()[1])


def _die_with_parent(parent: int, how: signal.Signals) -> None:
    """Also when pytest itself is killed, and can end nothing."""
    assert LIBC is not None
    LIBC.prctl(SET_PARENT_DEATH_SIGNAL, how)
    if os.getppid() != parent:  # it died before it could be watched
        os._exit(1)


def is_root() -> bool:
    """Whether the tests run as root, as which PostgreSQL refuses to."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
