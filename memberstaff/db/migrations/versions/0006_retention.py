"""An index by which old rows of the audit log are found."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index."""
    op.create_index(op.f("ix_audit_at"), "audit", ["at"], unique=False)
