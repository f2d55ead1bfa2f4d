"""The audit log tells where something came from, counts refused attempts, and is read a page at a time."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, and an index for each filter, which has to end in the order of the pages."""
    for column in (
        sa.Column("address", sa.String(length=64), comment="The client's; the network of refused attempts."),
        sa.Column("user_agent", sa.String(length=200)),
        sa.Column("device", sa.String(length=32), comment="The known device's id."),
        sa.Column("operator", sa.String(length=100), comment="The operating system's user, at the command line."),
        sa.Column(
            "times", sa.Integer(), nullable=False, server_default=sa.text("1"), comment="How often, in this hour."
        ),
        sa.Column("hour", Instant(), comment="Its start, if equal attempts share a row; null: a row of its own."),
    ):
        op.add_column("audit", column)
    if op.get_bind().dialect.name == "postgresql":  # SQLite keeps no comments
        for name, comment in (
            ("by_account", "Null: the command line, or nobody."),
            ("subject_id", "Empty: an account that does not exist."),
        ):
            op.alter_column("audit", name, comment=comment)
    op.drop_index(op.f("ix_audit_subject_subject_id"), "audit")
    for columns in (
        ["at", "id"],
        ["action", "at", "id"],
        ["by_account", "at", "id"],
        ["subject", "at", "id"],
        ["subject", "subject_id", "at", "id"],
    ):
        op.create_index(op.f(f"ix_audit_{'_'.join(columns)}"), "audit", columns, unique=False)
    counted = ["hour", "action", "subject_id", "address"]
    op.create_index(op.f(f"ix_audit_{'_'.join(counted)}"), "audit", counted, unique=True)
