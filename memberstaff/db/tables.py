"""The tables as SQLAlchemy sees them; `migrations/` creates them, and a test compares the two.

`attendance_revision` is audit trail, outbox and event log in one: see docs/decisions/0001-one-log.md.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from memberstaff.access import Role
from memberstaff.changes import Status
from memberstaff.db.types import FoldedText, Instant, Json

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

Id = BigInteger().with_variant(Integer, "sqlite")
"""SQLite auto-increments nothing but an INTEGER PRIMARY KEY."""


def _one_of(column: str, values: type[Role | Status]) -> CheckConstraint:
    listed = ", ".join(f"'{value}'" for value in values)
    return CheckConstraint(f"{column} IN ({listed})", name=column)


installation = Table(
    "installation",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column(
        "epoch",
        BigInteger,
        nullable=False,
        comment="Of the log's history; rises. Unix milliseconds.",
    ),
    Column("timeline", BigInteger, nullable=True, comment="PostgreSQL's, in this epoch; null: not known, or SQLite."),
    Column("roster_version", BigInteger, nullable=False, server_default=text("0")),
    Column(
        "least_revision",
        String(32),
        nullable=True,
        comment="Of migrations, that a process must know to serve; null: any.",
    ),
    CheckConstraint("id = 1", name="one_row"),
)

access_head = Table(
    "access_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger, nullable=False, server_default=text("0"), comment="Of the last row of access_change."),
    CheckConstraint("id = 1", name="one_row"),
)

access_change = Table(
    "access_change",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("account_id", Id, nullable=True, comment="All sessions of this account."),
    Column("session_id", String(64), nullable=True, comment="This session alone."),
    Column("at", Instant, nullable=False),
    CheckConstraint("(account_id IS NULL) <> (session_id IS NULL)", name="subject"),
    Index(None, "at"),
)

account = Table(
    "account",
    metadata,
    Column("id", Id, primary_key=True),
    Column("email", String(254), nullable=True, comment="Folded to lower case; null for outside identities."),
    Column("display_name", String(200), nullable=False),
    Column("role", String(16), nullable=False),
    Column("password_hash", Text, nullable=True),
    Column("issuer", String(500), nullable=True),
    Column("subject", String(500), nullable=True),
    Column("role_issued_at", Instant, nullable=True, comment="Of the newest token of an outside issuer."),
    Column(
        "role_withdrawn",
        Boolean,
        nullable=False,
        server_default=text("false"),
        comment="Whether that token named no role.",
    ),
    Column("disabled_at", Instant, nullable=True),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("email"),
    UniqueConstraint("issuer", "subject"),
    _one_of("role", Role),
)

session = Table(
    "session",
    metadata,
    Column("id", String(64), primary_key=True),
    Column("account_id", Id, ForeignKey("account.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("ended_at", Instant, nullable=True),
    Index(None, "account_id"),
    Index(None, "expires_at"),
)

refresh_token = Table(
    "refresh_token",
    metadata,
    Column("hash", String(64), primary_key=True, comment="SHA-256, hexadecimal; the token itself is never kept."),
    Column("session_id", String(64), ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("issued_at", Instant, nullable=False),
    Column("used_at", Instant, nullable=True),
    Column("predecessor", String(64), nullable=True, comment="Hash of the token that it replaces; null: a login's."),
    Index(None, "session_id"),
)

channel_grant = Table(
    "channel_grant",
    metadata,
    Column("socket_id", String(40), primary_key=True),
    Column("channel", String(64), primary_key=True),
    Column("session_id", String(64), ForeignKey("session.id", ondelete="CASCADE"), nullable=False),
    Column("account_id", Id, nullable=False),
    Column("expires_at", Instant, nullable=False, comment="Of the access token."),
    Column("issued_at", Instant, nullable=True, comment="Of an outside issuer's token."),
    Column("after", String(200), nullable=True, comment="The feed cursor to resume from."),
    Column("granted_at", Instant, nullable=False),
    Index(None, "session_id"),
    Index(None, "granted_at"),
)

rate_limit = Table(
    "rate_limit",
    metadata,
    Column("key", String(200), primary_key=True),
    Column("full_at", BigInteger, nullable=False, comment="GCRA's theoretical arrival time, Unix milliseconds."),
    Index(None, "full_at"),
)

staff = Table(
    "staff",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("category", String(200), nullable=True),
    Column("photo_url", Text, nullable=True),
    Column("external_ref", String(200), nullable=True),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=True),
    Column("version", Integer, nullable=False),
    Column("sort_key", FoldedText, nullable=False, comment="The folded name; lists are in this order, then by id."),
    Column("search_key", FoldedText, nullable=False, comment="Folded name and category."),
    Column("erased_at", Instant, nullable=True),
    UniqueConstraint("external_ref"),
    CheckConstraint("ends_on IS NULL OR ends_on >= starts_on", name="dates"),
    Index(None, "sort_key", "id"),
)

reason = Table(
    "reason",
    metadata,
    Column("id", Id, primary_key=True),
    Column("name", String(200), nullable=False),
    Column("key", FoldedText, nullable=False, comment="The folded name."),
    Column("for_viewers", Boolean, nullable=False),
    Column("retired", Boolean, nullable=False),
    UniqueConstraint("key"),
)

attendance_day = Table(
    "attendance_day",
    metadata,
    Column("date", Date, primary_key=True),
    Column("locked", Boolean, nullable=False, server_default=text("false")),
    Column("working", Boolean, nullable=False),
    Column("label", String(200), nullable=True),
    Column("position", BigInteger, nullable=False, server_default=text("0")),
    Column("day_version", BigInteger, nullable=False, server_default=text("0")),
)

attendance = Table(
    "attendance",
    metadata,
    Column("date", Date, ForeignKey("attendance_day.date"), primary_key=True),
    Column("staff_id", Id, ForeignKey("staff.id"), primary_key=True),
    Column("status", String(16), nullable=False),
    Column("note", Text, nullable=True),
    Column("photo_url", Text, nullable=True),
    Column("arrived_at", Instant, nullable=True),
    Column("left_at", Instant, nullable=True),
    Column("reason_id", Id, ForeignKey("reason.id"), nullable=True),
    Column("version", Integer, nullable=False),
    Column("position", BigInteger, nullable=False, comment="Of its last change in the day's log."),
    Column("updated_at", Instant, nullable=False),
    Column("updated_by", Id, ForeignKey("account.id"), nullable=True),
    _one_of("status", Status),
    Index(None, "staff_id", "date"),
)

attendance_revision = Table(
    "attendance_revision",
    metadata,
    Column("date", Date, ForeignKey("attendance_day.date"), primary_key=True),
    Column("position", BigInteger, primary_key=True, autoincrement=False),
    Column("staff_id", Id, ForeignKey("staff.id"), nullable=False),
    Column("version", Integer, nullable=False),
    Column("status", String(16), nullable=False),
    Column("note", Text, nullable=True),
    Column("photo_url", Text, nullable=True),
    Column("arrived_at", Instant, nullable=True),
    Column("left_at", Instant, nullable=True),
    Column("reason_id", Id, ForeignKey("reason.id"), nullable=True),
    Column("changed_at", Instant, nullable=False),
    Column("changed_by", Id, ForeignKey("account.id"), nullable=True),
    UniqueConstraint("staff_id", "date", "version"),
    CheckConstraint("position > 0", name="position"),
    _one_of("status", Status),
)

audit = Table(
    "audit",
    metadata,
    Column("id", Id, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("by_account", Id, ForeignKey("account.id"), nullable=True, comment="Null: the command line, or nobody."),
    Column("subject", String(16), nullable=False, comment="staff, account, day or reason."),
    Column("subject_id", String(64), nullable=False, comment="Empty: an account that does not exist."),
    Column("action", String(32), nullable=False),
    Column("details", Json, nullable=False, comment="The values after the change."),
    Column("address", String(64), nullable=True, comment="The client's; the network of refused attempts."),
    Column("user_agent", String(200), nullable=True),
    Column("device", String(32), nullable=True, comment="The known device's id."),
    Column("operator", String(100), nullable=True, comment="The operating system's user, at the command line."),
    Column("times", Integer, nullable=False, server_default=text("1"), comment="How often, in this hour."),
    Column("hour", Instant, nullable=True, comment="Its start, if equal attempts share a row; null: a row of its own."),
    Index(None, "at", "id"),
    Index(None, "action", "at", "id"),
    Index(None, "by_account", "at", "id"),
    Index(None, "subject", "at", "id"),
    Index(None, "subject", "subject_id", "at", "id"),
    Index(None, "hour", "action", "subject_id", "address", unique=True),
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("account_id", Id, ForeignKey("account.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("request_hash", String(64), nullable=False),
    Column("answer", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Index(None, "created_at"),
)
