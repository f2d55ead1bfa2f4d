"""Epochs are numbers that rise, so that a client can tell which of two answers is the newer one across a restored backup."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Begin an epoch, which is a number: whoever resumes from a cursor of before starts again."""
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            "installation",
            "epoch",
            existing_type=sa.String(length=32),
            type_=sa.BigInteger(),
            existing_nullable=False,
            postgresql_using="extract(epoch FROM now())::bigint",
            comment="Rises when a backup is restored; about Unix seconds.",
        )
        return
    with op.batch_alter_table("installation") as table:
        table.alter_column("epoch", existing_type=sa.String(length=32), type_=sa.BigInteger(), existing_nullable=False)
    op.execute("UPDATE installation SET epoch = CAST(strftime('%s', 'now') AS INTEGER)")
