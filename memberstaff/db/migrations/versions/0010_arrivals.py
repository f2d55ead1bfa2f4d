"""When people came and left, in the record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

TABLE = "attendance"


def upgrade() -> None:
    """Add the columns, which stay empty until `finish`: processes of earlier releases would not carry them on."""
    op.add_column(TABLE, sa.Column("arrived_at", Instant(), nullable=True))
    op.add_column(TABLE, sa.Column("left_at", Instant(), nullable=True))
    if op.get_context().dialect.name == "postgresql":
        empty = "arrived_at IS NULL AND left_at IS NULL"
        op.create_check_constraint(op.f(f"ck_{TABLE}_no_times"), TABLE, empty, postgresql_not_valid=True)


def finish() -> None:
    """Allow times."""
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint(op.f(f"ck_{TABLE}_no_times"), TABLE)
