"""Commands for the installation itself: tables, epoch, demo data and settings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated

import typer
from pydantic import SecretStr
from pydantic.fields import FieldInfo

from memberstaff import demo
from memberstaff.cli.console import app, database, out, run, work
from memberstaff.db.installation import new_epoch
from memberstaff.db.migrate import Compatibility, Incompatible, compatibility, migrate
from memberstaff.db.migrate import finish as end_side_by_side
from memberstaff.deployment import PREFIX, Deployment
from memberstaff.settings import SECRETS, Settings, load


@app.command("migrate")
def migrate_command(
    finish: Annotated[
        bool, typer.Option("--finish", help="End the time in which earlier releases may serve the database.")
    ] = False,
) -> None:
    """Migrate the database's tables to this release. Safe to repeat, and to run on several nodes at once.

    Earlier releases go on serving, on PostgreSQL. With --finish they become unready, and what they could not show, keep
    or enforce may be written from then on: run it when they have been stopped, and you will not go back to them.
    """

    async def main() -> None:
        async with database(migrated=False) as opened:
            await migrate(opened.engine)
            if finish and await compatibility(opened.engine) is Compatibility.COMPATIBLE:
                await end_side_by_side(opened.engine)
            found = await compatibility(opened.engine)
        if found is not Compatibility.COMPATIBLE:
            raise Incompatible(found)
        out.print(
            "The database is up to date. Processes of earlier releases are no longer ready."
            if finish
            else "The database is up to date."
        )

    run(main)


@app.command("new-epoch")
def new_epoch_command() -> None:
    """After restoring a backup: make every open board start again.

    A restored log reuses positions for other changes. With a new epoch every cursor issued before leads to
    RESTART_REQUIRED, so no board shows a mixture. After a failover of PostgreSQL it is not needed.
    """

    async def main() -> None:
        async with work() as writing:
            epoch = await new_epoch(writing)
        out.print(f"A new epoch has begun: {epoch}. Open boards will reload their day.")

    run(main)


@app.command("demo")
def demo_command(
    staff: Annotated[int, typer.Option(min=1, max=100_000, help="Number of people.")] = 60,
    day: Annotated[
        datetime | None, typer.Option("--date", formats=["%Y-%m-%d"], help="The partly marked day. Default: today.")
    ] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same people and marks.")] = 1,
) -> None:
    """Fill an empty database with people and two weeks of attendance; fails if it has people."""

    async def main() -> None:
        settings = load()
        async with database(settings) as opened:
            on = day.date() if day else await demo.today(opened)
            loaded = await demo.load(opened, people=staff, on=on, seed=seed, working=settings.working_weekdays)
        out.print(f"{loaded.people:,} people and {loaded.marks:,} marks, the last on {on}.")

    run(main)


@app.command("settings")
def settings_command(
    markdown: Annotated[bool, typer.Option(help="As Markdown: the page docs/settings.md.")] = False,
) -> None:
    """Print every setting: its variable, default and meaning."""
    print(settings_page() if markdown else settings_page().replace("`", ""), end="")


def settings_page() -> str:
    """The text of docs/settings.md."""
    left = {name: field for name, field in Settings.model_fields.items() if name not in Deployment.model_fields}
    lines = [
        "# Settings",
        "",
        "Each is an environment variable; an empty one counts as not set. Those that end in `_SECONDS` are in seconds,",
        "`_BYTES` in bytes; lists are separated by commas. `memberstaff settings` prints this page.",
        "",
        "A secret is better kept in a file: what no variable sets is read from a file of that name, such as",
        f"`{SECRETS}/memberstaff_secret_key`, in `{SECRETS}` (Docker, Podman, Kubernetes) or among the credentials",
        "that systemd hands over (`LoadCredential=`).",
        "",
        "## What to set",
        "",
        "What differs from one installation to another. `memberstaff serve` needs the secret key at least.",
        "",
        *_table(Deployment.model_fields),
        "",
        "## What to leave alone",
        "",
        "Lifetimes, limits and cache sizes, and what the demo sets. The defaults are what is tested and measured.",
        "",
        *_table(left),
    ]
    return "\n".join(lines) + "\n"


def _table(settings: Mapping[str, FieldInfo]) -> Iterator[str]:
    yield "| variable | default | meaning |"
    yield "|---|---|---|"
    for name, field in settings.items():
        yield f"| `{PREFIX}{name.upper()}` | {_default(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    """The default as it would be written in the environment; empty for none, and for whatever may hold a password."""
    default = field.get_default(call_default_factory=True, validated_data={})
    if default in (None, "", (), {}) or isinstance(default, SecretStr):
        return ""
    if isinstance(default, tuple):
        return f"`{','.join(default)}`"
    return f"`{str(default).lower() if default is False else default}`"
