"""The command line: for the people who install memberstaff and keep it running."""

from __future__ import annotations

import sys

from memberstaff.cli import accounts, imports, install, schema, serving
from memberstaff.cli.console import app, explained

__all__ = ["accounts", "app", "imports", "install", "main", "schema", "serving"]


def main() -> None:
    """Run a command; what goes wrong is said in a paragraph, and the exit code is 1."""
    with explained():
        app(args=sys.argv[1:], prog_name="memberstaff")
