"""Commands for the reasons of marks: the list from which markers choose."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

from memberstaff.access import COMMAND_LINE
from memberstaff.attendance import reasons
from memberstaff.attendance.reasons import ReasonDetails
from memberstaff.cli.console import app, database, out, run, work

group = typer.Typer(help="The reasons from which markers choose.", no_args_is_help=True)
app.add_typer(group, name="reason")

Name = Annotated[str, typer.Argument(help="The reason's name.")]
ForViewers = Annotated[
    bool | None, typer.Option("--viewers/--no-viewers", help="Show it to a VIEWER, too, who sees no notes.")
]


@group.command("list")
def show() -> None:
    """List all reasons."""

    async def main() -> None:
        async with database() as opened, opened.read() as reading:
            reading.caller = COMMAND_LINE
            found = await reasons.all_reasons(reading)
        table = Table("name", "shown to", "state")
        for each in found:
            table.add_row(each.name, "everybody" if each.for_viewers else "markers", "retired" if each.retired else "")
        out.print(table)

    run(main)


@group.command("add")
def add(name: Name, viewers: ForViewers = False) -> None:
    """Add a reason."""

    async def main() -> None:
        async with work() as writing:
            added = await reasons.create(writing, ReasonDetails(name=name, for_viewers=bool(viewers)))
        out.print(f"{added.name} can be chosen.", highlight=False, markup=False)

    run(main)


@group.command("rename")
def rename(name: Name, to: Annotated[str, typer.Argument(metavar="NEW", help="Its new name.")]) -> None:
    """Give a reason another name, on older marks too."""
    _change(name, ReasonDetails(name=to), "{0} is its name now.")


@group.command("retire")
def retire(name: Name) -> None:
    """Let nobody choose a reason any more; where it was chosen, it stays."""
    _change(name, ReasonDetails(retired=True), "{0} can be chosen no more.")


@group.command("restore")
def restore(name: Name) -> None:
    """Let a retired reason be chosen again."""
    _change(name, ReasonDetails(retired=False), "{0} can be chosen again.")


@group.command("show")
def show_to(name: Name, viewers: ForViewers = True) -> None:
    """Show a reason to viewers, or hide it from them."""
    said = "{0} is shown to viewers." if viewers else "{0} is hidden from viewers."
    _change(name, ReasonDetails(for_viewers=bool(viewers)), said)


def _change(name: str, details: ReasonDetails, said: str) -> None:
    async def main() -> None:
        async with work() as writing:
            found = await reasons.find(writing, name)
            changed = await reasons.change(writing, found.id, details)
        out.print(said.format(changed.name), highlight=False, markup=False)

    run(main)
