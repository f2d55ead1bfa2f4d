"""`memberstaff serve`: what it refuses, what it says, and how it listens."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from contextlib import ExitStack, suppress
from importlib.metadata import version
from pathlib import Path

import pytest
import uvicorn
import uvloop
from pydantic import SecretStr
from rich.console import Console

from memberstaff.access import Role
from memberstaff.cli import serving
from memberstaff.demo.logins import Login
from memberstaff.server.run import ACCEPTED_AT_ONCE, RECEIVED_AT_ONCE, listener, listeners
from memberstaff.settings import Settings
from tests.infrastructure.process import free_port
from tests.installation import SECRET
from tests.services.command_line import memberstaff, said


def test_the_demo_stays_on_this_machine_however_it_was_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("memberstaff.cli.serving.load", lambda: Settings(demo=True, secret_key=SecretStr(SECRET)))
    assert "listens on this machine only; 0.0.0.0 would" in said(memberstaff("serve", "--host", "0.0.0.0"))
    proxied = Settings(demo=True, secret_key=SecretStr(SECRET), trusted_proxies=("127.0.0.1/32",))
    monkeypatch.setattr("memberstaff.cli.serving.load", lambda: proxied)
    assert "behind a proxy (MEMBERSTAFF_TRUSTED_PROXIES) others would reach it" in said(memberstaff("serve"))
    assert "behind a proxy (MEMBERSTAFF_TRUSTED_PROXIES) others would" in said(memberstaff("serve", "--insecure"))


@pytest.mark.parametrize("words", [("--demo",), ()])
def test_the_demo_is_served_from_a_container_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    served: list[str] = []
    monkeypatch.setattr("memberstaff.cli.serving.serve", lambda *_, **options: served.append(options["host"]))
    monkeypatch.setattr("memberstaff.cli.serving.prepare", lambda _: [Login(Role.ADMIN, "a@b.example", "a password")])
    monkeypatch.setattr("memberstaff.cli.serving._require_migrated", no_database)
    monkeypatch.setattr("memberstaff.cli.serving.demo.install", no_database)
    monkeypatch.setattr("memberstaff.cli.serving.load", lambda: Settings(demo=True, secret_key=SecretStr(SECRET)))
    port = free_port()
    done = memberstaff("serve", "--host", "0.0.0.0", "--port", str(port), "--insecure", *words)
    assert (done.returncode, served) == (0, ["0.0.0.0"])
    assert (f"http://localhost:{port}/graphiql" in done.stdout) == ("--demo" in words)


async def no_database(*_: object) -> None:
    """Is asked nothing."""


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.1.2.3", "board.school.example"])
def test_other_machines_are_not_served_in_clear_text_by_mistake(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    monkeypatch.setattr("memberstaff.cli.serving.load", lambda: Settings(secret_key=SecretStr(SECRET)))
    assert said(memberstaff("serve", "--host", host)) == (
        f"On {host} passwords and notes would cross the network in clear text. Give --certificate and --key; or, "
        "behind a proxy that ends TLS, set MEMBERSTAFF_TRUSTED_PROXIES to its network, such as 10.0.0.0/8; "
        "or add --insecure."
    )


@pytest.mark.parametrize(
    ("words", "proxies"), [(("--insecure",), ()), ((), ("10.0.0.0/8",)), (("--certificate", "c", "--key", "k"), ())]
)
def test_other_machines_are_served_with_tls_behind_a_proxy_or_on_demand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], proxies: tuple[str, ...]
) -> None:
    url = SecretStr(f"sqlite+aiosqlite:///{tmp_path}/missing/school.db")
    found = Settings(
        secret_key=SecretStr(SECRET), trusted_proxies=proxies, database_url=url, allowed_hosts=("board.school.example",)
    )
    monkeypatch.setattr("memberstaff.cli.serving.load", lambda: found)
    monkeypatch.setattr(os, "access", lambda *_: True)  # the files of the certificate
    told = said(memberstaff("serve", "--host", "0.0.0.0", "--port", str(free_port()), *words))
    assert told.startswith("The database in MEMBERSTAFF_DATABASE_URL cannot be used: ")


def test_a_server_that_could_send_no_traces_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memberstaff.cli.serving.load", lambda: Settings(secret_key=SecretStr(SECRET), tracing=True))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert said(memberstaff("serve")) == (
        "OTEL_EXPORTER_OTLP_PROTOCOL must be http/protobuf, by which alone traces are sent; or leave it out."
    )
    monkeypatch.setattr("memberstaff.installed.too_old", lambda *, extra: ["opentelemetry-sdk is missing."])
    assert said(memberstaff("serve")) == (
        "opentelemetry-sdk is missing. Traces need memberstaff[tracing]: pip install 'memberstaff[tracing]'."
    )


@pytest.mark.parametrize(("proxies", "words"), [((), ("--host", "0.0.0.0", "--insecure")), (("127.0.0.1",), ())])
def test_a_server_without_names_says_who_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxies: tuple[str, ...], words: tuple[str, ...]
) -> None:
    url = SecretStr(f"sqlite+aiosqlite:///{tmp_path}/missing/school.db")
    found = Settings(secret_key=SecretStr(SECRET), database_url=url, trusted_proxies=proxies)
    monkeypatch.setattr("memberstaff.cli.serving.load", lambda: found)
    told = said(memberstaff("serve", "--port", str(free_port()), *words))
    assert told.startswith(
        "MEMBERSTAFF_ALLOWED_HOSTS is not set: whoever comes by another name than "
        f"{socket.gethostname()} is refused. The database"
    )


def test_a_start_waits_for_nobody_who_does_not_read_its_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = SecretStr(f"sqlite+aiosqlite:///{tmp_path}/missing/school.db")
    monkeypatch.setattr(serving, "load", lambda: Settings(secret_key=SecretStr(SECRET), database_url=url))
    monkeypatch.setattr(serving, "SAYING_SECONDS", 0.01)
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with suppress(BlockingIOError):
        while True:
            os.write(writer, b"x" * 4096)
    os.set_blocking(writer, True)
    with os.fdopen(reader, "rb"), os.fdopen(writer, "w", encoding="utf-8") as full:
        monkeypatch.setattr(serving, "errors", Console(file=full))
        told = said(memberstaff("serve", "--host", "0.0.0.0", "--insecure", "--port", str(free_port())))
        os.read(reader, 1 << 20)  # so that whoever waits can go on
    assert told.startswith("The database in MEMBERSTAFF_DATABASE_URL cannot be used: ")


def test_another_projects_schema_is_named_and_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "schema").mkdir()
    (tmp_path / "schema" / "__init__.py").touch()
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "schema")
    told = " ".join(said(memberstaff("schema", "export")).split())
    assert told == (
        f"Python finds another project's `schema` first: {tmp_path / 'schema' / '__init__.py'}. "
        "Install memberstaff into an environment of its own."
    )


def test_a_server_that_lacks_a_part_of_its_libraries_does_not_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("memberstaff.cli.serving.missing", lambda: ["uvicorn 0.60.0 has no Protocol.cycle."])
    monkeypatch.setattr("memberstaff.cli.serving.untried", lambda: ["uvicorn 0.60.0 is installed; …"])
    assert said(memberstaff("serve")) == (
        "uvicorn 0.60.0 is installed; … "
        f"memberstaff {version('memberstaff')} cannot work with what is installed beside it: "
        "uvicorn 0.60.0 has no Protocol.cycle. Install memberstaff anew, into an environment of its own."
    )


async def test_the_listeners_connections_take_little_at_once_and_wait_for_no_acknowledgements() -> None:
    config = uvicorn.Config("nothing", host="127.0.0.1", port=0)
    listening = listener(config)
    listening.listen()
    accepted: asyncio.Future[tuple[int, int]] = asyncio.get_running_loop().create_future()

    def connected(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        made = writer.get_extra_info("socket")
        no_delay = made.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        accepted.set_result((no_delay, made.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)))
        writer.close()

    async with await asyncio.start_server(connected, sock=listening):
        _, writer = await asyncio.open_connection(*listening.getsockname())
        assert await accepted == (1, 2 * RECEIVED_AT_ONCE)  # Linux counts what it needs itself, too
        writer.close()


def test_a_flood_of_connections_is_accepted_several_at_a_time() -> None:
    accepted: list[int] = []

    async def serve() -> None:
        loop = asyncio.get_running_loop()
        sockets = listeners(uvicorn.Config("nothing", host="127.0.0.1", port=0))
        servers = [await loop.create_server(Accepted, sock=each) for each in sockets]
        with ExitStack() as stack:
            for _ in range(40):  # before the loop sees any of them
                stack.enter_context(socket.create_connection(sockets[0].getsockname()))
            while sum(accepted) < 40:
                before = Accepted.count
                await asyncio.sleep(0)
                accepted.append(Accepted.count - before)
            for server in servers:
                server.close()

    class Accepted(asyncio.Protocol):
        count = 0

        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            Accepted.count += 1

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve())
    assert max(accepted) == ACCEPTED_AT_ONCE
