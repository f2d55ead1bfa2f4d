"""What /broadcasting/auth has granted to front ends that use Laravel Echo."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import Instant

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "channel_grant",
        sa.Column("socket_id", sa.String(length=40), nullable=False),
        sa.Column("channel", sa.String(length=64), nullable=False),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("expires_at", Instant(), nullable=False, comment="Of the access token."),
        sa.Column("issued_at", Instant(), nullable=True, comment="Of an outside issuer's token."),
        sa.Column("after", sa.String(length=200), nullable=True, comment="The feed cursor to resume from."),
        sa.Column("granted_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_channel_grant_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("socket_id", "channel", name=op.f("pk_channel_grant")),
    )
    op.create_index(op.f("ix_channel_grant_granted_at"), "channel_grant", ["granted_at"], unique=False)
    op.create_index(op.f("ix_channel_grant_session_id"), "channel_grant", ["session_id"], unique=False)
