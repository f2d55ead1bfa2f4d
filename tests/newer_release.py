"""The next release, as far as the database knows: one more migration, written by the rules of CONTRIBUTING."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from memberstaff.db import migrate

MIGRATION = '''"""When somebody arrived, and one more role."""

import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import Instant

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None


def upgrade():
    op.add_column("attendance", sa.Column("arrived_at", Instant(), nullable=True))
    if op.get_context().dialect.name == "postgresql":
        roles = "role IN ('VIEWER', 'MARKER', 'ADMIN', 'AUDITOR')"
        op.create_check_constraint(op.f("ck_account_roles"), "account", roles, postgresql_not_valid=True)
        with op.get_context().autocommit_block():
            op.create_index(
                op.f("ix_attendance_arrived_at"), "attendance", ["arrived_at"], postgresql_concurrently=True
            )


def finish():
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint(op.f("ck_account_role"), "account")
'''
NEXT = f"{int(migrate.newest_revision()) + 1:04}"
"""Its revision."""


def add_migration(migrations: Path, text: str = MIGRATION) -> None:
    """Add a migration to a copy of the folder."""
    migration = text.format(revision=NEXT, before=f"{int(NEXT) - 1:04}")
    (migrations / "versions" / f"{NEXT}_next.py").write_text(migration, encoding="utf-8")


@contextmanager
def newer_release(folder: Path, text: str = MIGRATION) -> Iterator[None]:
    """Within the block, this process is of the next release."""
    shutil.copytree(migrate.HERE, folder, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
    add_migration(folder, text)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(migrate, "HERE", folder)
        migrate.newest_revision.cache_clear()
        try:
            yield
        finally:
            migrate.newest_revision.cache_clear()
    assert migrate.newest_revision() < NEXT
