"""Commands for the GraphQL schema."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from memberstaff.cli.console import CommandError, app

SCHEMA = "schema.asgi"
"""Loaded by name, since memberstaff never imports the schema that is built on it."""

group = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)
app.add_typer(group, name="schema")


@group.command("export")
def export(
    output: Annotated[Path | None, typer.Option(help="Write it to this file instead of printing it.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail unless this file contains exactly the schema.")] = None,
) -> None:
    """Print the schema as sorted SDL."""
    text: str = import_module(SCHEMA).export_sdl()
    if check is not None:
        if not check.exists() or check.read_text(encoding="utf-8") != text:
            raise CommandError(f"{check} is out of date: run `memberstaff schema export --output {check}`.")
    elif output is not None:
        output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
