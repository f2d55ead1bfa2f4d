"""The installation: the one that was named, or else a demo of this checkout."""

from __future__ import annotations

import os
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from tests.blackbox.site import Site, read_logins
from tests.infrastructure.process import free_port, start, stop

ADDRESS, LOGINS, HEARTBEATS = (f"MEMBERSTAFF_TEST_{name}" for name in ("ADDRESS", "LOGINS", "HEARTBEATS"))


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Seen from outside."""
    heartbeats = int(os.environ.get(HEARTBEATS, "0"))
    if address := os.environ.get(ADDRESS):
        if LOGINS not in os.environ:
            raise pytest.UsageError(f"{LOGINS} has to name the file of the logins, beside {ADDRESS}.")
        yield Site(address.rstrip("/"), read_logins(Path(os.environ[LOGINS])), heartbeats)
        return
    with demo(tmp_path_factory.mktemp("demo")) as (here, data):
        yield Site(here, read_logins(data / "logins.json"), heartbeats)


@contextmanager
def demo(folder: Path) -> Iterator[tuple[str, Path]]:
    """A demo, in a process of its own; its address, and the folder of its data."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    data = folder / "data"
    server = start(
        [sys.executable, "-m", "memberstaff", "serve", "--demo", "--port", str(port), "--data", data],
        log=folder / "log",
        ready=partial(is_ready, address),
        environment={
            **{name: value for name, value in os.environ.items() if not name.startswith("MEMBERSTAFF_")},
            "MEMBERSTAFF_ANONYMOUS_REQUESTS_PER_MINUTE": "150",  # for a shorter flood
        },
    )
    try:
        yield address, data
    finally:
        stop(server)


def is_ready(address: str) -> bool:
    """Whether a server has started, and may be sent requests."""
    try:
        urllib.request.urlopen(f"{address}/health/ready", timeout=5).close()
    except OSError:
        return False
    return True


@pytest.fixture
def note() -> str:
    """A note that nobody has written yet."""
    return f"Seen from outside, {uuid4().hex[:12]}"
