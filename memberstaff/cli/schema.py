"""Commands for the GraphQL schema, and where it is imported from."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

import memberstaff
from memberstaff.cli.console import CommandError, app

NAMES = ("memberstaff_schema", "schema")
"""What the package is called in a wheel, where `schema` would collide with PyPI's, and in a checkout."""

group = typer.Typer(help="The GraphQL schema.", no_args_is_help=True)
app.add_typer(group, name="schema")


def asgi_module() -> str:
    """The name of the schema's module `asgi`, which is loaded by name: memberstaff never imports what is built on it.

    Raises CommandError when Python finds another package of that name first.
    """
    beside = Path(memberstaff.__file__).parents[1]
    strangers = []
    for name in NAMES:
        spec = find_spec(name)
        if spec is None or spec.origin is None:
            continue
        if Path(spec.origin) == beside / name / "__init__.py":
            return f"{name}.asgi"
        strangers.append(f"Python finds another project's `{name}` first: {spec.origin}.")
    why = " ".join(strangers) or f"memberstaff's GraphQL schema is missing beside {beside / 'memberstaff'}."
    raise CommandError(f"{why} Install memberstaff into an environment of its own.")


@group.command("export")
def export(
    output: Annotated[Path | None, typer.Option(help="Write it to this file instead of printing it.")] = None,
    check: Annotated[Path | None, typer.Option(help="Fail unless this file contains exactly the schema.")] = None,
) -> None:
    """Print the schema as sorted SDL."""
    text: str = import_module(asgi_module()).export_sdl()
    if check is not None:
        if not check.exists() or check.read_text(encoding="utf-8") != text:
            raise CommandError(f"{check} is out of date: run `memberstaff schema export --output {check}`.")
    elif output is not None:
        output.write_text(text, encoding="utf-8")
    else:
        print(text, end="")
