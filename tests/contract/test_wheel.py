"""A wheel made from a checkout holds all that a server needs: no Node, and no checkout, where it is installed."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("memberstaff", "schema")


def test_a_wheel_holds_the_dashboard_the_migrations_and_the_schema(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if name.startswith(tuple(f"{name}/" for name in PACKAGES))}
    files = {
        file.relative_to(ROOT).as_posix()
        for package in PACKAGES
        for file in (ROOT / package).rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert packed == files
    assert {
        "memberstaff/server/web/index.html",
        "memberstaff/server/web/graphiql/index.html",
        "memberstaff/db/migrations/env.py",
        "memberstaff/py.typed",
        "schema/asgi.py",
    } <= packed
    assert any(name.startswith("memberstaff/server/web/assets/") and name.endswith(".js") for name in packed)
