"""A server with few descriptors, and a log that nobody reads, goes on serving."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from contextlib import AsyncExitStack, closing, suppress
from pathlib import Path

import httpx2
import pytest

from tests.infrastructure.process import free_port, stop
from tests.waiting import WAIT_SECONDS

LIVE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
LOUD = b"GET /%b HTTP/1.1\r\nHost: localhost\r\n\r\n" % (b"x" * 8_000)
"""A request whose line in the log has 8 kB."""


async def answer(port: int, request: bytes = LIVE, source: str = "127.0.0.1") -> bytes:
    """The first line of the answer; empty if there is none."""
    with suppress(ConnectionError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(source, 0))
        with closing(writer):
            writer.write(request)
            return (await asyncio.wait_for(reader.readline(), WAIT_SECONDS)).strip()
    return b""


@pytest.mark.timeout(300)
async def test_silent_connections_and_a_log_that_nobody_reads_keep_nobody_out(tmp_path: Path) -> None:
    port = free_port()
    serve = [sys.executable, "-m", "memberstaff", "serve", "--demo", "--data", tmp_path, "--port", port]
    command = ["sh", "-c", 'ulimit -n 256; exec "$@"', "sh", *map(str, serve)]
    process = subprocess.Popen(  # noqa: ASYNC220
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=tmp_path
    )
    assert process.stderr is not None
    with process.stderr:  # of which nobody reads
        try:
            async with asyncio.timeout(2 * WAIT_SECONDS):
                while await answer(port) != b"HTTP/1.1 200 OK":
                    assert process.poll() is None
                    await asyncio.sleep(0.05)
            for _ in range(20):  # more than a pipe holds
                assert await answer(port, LOUD) != b""
            assert await answer(port) == b"HTTP/1.1 200 OK"
            async with AsyncExitStack() as stack:
                for _ in range(300):
                    _, silent = await asyncio.open_connection("127.0.0.1", port)
                    stack.callback(silent.close)
                assert await answer(port) == b""
                assert await answer(port, source="127.0.0.2") == b"HTTP/1.1 200 OK"
        finally:
            stop(process)
    assert process.returncode == -signal.SIGTERM


@pytest.mark.timeout(300)
@pytest.mark.parametrize("redirected", ["2>&-", ">/dev/full 2>/dev/full"])
async def test_a_server_starts_without_a_place_for_its_log_and_counts_what_is_missing(
    tmp_path: Path, redirected: str
) -> None:
    port = free_port()
    serve = [sys.executable, "-m", "memberstaff", "serve", "--demo", "--data", tmp_path, "--port", port]
    command = ["sh", "-c", f'exec "$@" {redirected}', "sh", *map(str, serve)]
    process = subprocess.Popen(  # noqa: ASYNC220
        command, stdout=subprocess.DEVNULL, cwd=tmp_path, env={**os.environ, "MEMBERSTAFF_METRICS": "true"}
    )
    try:
        async with asyncio.timeout(2 * WAIT_SECONDS):
            while await answer(port) != b"HTTP/1.1 200 OK":
                assert process.poll() is None
                await asyncio.sleep(0.05)
        assert await dropped(port) > 0
    finally:
        stop(process)


async def dropped(port: int) -> float:
    """How many lines of its log a server could not write, as its metrics tell."""
    async with httpx2.AsyncClient() as client:
        lines = (await client.get(f"http://127.0.0.1:{port}/metrics")).text.splitlines()
    [value] = [line.split()[1] for line in lines if line.startswith("memberstaff_log_lines_dropped_total ")]
    return float(value)
