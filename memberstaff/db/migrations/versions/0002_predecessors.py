"""Each refresh token names the one that it replaces, so that an answer that was lost ends no session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column, and fill it in: a used token without successors would be taken for one of a lost answer."""
    op.add_column(
        "refresh_token",
        sa.Column(
            "predecessor",
            sa.String(length=64),
            nullable=True,
            comment="Hash of the token that it replaces; null: a login's.",
        ),
    )
    token = sa.table(
        "refresh_token",
        sa.column("hash", sa.String),
        sa.column("session_id", sa.String),
        sa.column("issued_at", Instant),
        sa.column("used_at", Instant),
        sa.column("predecessor", sa.String),
    )
    earlier = token.alias("earlier")
    newest = (
        sa.select(earlier.c.hash)
        .where(earlier.c.session_id == token.c.session_id, earlier.c.hash != token.c.hash)
        .where(earlier.c.used_at <= token.c.issued_at)
        .order_by(earlier.c.used_at.desc(), earlier.c.hash)
        .limit(1)
        .scalar_subquery()
    )
    op.execute(token.update().values(predecessor=newest))
