"""Plays the first day of a wheel with the newest version of everything, also beyond the bounds of pyproject.toml.

Run it before a release, and from time to time: what fails here reaches users the day that a bound is raised, or, for a
package without an upper bound, has reached them already.
"""

from __future__ import annotations

import re
import sys
import tempfile
import tomllib
from pathlib import Path

from tests.contract.environments import FIRST_DAY, ROOT, Environment, build_wheel


def main() -> int:
    """Print what is newer than what was tested, and what happened."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    unbounded = [re.sub(r"(?<=[\w\]])[<>=!~][^;]*", "", requirement) for requirement in project["dependencies"]]
    locked = dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / "requirements" / "run.txt").read_text(), re.MULTILINE))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        overrides = folder / "overrides.txt"
        overrides.write_text("\n".join(unbounded) + "\n", encoding="utf-8")
        environment = Environment(folder / "newest")
        environment.install("--upgrade", "--overrides", overrides, build_wheel(folder))
        for name, version in environment.versions().items():
            if name in locked and version != locked[name]:
                print(f"{name} {version}, tested with {locked[name]}")
        day = folder / "day"
        day.mkdir()
        told = environment.first_day(day)
    if told != {"version": f"memberstaff {project['version']}", **FIRST_DAY}:
        print(told)
        return 1
    print("A first day went well.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
