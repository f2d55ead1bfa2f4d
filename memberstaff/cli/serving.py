"""`memberstaff serve`: the server, in production and as a demo."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Annotated

import typer

from memberstaff import demo, tracing
from memberstaff.addresses import is_loopback
from memberstaff.cli.console import CommandError, app, database, errors, out
from memberstaff.cli.internals import missing
from memberstaff.cli.schema import asgi_module
from memberstaff.demo.logins import Login, prepare
from memberstaff.deployment import PREFIX
from memberstaff.installed import explain, untried
from memberstaff.server.run import serve
from memberstaff.settings import Settings, load

ANY_ADDRESS = ("0.0.0.0", "::")  # noqa: S104 - to be told apart
SAYING_SECONDS = 1.0
"""For which a start waits until a warning is written."""


@app.command("serve")
def serve_command(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535)] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=256, help="Worker processes; more than one needs Redis.")] = 1,
    certificate: Annotated[Path | None, typer.Option(help="TLS certificate chain (PEM).")] = None,
    key: Annotated[Path | None, typer.Option(help="The certificate's private key (PEM).")] = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Serve other machines without TLS: anybody on the way reads passwords.")
    ] = False,
    demo_mode: Annotated[
        bool, typer.Option("--demo", help="Demo data and logins, on this machine only unless --insecure.")
    ] = False,
    data: Annotated[Path | None, typer.Option(help="The folder of the demo's database and passwords.")] = None,
) -> None:
    """Run the server. Settings come from the environment: see docs/settings.md or `memberstaff settings`.

    Without --demo it needs MEMBERSTAFF_SECRET_KEY and a database prepared by `memberstaff migrate`.
    """
    if (certificate is None) != (key is None):
        raise CommandError("--certificate and --key must be given together.")
    for file in (certificate, key):
        if file is not None and not os.access(file, os.R_OK):
            raise CommandError(f"{file} cannot be read.")
    factory = f"{_usable_schema()}:serve_alone"
    logins: list[Login] = []
    if demo_mode:
        if not insecure:
            _require_loopback(host)
        logins = prepare(data or Path(".data"))
    settings = load()
    if settings.demo:
        if not insecure:
            _require_loopback(host)
        if settings.trusted_proxies:
            raise CommandError(
                f"Demo mode is for this machine only; behind a proxy ({PREFIX}TRUSTED_PROXIES) others would reach it."
            )
    if settings.secret_key is None:
        raise CommandError(f"{PREFIX}SECRET_KEY is missing; generate one with `openssl rand -base64 48`.")
    if workers > 1 and settings.one_process_only:
        raise CommandError(f"Several workers need Redis to notify each other: set {PREFIX}BROADCAST_URL to redis://….")
    if settings.tracing and (problem := tracing.problem()):
        raise CommandError(problem)
    if not insecure and (exposed := in_clear_text(settings, host, encrypted=certificate is not None)):
        raise CommandError(exposed)
    if nameless := without_names(settings, host):
        _warn(nameless)
    _require_free(host, port)
    if demo_mode:
        asyncio.run(demo.install(settings, logins))
        with suppress(OSError):
            here = "localhost" if host in ANY_ADDRESS else host
            _welcome(f"{'https' if certificate else 'http'}://{here}:{port}", logins)
    else:
        asyncio.run(_require_migrated(settings))
    serve(factory, settings, host=host, port=port, workers=workers, certificate=certificate, key=key)


def in_clear_text(settings: Settings, host: str, *, encrypted: bool) -> str | None:
    """What to do when other machines would be served without TLS; None if they would not."""
    if encrypted or settings.trusted_proxies or is_loopback(host):
        return None
    return (
        f"On {host} passwords and notes would cross the network in clear text. Give --certificate and --key; or, "
        f"behind a proxy that ends TLS, set {PREFIX}TRUSTED_PROXIES to its network, such as 10.0.0.0/8; "
        "or add --insecure."
    )


def without_names(settings: Settings, host: str) -> str | None:
    """Who is refused since the server does not know its names; None if nobody is."""
    if settings.allowed_hosts or not (settings.trusted_proxies or not is_loopback(host)):
        return None
    return f"{PREFIX}ALLOWED_HOSTS is not set: whoever comes by another name than {socket.gethostname()} is refused."


def _warn(sentence: str) -> None:
    """Say it on stderr, if that can be written: a full disk, or a full pipe that nobody reads, stops no server."""

    def say() -> None:
        with suppress(OSError):
            errors.print(sentence, style="yellow", markup=False, soft_wrap=True)

    saying = Thread(target=say, daemon=True)
    saying.start()
    saying.join(SAYING_SECONDS)


def _usable_schema() -> str:
    """The name of the schema's module, once all that serves it is there. Raises CommandError.

    It is imported here too: a worker that cannot import it would be started again for ever.
    """
    for sentence in untried():
        _warn(sentence)
    lacking, name = missing(), asgi_module()
    if not lacking:
        try:
            import_module(name)
        except ImportError as error:
            if (error.name or "").startswith("memberstaff"):
                raise
            lacking = [f"{error}."]
    if lacking:
        raise CommandError(explain(lacking))
    return name


async def _require_migrated(settings: Settings) -> None:
    async with database(settings):
        pass


def _require_loopback(host: str) -> None:
    if not is_loopback(host):
        raise CommandError(
            f"Demo mode listens on this machine only; {host} would expose it to others. In a container, whose port "
            "only this machine reaches, add --insecure."
        )


def _require_free(host: str, port: int) -> None:
    """Fail early, and in plain words, if the port cannot be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind(address)
    except OSError as error:
        reason = (
            "is in use; choose another with --port"
            if error.errno == errno.EADDRINUSE
            else f"cannot be used: {error.strerror}"
        )
        raise CommandError(f"Port {port} of {host} {reason}.") from None


def _welcome(address: str, logins: list[Login]) -> None:
    from rich.panel import Panel
    from rich.table import Table

    out.print(
        Panel(
            f"[bold]Dashboard[/]  {address}/\n"
            f"[bold]Playground[/] {address}/graphiql\n"
            f"[bold]GraphQL[/]    {address}/graphql   (POST, and WebSocket: graphql-transport-ws)\n"
            f"[bold]Health[/]     {address}/health/ready",
            title="memberstaff demo",
            title_align="left",
            expand=False,
        )
    )
    table = Table("role", "email", "password", title="Log in as", title_justify="left")
    for login in logins:
        table.add_row(login.role, login.email, login.password)
    out.print(table)
    out.print("Press Ctrl-C to stop. The data is kept.\n", highlight=False)
