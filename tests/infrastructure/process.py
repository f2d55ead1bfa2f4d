"""Server processes that die with the tests, however those die."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

START_SECONDS = 30.0


class NotFound(Exception):
    """A server that the tests need is not on this machine; the message says what to install."""


def start(
    command: Sequence[str | Path], *, log: Path, ready: Callable[[], bool], user: int | None = None
) -> subprocess.Popen[bytes]:
    """Start a server, and wait until it is ready."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            user=user,
            group=user,
            preexec_fn=_die_with_parent if sys.platform == "linux" else None,
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


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _die_with_parent() -> None:
    """PR_SET_PDEATHSIG: also when pytest itself is killed."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def is_root() -> bool:
    """Whether the tests run as root, as which PostgreSQL refuses to."""
    return hasattr(os, "geteuid") and os.geteuid() == 0
