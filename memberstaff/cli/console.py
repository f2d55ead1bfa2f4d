"""Shared by all commands: settings, database access, and errors in plain words."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from pwd import getpwuid
from typing import Annotated, Any

import structlog
import typer
from rich.console import Console
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from memberstaff import origin
from memberstaff.access import COMMAND_LINE
from memberstaff.db.database import Database
from memberstaff.db.migrate import Compatibility, Incompatible, Interrupted, compatibility
from memberstaff.db.work import Work
from memberstaff.errors import Refusal, Refusals, RequestError, Unavailable
from memberstaff.installed import describe
from memberstaff.settings import InvalidSettings, Settings, load

app = typer.Typer(
    help="Staff attendance, recorded and shown live. Settings come from the environment: `memberstaff settings`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
UNUSABLE = "The database in MEMBERSTAFF_DATABASE_URL cannot be used"
out = Console()
errors = Console(stderr=True, highlight=False)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(describe())
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[  # noqa: ARG001 - printed by its callback
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version, and exit.")
    ] = False,
) -> None:
    """Run before each command: what is logged must not be among what a command prints."""
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


class CommandError(Exception):
    """An error that the user can fix; the message says how."""


@contextmanager
def explain_errors() -> Iterator[None]:
    """Turn expected errors into a message and exit code 1; a bug keeps its traceback."""
    try:
        yield
    except InvalidSettings as error:
        _fail(f"The settings are invalid:\n{error}")
    except Refusals as refused:
        _fail("\n".join(refusal.message for refusal in refused.refusals))
    except Unavailable as error:
        _fail(unusable(error.__cause__ or error))
    except (Refusal, RequestError) as error:
        _fail(error.message)
    except (CommandError, Incompatible, Interrupted) as error:
        _fail(str(error))
    except (DBAPIError, OSError) as error:
        _fail(unusable(error))
    except KeyboardInterrupt:
        sys.exit(130)


def unusable(error: BaseException) -> str:
    """What the database, or its driver, says."""
    reason = str(error.orig if isinstance(error, DBAPIError) else error).strip().splitlines()
    return f"{UNUSABLE}: {reason[0] if reason else 'no answer'}"


def _fail(message: str) -> None:
    errors.print(message, style="red", markup=False, soft_wrap=True)
    sys.exit(1)


@asynccontextmanager
async def database(settings: Settings | None = None, *, migrated: bool = True) -> AsyncIterator[Database]:
    """The database in the settings. Raises Incompatible unless this release may use its tables."""
    settings = settings or load()
    url = settings.database_url.get_secret_value()
    require_folder(url)
    opened = Database(url, zone=settings.zone, pool_size=2, pgbouncer=settings.database_pgbouncer)
    try:
        if migrated and (found := await compatibility(opened.engine)) is not Compatibility.COMPATIBLE:
            raise Incompatible(found)
        yield opened
    finally:
        await opened.close()


def require_folder(url: str) -> None:
    """Say what is wrong before SQLite's driver does, in whose thread it would be a traceback."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and address.database is not None:
        folder = Path(address.database).absolute().parent
        if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
            raise CommandError(f"{UNUSABLE}: {folder} is no folder to write to.")


@asynccontextmanager
async def work() -> AsyncIterator[Work]:
    """A transaction with the rights of whoever has a shell on the server.

    Its changes are not announced: running servers find them by polling.
    """
    with origin.coming_from(origin.Origin(operator=_operator())):
        async with database() as opened, opened.write() as writing:
            writing.caller = COMMAND_LINE
            yield writing


def _operator() -> str:
    """Who runs the command: the operating system's user, and who became that user with sudo."""
    try:
        name = getpwuid(os.getuid()).pw_name
    except KeyError:  # in a container, a user may have a number only
        name = str(os.getuid())
    behind = os.environ.get("SUDO_USER")
    return f"{name} (sudo: {behind})"[: origin.LONGEST_OPERATOR] if behind else name


def run(main: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a command's coroutine."""
    asyncio.run(main())
