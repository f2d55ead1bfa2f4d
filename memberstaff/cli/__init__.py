"""The command line, for the people who install and run memberstaff."""

from __future__ import annotations

import sys

from memberstaff.cli import accounts, audit, doctor, imports, install, metrics, reasons, schema, serving
from memberstaff.cli.console import app, explain_errors

__all__ = [
    "accounts",
    "app",
    "audit",
    "doctor",
    "imports",
    "install",
    "main",
    "metrics",
    "reasons",
    "schema",
    "serving",
]


def main() -> None:
    """Run a command; expected errors are printed in plain words, with exit code 1."""
    with explain_errors():
        app(args=sys.argv[1:], prog_name="memberstaff")
