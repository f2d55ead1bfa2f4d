"""Validates a foreign key that was added to `attendance_revision` without a look at its rows."""

from __future__ import annotations

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Validate it, which locks nobody out."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE attendance_revision VALIDATE CONSTRAINT fk_attendance_revision_reason_id")
