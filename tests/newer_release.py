"""The next release: one more migration, written by the rules of CONTRIBUTING, a message with more in it, and a role.

Once a release exists, what is served beside this checkout is that release.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memberstaff.db import migrate

HEAD = """
import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import Instant

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None

"""
MIGRATIONS = [
    """
def upgrade():
    op.add_column("attendance", sa.Column("seated_at", Instant(), nullable=True))
""",
    """
def upgrade():
    if op.get_context().dialect.name == "postgresql":
        roles = "role IN ('VIEWER', 'MARKER', 'ADMIN', 'AUDITOR')"
        op.create_check_constraint(op.f("ck_account_roles"), "account", roles, postgresql_not_valid=True)


def finish():
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_account_role"), "account")
""",
    """
def upgrade():
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE account VALIDATE CONSTRAINT ck_account_roles")
""",
    """
def upgrade():
    name = op.f("ix_attendance_seated_at")
    if op.get_context().dialect.name == "sqlite":
        op.create_index(name, "attendance", ["seated_at"])
        return
    with op.get_context().autocommit_block():
        op.drop_index(name, "attendance", if_exists=True, postgresql_concurrently=True)
        op.create_index(name, "attendance", ["seated_at"], postgresql_concurrently=True)
""",
]
NEXT = f"{int(migrate.newest_revision()) + len(MIGRATIONS):04}"
"""The newest revision of the next release."""


def add_migrations(migrations: Path, *texts: str) -> None:
    """Add migrations to a copy of the folder."""
    head = int(migrate.newest_revision())
    for number, text in enumerate(texts, start=head + 1):
        migration = HEAD.format(revision=f"{number:04}", before=f"{number - 1:04}") + text
        (migrations / "versions" / f"{number:04}_next.py").write_text(migration, encoding="utf-8")


PATCHES = {
    "memberstaff/notify/notification.py": [
        ("access_number: int | None = None", "access_number: int | None = None\n    rooms_version: int = 7"),
    ],
    "memberstaff/changes.py": [("    roster_version: int\n", '    roster_version: int\n    room: str = "Hall"\n')],
    "memberstaff/access.py": [
        ('    ADMIN = "ADMIN"\n', '    ADMIN = "ADMIN"\n    AUDITOR = "AUDITOR"\n'),
        ("frozenset(Right),", "frozenset(Right),\n    Role.AUDITOR: frozenset({Right.READ, Right.READ_AUDIT}),"),
    ],
    "schema/context.py": [("    ADMIN=", '    AUDITOR="Reads the board and the audit log.",\n    ADMIN=')],
}
"""What the next release changes, by file: a text, and what takes its place."""


def build(folder: Path) -> Path:
    """A copy of the packages with all of it; processes with it as their PYTHONPATH are of the next release."""
    for package in ("memberstaff", "schema"):
        source = Path(migrate.__file__).parents[2] / package
        shutil.copytree(source, folder / package, ignore=shutil.ignore_patterns("__pycache__", "web"))
    for name, replacements in PATCHES.items():
        text = (folder / name).read_text(encoding="utf-8")
        for before, after in replacements:
            assert text.count(before) == 1, (name, before)
            text = text.replace(before, after)
        (folder / name).write_text(text, encoding="utf-8")
    add_migrations(folder / "memberstaff" / "db" / "migrations", *MIGRATIONS)
    return folder


@contextmanager
def newer_release(folder: Path, *texts: str) -> Iterator[None]:
    """Within the block, this process is of the next release."""
    shutil.copytree(migrate.HERE, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    add_migrations(folder, *(texts or MIGRATIONS))
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(migrate, "HERE", folder)
        migrate.newest_revision.cache_clear()
        try:
            yield
        finally:
            migrate.newest_revision.cache_clear()
    assert migrate.newest_revision() < NEXT
