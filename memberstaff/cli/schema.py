"""Commands about the GraphQL schema."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from memberstaff.cli.console import Trouble, app

SCHEMA = "schema.asgi"
"""Loaded by name: memberstaff never imports the schema that is built on it."""

group = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)
app.add_typer(group, name="schema")


@group.command("export")
def export(
    output: Annotated[Path | None, typer.Option(help="Write it there instead of printing it.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail unless this file holds exactly the schema.")] = None,
) -> None:
    """Print the schema in GraphQL's own language, sorted."""
    text: str = import_module(SCHEMA).export_sdl()
    if check is not None:
        if not check.exists() or check.read_text(encoding="utf-8") != text:
            raise Trouble(f"{check} is stale: `memberstaff schema export --output {check}` writes it anew.")
    elif output is not None:
        output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
