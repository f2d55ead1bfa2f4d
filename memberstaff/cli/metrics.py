"""`memberstaff metrics`: what /metrics tells."""

from __future__ import annotations

from typing import Annotated

import typer

from memberstaff.cli.console import app
from memberstaff.metrics import page


@app.command("metrics")
def metrics_command(
    markdown: Annotated[bool, typer.Option(help="As Markdown: the page docs/metrics.md.")] = False,
) -> None:
    """Print every metric: its name, type, labels and meaning."""
    print(page() if markdown else page().replace("`", ""), end="")
