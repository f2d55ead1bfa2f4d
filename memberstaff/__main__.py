"""`memberstaff` and `python -m memberstaff`."""

from __future__ import annotations

import sys

from memberstaff import installed


def main() -> None:
    """Run a command, unless what is installed beside memberstaff cannot do what it needs."""
    problems = installed.too_old()
    if not problems:
        try:
            from memberstaff.cli import main as command
        except ImportError as error:
            if (error.name or "").startswith("memberstaff"):
                raise
            problems = [f"{error}.", *installed.untried()]
    if problems:
        how = "Install memberstaff anew, into an environment of its own."
        sys.exit("\n".join((f"{installed.describe()} cannot work with what is installed beside it:", *problems, how)))
    command()


if __name__ == "__main__":
    main()
