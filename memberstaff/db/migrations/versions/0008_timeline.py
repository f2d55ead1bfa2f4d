"""The timeline of PostgreSQL, by which a failover is noticed; epochs count milliseconds, since failovers are quick."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, which the first connection fills in, and begin an epoch in the new unit."""
    op.add_column(
        "installation",
        sa.Column(
            "timeline",
            sa.BigInteger(),
            nullable=True,
            comment="PostgreSQL's, in this epoch; null: not known, or SQLite.",
        ),
    )
    op.execute("UPDATE installation SET epoch = 1000 * epoch")
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column(
            "installation",
            "epoch",
            existing_type=sa.BigInteger(),
            existing_nullable=False,
            comment="Of the log's history; rises. Unix milliseconds.",
            existing_comment="Rises when a backup is restored; about Unix seconds.",
        )
