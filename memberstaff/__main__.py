"""`memberstaff` and `python -m memberstaff`."""

from __future__ import annotations

import gc
import sys


def main() -> None:
    """Run a command, unless what is installed beside memberstaff cannot do what it needs."""
    gc.disable()  # what is imported stays, and to look through it again and again is a quarter of the time to start
    try:
        from memberstaff import installed
    except ImportError as error:
        sys.exit(f"memberstaff needs a package that is missing: {error}. Install memberstaff anew.")
    problems = installed.too_old()
    if not problems:
        try:
            from memberstaff.cli import main as command
        except ImportError as error:
            if (error.name or "").startswith("memberstaff"):
                raise
            problems = [f"{error}.", *installed.untried()]
    if problems:
        sys.exit(installed.explain(problems))
    gc.freeze()  # nor is it looked through while `serve` imports the rest
    gc.enable()
    command()


if __name__ == "__main__":
    main()
