"""The log of access changes, from which every process learns whose sockets to end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the log, and the row that numbers it."""
    head = op.create_table(
        "access_head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column(
            "number",
            sa.BigInteger(),
            server_default=sa.text("0"),
            nullable=False,
            comment="Of the last row of access_change.",
        ),
        sa.CheckConstraint("id = 1", name=op.f("ck_access_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_head")),
    )
    op.bulk_insert(head, [{"id": 1}])
    op.create_table(
        "access_change",
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("account_id", ID, nullable=True, comment="All sessions of this account."),
        sa.Column("session_id", sa.String(length=64), nullable=True, comment="This session alone."),
        sa.Column("at", Instant(), nullable=False),
        sa.CheckConstraint("(account_id IS NULL) <> (session_id IS NULL)", name=op.f("ck_access_change_subject")),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_access_change")),
    )
    op.create_index(op.f("ix_access_change_at"), "access_change", ["at"], unique=False)
