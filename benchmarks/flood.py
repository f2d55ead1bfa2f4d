"""Whether a client that floods keeps others waiting: `.venv/bin/python -m benchmarks.flood`.

One client, at 127.0.0.1, sends as much of one kind as it can. Another one, at 127.0.0.2, asks `/health/live` again and
again, each time over a new connection.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import resource
import ssl
import tempfile
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path

from benchmarks.environment import Environment, running_environment
from benchmarks.processes import running
from benchmarks.tools import Tools
from tests.certificates import self_signed
from tests.infrastructure.process import free_port

CONNECTIONS = 200
CLIENT, OTHER = "127.0.0.1", "127.0.0.2"
WARM_UP_SECONDS = 2.0
PAUSE_SECONDS = 0.02
"""Between two probes."""


def posted(document: str) -> bytes:
    """The request of a stranger."""
    body = json.dumps({"query": document}).encode()
    head = f"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
    return head.encode() + b"\r\n\r\n" + body


PAYLOADS = {
    "small": posted("{ viewer { " + "id " * 90 + "} }"),
    "expensive": posted("{ " + " ".join("viewer { " + "id " * 60 + "}" for _ in range(9)) + " }"),
    "heads": b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n"
    + b"".join(b"x-%d: %b\r\n" % (number, b"y" * 330) for number in range(90))
    + b"\r\n",
    "endless": b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nx: " + b"y" * 1_000_000,
    "after": b"GET /nothing HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" + b"y" * 1_000_000,
    "ahead": b"GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n" * 30,
    "leaving": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "files": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "handshakes": b"",
}
KINDS = ("none", "silent", *PAYLOADS, "mix")


class Flood:
    """The client that floods, in a process of its own."""

    def __init__(self, port: int, tls: ssl.SSLContext | None) -> None:
        self._port = port
        self._tls = tls

    async def run(self, kind: str) -> None:
        """Send until the process ends."""
        resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
        kinds = [each for each in KINDS if each not in {"none", "mix", "handshakes"}] if kind == "mix" else [kind]
        await asyncio.gather(*(self._job(kinds[number % len(kinds)]) for number in range(CONNECTIONS)))

    def _job(self, kind: str) -> Awaitable[None]:
        if kind == "silent":
            return self._hold()
        if kind == "leaving":
            return self._leave(PAYLOADS[kind])
        return self._send(PAYLOADS[kind], ahead=1 if kind == "ahead" else 0)

    async def _send(self, payload: bytes, ahead: int = 0) -> None:
        """Send it again and again, without waiting for answers, and so many bytes of it alone.

        With nothing to send, connect again and again.
        """
        while True:
            try:
                reader, writer = await asyncio.open_connection(CLIENT, self._port, ssl=self._tls)
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            drained = asyncio.create_task(self._drain(reader))
            with suppress(OSError):
                while payload and not drained.done():
                    if ahead:
                        writer.write(payload[:ahead])
                        await asyncio.sleep(PAUSE_SECONDS)
                    writer.write(payload[ahead:])
                    await writer.drain()
            drained.cancel()
            writer.close()

    async def _leave(self, payload: bytes) -> None:
        """Connect, ask, and close without waiting, again and again."""
        while True:
            try:
                _, writer = await asyncio.open_connection(CLIENT, self._port, ssl=self._tls)
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            writer.write(payload)
            writer.close()

    @staticmethod
    async def _drain(reader: asyncio.StreamReader) -> None:
        with suppress(OSError):
            while await reader.read(65_536):
                pass

    async def _hold(self) -> None:
        """Open one connection after another, and say nothing; begin again when the server closes one."""
        held: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        while True:
            try:
                held.append(await asyncio.open_connection(CLIENT, self._port))
            except OSError:
                await asyncio.sleep(PAUSE_SECONDS)
            for reader, writer in [each for each in held[-50:] if each[0].at_eof()]:
                held.remove((reader, writer))
                writer.close()
                await asyncio.sleep(PAUSE_SECONDS)


async def probe(port: int, tls: ssl.SSLContext | None, seconds: float) -> list[float]:
    """Milliseconds of each answer, sorted. Raises Exception when there is none within ten seconds."""
    took: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_connection(CLIENT, port, local_addr=(OTHER, 0), ssl=tls)
            writer.write(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            status = await reader.readline()
        writer.close()
        assert b" 200 " in status, status
        took.append((time.perf_counter() - began) * 1_000)
        await asyncio.sleep(PAUSE_SECONDS)
    return sorted(took)


def flooding(port: int, kind: str, certificate: Path | None, cores: set[int]) -> None:
    """For the process of the client that floods."""
    os.sched_setaffinity(0, cores)
    os.nice(10)  # it shares a core with whoever it is to keep waiting: the server is what may be slow
    asyncio.run(Flood(port, context(certificate)).run(kind))


def context(certificate: Path | None) -> ssl.SSLContext | None:
    """Trusts a certificate of our own."""
    if certificate is None:
        return None
    made = ssl.create_default_context(cafile=str(certificate))
    made.check_hostname = False
    return made


def measure(environment: Environment, kind: str, seconds: float, certificate: tuple[Path, Path] | None) -> str:
    """A line of the table."""
    port = free_port()
    tls = context(certificate[0]) if certificate else None
    more = ["--certificate", str(certificate[0]), "--key", str(certificate[1])] if certificate else []
    cores = os.sched_getaffinity(0)
    with (
        environment.database() as database,
        running(
            [str(environment.checkout / ".venv/bin/memberstaff"), "serve", "--port", str(port), *more],
            ready=lambda: answers(port, tls),
            env=environment.settings(database),
            folder=environment.checkout,
            log=environment.folder / "memberstaff.log",
            cores=environment.server_cores,
        ),
    ):
        arguments = (port, kind, certificate[0] if certificate else None, cores)
        client = multiprocessing.get_context("spawn").Process(target=flooding, args=arguments, daemon=True)
        if kind != "none":
            client.start()
        time.sleep(WARM_UP_SECONDS)
        try:
            took = asyncio.run(probe(port, tls, seconds))
        finally:
            if kind != "none":
                client.kill()
    p50, p99 = took[len(took) // 2], took[int(len(took) * 0.99)]
    how = f"{kind} over TLS" if tls else kind
    return f"{how:20} {len(took):5} answers, ms: p50 {p50:6.1f}  p99 {p99:6.1f}  max {took[-1]:6.1f}"


def answers(port: int, tls: ssl.SSLContext | None) -> bool:
    """Whether the server does."""
    try:
        return bool(asyncio.run(probe(port, tls, 0.01)))
    except (OSError, AssertionError, TimeoutError):
        return False


def main() -> None:
    """Measure, and print what was found."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("kinds", nargs="*", default=KINDS, help=", ".join(KINDS))
    words.add_argument("--seconds", type=float, default=8.0)
    words.add_argument("--tls", action="store_true")
    given = words.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cores = sorted(os.sched_getaffinity(0))
        made = self_signed(Path(folder)) if given.tls else None
        certificate = (Path(made["ssl_certfile"]), Path(made["ssl_keyfile"])) if made else None
        tools = Tools(Path(), Path(), None, {})
        with running_environment(tools, Path(folder), {cores[0]}, durable=True, subscribers=0) as environment:
            os.sched_setaffinity(0, set(cores[1:]) or set(cores))
            for kind in given.kinds:
                print(measure(environment, kind, given.seconds, certificate), flush=True)


if __name__ == "__main__":
    main()
