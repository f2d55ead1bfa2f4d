"""Which processes may serve, so that releases run side by side until `memberstaff migrate --finish`."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column."""
    comment = "Of migrations, that a process must know to serve; null: any."
    op.add_column("installation", sa.Column("least_revision", sa.String(length=32), nullable=True, comment=comment))
