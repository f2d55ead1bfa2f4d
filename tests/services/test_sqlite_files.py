"""What SQLite keeps can be read by its owner alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from memberstaff.db.database import Database
from memberstaff.db.migrate import migrate
from tests.databases import UTC_ZONE


@pytest.fixture
def generous_umask() -> Iterator[None]:
    """One that lets everybody read and write whatever is made."""
    before = os.umask(0)
    yield
    os.umask(before)


def modes(folder: Path) -> dict[str, int]:
    return {file.name: stat.S_IMODE(file.stat().st_mode) for file in folder.iterdir()}


@pytest.mark.usefixtures("generous_umask")
async def test_a_new_file_and_those_beside_it_are_the_owners_alone(tmp_path: Path) -> None:
    database = Database(f"sqlite+aiosqlite:///{tmp_path / 'school.db'}", zone=UTC_ZONE)
    await migrate(database.engine)
    async with database.read():
        assert modes(tmp_path) == {"school.db": 0o600, "school.db-wal": 0o600, "school.db-shm": 0o600}
    await database.close()


@pytest.mark.parametrize(("mode", "warnings"), [(0o640, 0), (0o644, 1)])
async def test_the_mode_that_an_operator_chose_stays_and_is_warned_of_if_everybody_can_read(
    tmp_path: Path, mode: int, warnings: int
) -> None:
    file = tmp_path / "school.db"
    file.touch()
    file.chmod(mode)
    with capture_logs() as lines:
        database = Database(f"sqlite+aiosqlite:///{file}", zone=UTC_ZONE)
    await migrate(database.engine)
    await database.close()
    assert modes(tmp_path)["school.db"] == mode
    assert [line["file"] for line in lines] == [str(file)] * warnings
