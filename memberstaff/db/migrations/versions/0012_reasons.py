"""Reasons of marks, and that the audit log is about them, too."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import FoldedText

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

Id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "reason",
        sa.Column("id", Id, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("key", FoldedText, nullable=False, comment="The folded name."),
        sa.Column("for_viewers", sa.Boolean(), nullable=False),
        sa.Column("retired", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_reason")),
        sa.UniqueConstraint("key", name=op.f("uq_reason_key")),
    )
    if op.get_context().dialect.name == "postgresql":
        op.alter_column(
            "audit",
            "subject",
            existing_type=sa.String(length=16),
            existing_nullable=False,
            comment="staff, account, day or reason.",
            existing_comment="staff, account or day.",
        )
