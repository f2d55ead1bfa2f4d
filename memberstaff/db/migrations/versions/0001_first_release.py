"""The first release: accounts and sessions, the roster, days, records and their log."""

from __future__ import annotations

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from memberstaff.db.types import Instant

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
FOLDED = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")


def upgrade() -> None:
    """Make every table, and the installation's one row with its first epoch."""
    op.create_table(
        "account",
        sa.Column("id", ID, nullable=False),
        sa.Column(
            "email", sa.String(length=254), nullable=True, comment="Folded to lower case; null for outside identities."
        ),
        sa.Column("display_name", sa.String(length=200), nullable=False),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("password_hash", sa.Text(), nullable=True),
        sa.Column("issuer", sa.String(length=500), nullable=True),
        sa.Column("subject", sa.String(length=500), nullable=True),
        sa.Column("disabled_at", Instant(), nullable=True),
        sa.Column("created_at", Instant(), nullable=False),
        sa.CheckConstraint("role IN ('VIEWER', 'MARKER', 'ADMIN')", name=op.f("ck_account_role")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_account")),
        sa.UniqueConstraint("email", name=op.f("uq_account_email")),
        sa.UniqueConstraint("issuer", "subject", name=op.f("uq_account_issuer_subject")),
    )
    op.create_table(
        "attendance_day",
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("locked", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("working", sa.Boolean(), nullable=False),
        sa.Column("label", sa.String(length=200), nullable=True),
        sa.Column("position", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("day_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("date", name=op.f("pk_attendance_day")),
    )
    op.create_table(
        "installation",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("epoch", sa.String(length=32), nullable=False, comment="Renewed when a backup is restored."),
        sa.Column("roster_version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_installation_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_installation")),
    )
    op.create_table(
        "rate_limit",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column(
            "full_at", sa.BigInteger(), nullable=False, comment="GCRA's theoretical arrival time, Unix milliseconds."
        ),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_rate_limit")),
    )
    op.create_index(op.f("ix_rate_limit_full_at"), "rate_limit", ["full_at"], unique=False)
    op.create_table(
        "staff",
        sa.Column("id", ID, nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("category", sa.String(length=200), nullable=True),
        sa.Column("photo_url", sa.Text(), nullable=True),
        sa.Column("external_ref", sa.String(length=200), nullable=True),
        sa.Column("starts_on", sa.Date(), nullable=False),
        sa.Column("ends_on", sa.Date(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("sort_key", FOLDED, nullable=False, comment="The folded name; lists are in this order, then by id."),
        sa.Column("search_key", FOLDED, nullable=False, comment="Folded name and category."),
        sa.Column("erased_at", Instant(), nullable=True),
        sa.CheckConstraint("ends_on IS NULL OR ends_on >= starts_on", name=op.f("ck_staff_dates")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("external_ref", name=op.f("uq_staff_external_ref")),
    )
    op.create_index(op.f("ix_staff_sort_key_id"), "staff", ["sort_key", "id"], unique=False)
    op.create_table(
        "attendance",
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("staff_id", ID, nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("photo_url", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False, comment="Of its last change in the day's log."),
        sa.Column("updated_at", Instant(), nullable=False),
        sa.Column("updated_by", ID, nullable=True),
        sa.CheckConstraint(
            "status IN ('UNMARKED', 'PRESENT', 'LATE', 'HALF_DAY', 'REMOTE', 'ON_LEAVE', 'ABSENT')",
            name=op.f("ck_attendance_status"),
        ),
        sa.ForeignKeyConstraint(["date"], ["attendance_day.date"], name=op.f("fk_attendance_date")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_attendance_staff_id")),
        sa.ForeignKeyConstraint(["updated_by"], ["account.id"], name=op.f("fk_attendance_updated_by")),
        sa.PrimaryKeyConstraint("date", "staff_id", name=op.f("pk_attendance")),
    )
    op.create_index(op.f("ix_attendance_staff_id_date"), "attendance", ["staff_id", "date"], unique=False)
    op.create_table(
        "attendance_revision",
        sa.Column("date", sa.Date(), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("staff_id", ID, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("photo_url", sa.Text(), nullable=True),
        sa.Column("changed_at", Instant(), nullable=False),
        sa.Column("changed_by", ID, nullable=True),
        sa.CheckConstraint(
            "status IN ('UNMARKED', 'PRESENT', 'LATE', 'HALF_DAY', 'REMOTE', 'ON_LEAVE', 'ABSENT')",
            name=op.f("ck_attendance_revision_status"),
        ),
        sa.CheckConstraint("position > 0", name=op.f("ck_attendance_revision_position")),
        sa.ForeignKeyConstraint(["changed_by"], ["account.id"], name=op.f("fk_attendance_revision_changed_by")),
        sa.ForeignKeyConstraint(["date"], ["attendance_day.date"], name=op.f("fk_attendance_revision_date")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_attendance_revision_staff_id")),
        sa.PrimaryKeyConstraint("date", "position", name=op.f("pk_attendance_revision")),
        sa.UniqueConstraint("staff_id", "date", "version", name=op.f("uq_attendance_revision_staff_id_date_version")),
    )
    op.create_table(
        "audit",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("by_account", ID, nullable=True, comment="Null: the command line."),
        sa.Column("subject", sa.String(length=16), nullable=False, comment="staff, account or day."),
        sa.Column("subject_id", sa.String(length=64), nullable=False),
        sa.Column("action", sa.String(length=32), nullable=False),
        sa.Column("details", JSON, nullable=False, comment="The values after the change."),
        sa.ForeignKeyConstraint(["by_account"], ["account.id"], name=op.f("fk_audit_by_account")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_subject_subject_id"), "audit", ["subject", "subject_id"], unique=False)
    op.create_table(
        "idempotency",
        sa.Column("account_id", ID, nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("answer", JSON, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["account_id"], ["account.id"], name=op.f("fk_idempotency_account_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("account_id", "key", name=op.f("pk_idempotency")),
    )
    op.create_index(op.f("ix_idempotency_created_at"), "idempotency", ["created_at"], unique=False)
    op.create_table(
        "session",
        sa.Column("id", sa.String(length=64), nullable=False),
        sa.Column("account_id", ID, nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("expires_at", Instant(), nullable=False),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["account.id"], name=op.f("fk_session_account_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_session")),
    )
    op.create_index(op.f("ix_session_account_id"), "session", ["account_id"], unique=False)
    op.create_index(op.f("ix_session_expires_at"), "session", ["expires_at"], unique=False)
    op.create_table(
        "refresh_token",
        sa.Column(
            "hash",
            sa.String(length=64),
            nullable=False,
            comment="SHA-256, hexadecimal; the token itself is never kept.",
        ),
        sa.Column("session_id", sa.String(length=64), nullable=False),
        sa.Column("issued_at", Instant(), nullable=False),
        sa.Column("used_at", Instant(), nullable=True),
        sa.ForeignKeyConstraint(
            ["session_id"], ["session.id"], name=op.f("fk_refresh_token_session_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("hash", name=op.f("pk_refresh_token")),
    )
    op.create_index(op.f("ix_refresh_token_session_id"), "refresh_token", ["session_id"], unique=False)
    installation = sa.table("installation", sa.column("id"), sa.column("epoch"))
    op.bulk_insert(installation, [{"id": 1, "epoch": secrets.token_urlsafe(9).replace("-", "A").replace("_", "B")}])
