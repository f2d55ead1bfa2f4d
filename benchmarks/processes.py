"""Starting a server on its own core, waiting until it serves, and ending it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

START_SECONDS = 40.0
STOP_SECONDS = 3.0


class Failed(Exception):
    """A server did not start, or a load generator ended without a result; the message says why."""


@contextmanager
def running(
    command: Sequence[str | Path],
    *,
    ready: Callable[[], bool],
    env: Mapping[str, str],
    folder: Path,
    log: Path,
    cores: set[int],
) -> Iterator[int]:
    """A server as long as the block lasts; the value is its process id. Raises Failed."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=folder,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # so that all its processes can be ended together
            preexec_fn=partial(os.sched_setaffinity, 0, cores),
        )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not ready():
            if process.poll() is not None or time.monotonic() > deadline:
                raise Failed(f"{command[0]} did not start: {log.read_text(errors='replace')[-1000:]}")
            time.sleep(0.05)
        yield process.pid
    finally:
        _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the session that `running` began: in good order first, then whatever is left of it."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def post(port: int, body: str, headers: Mapping[str, str] | None = None) -> Any:
    """The answer to a GraphQL request, decoded. Raises OSError, and ValueError for what is no answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/graphql", body, {"Content-Type": "application/json", **(headers or {})})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise ValueError(f"{answer.status}: {content[:500]!r}")
        return json.loads(content)
    except http.client.HTTPException as error:
        raise ValueError(str(error)) from error
    finally:
        connection.close()


def answers_graphql(port: int) -> bool:
    """Whether a server answers the smallest of all queries."""
    try:
        return "data" in post(port, '{"query":"{ __typename }"}')
    except (OSError, ValueError):
        return False
