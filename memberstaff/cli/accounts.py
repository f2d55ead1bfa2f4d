"""Commands for accounts: who may log in, and with which role."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from rich.table import Table

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.accounts import directory
from memberstaff.accounts.passwords import SHORTEST, PasswordHash, Passwords
from memberstaff.cli.console import CommandError, app, database, out, run, work
from memberstaff.settings import load

group = typer.Typer(help="Who may log in, and with which role.", no_args_is_help=True)
app.add_typer(group, name="account")

Email = Annotated[str, typer.Argument(help="The account's email address.")]
FromStdin = Annotated[
    bool, typer.Option("--password-stdin", help=f"Read the password ({SHORTEST} characters at least) from stdin.")
]


@group.command("add")
def add(
    email: Email,
    role: Annotated[Role, typer.Option(case_sensitive=False, help="What the account may do.")],
    password_stdin: FromStdin = False,
    name: Annotated[str | None, typer.Option(help="Shown beside the account's marks. Default: from EMAIL.")] = None,
) -> None:
    """Create an account."""
    password = _password(password_stdin)

    async def main() -> None:
        hashed = await _hash(password, email, name)
        async with work() as writing:
            added = await directory.add(writing, email=email, role=role, password_hash=hashed, display_name=name)
        out.print(f"{added.email} can log in as {added.role}.", highlight=False)

    run(main)


@group.command("list")
def show() -> None:
    """List all accounts."""

    async def main() -> None:
        async with database() as opened, opened.read() as reading:
            reading.caller = COMMAND_LINE
            accounts = await directory.everyone(reading)
        table = Table("email", "name", "role", "state")
        for account in accounts:
            state = "disabled" if account.disabled_at else "enabled"
            table.add_row(
                account.email or f"(from {account.issuer})",
                account.display_name,
                account.role or "(of a later release)",
                state,
            )
        out.print(table)

    run(main)


@group.command("disable")
def disable(email: Email) -> None:
    """Disable an account, and close its open boards on every node."""

    async def main() -> None:
        async with work() as writing:
            await directory.disable(writing, (await directory.find(writing, email)).id)
        out.print(f"{email} is disabled.", highlight=False)

    run(main)


@group.command("enable")
def enable(email: Email) -> None:
    """Enable a disabled account."""

    async def main() -> None:
        async with work() as writing:
            await directory.enable(writing, (await directory.find(writing, email)).id)
        out.print(f"{email} is enabled.", highlight=False)

    run(main)


@group.command("role")
def role(email: Email, to: Annotated[Role, typer.Argument(case_sensitive=False)]) -> None:
    """Change an account's role."""

    async def main() -> None:
        async with work() as writing:
            await directory.set_role(writing, (await directory.find(writing, email)).id, to)
        out.print(f"{email} is {to}.", highlight=False)

    run(main)


@group.command("password")
def password(email: Email, password_stdin: FromStdin = False) -> None:
    """Set a new password, and end all sessions of the account."""
    given = _password(password_stdin)

    async def main() -> None:
        async with database() as opened, opened.read() as reading:
            reading.caller = COMMAND_LINE
            found = await directory.find(reading, email)
        hashed = await _hash(given, found.email, found.display_name)
        async with work() as writing:
            await directory.set_password(writing, found.id, hashed)
        out.print(f"{email} has a new password.", highlight=False)

    run(main)


def _password(from_stdin: bool) -> str:
    """From stdin, or typed twice; never an argument, which other users of the machine can read."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandError("Without a terminal, pass the password on stdin with --password-stdin.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))


async def _hash(password: str, *about: str | None) -> PasswordHash:
    return await Passwords().hash(password, (load().organisation, *filter(None, about)))
