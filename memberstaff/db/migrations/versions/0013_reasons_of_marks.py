"""The reasons of marks, in the record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLE = "attendance"


def upgrade() -> None:
    """Add the column, which stays empty until `finish`: processes of earlier releases would not carry it on."""
    name = op.f(f"fk_{TABLE}_reason_id")
    if op.get_context().dialect.name == "sqlite":  # which adds a foreign key with its column alone
        op.execute(f"ALTER TABLE {TABLE} ADD COLUMN reason_id INTEGER CONSTRAINT {name} REFERENCES reason (id)")
        return
    op.add_column(TABLE, sa.Column("reason_id", sa.BigInteger(), nullable=True))
    op.create_foreign_key(name, TABLE, "reason", ["reason_id"], ["id"], postgresql_not_valid=True)
    op.create_check_constraint(op.f(f"ck_{TABLE}_no_reason"), TABLE, "reason_id IS NULL", postgresql_not_valid=True)


def finish() -> None:
    """Allow reasons."""
    if op.get_context().dialect.name == "postgresql":
        op.drop_constraint(op.f(f"ck_{TABLE}_no_reason"), TABLE)
