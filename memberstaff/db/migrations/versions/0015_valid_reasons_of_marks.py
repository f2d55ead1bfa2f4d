"""Validates a foreign key that was added to `attendance` without a look at its rows."""

from __future__ import annotations

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Validate it, which locks nobody out."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE attendance VALIDATE CONSTRAINT fk_attendance_reason_id")
