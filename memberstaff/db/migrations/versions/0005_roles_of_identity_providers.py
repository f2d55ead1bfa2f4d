"""When an identity provider's user got their role, so that an older token does not bring back another one."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from memberstaff.db.types import Instant

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns; so far the newest session told which token was the newest."""
    op.add_column(
        "account",
        sa.Column("role_issued_at", Instant(), nullable=True, comment="Of the newest token of an outside issuer."),
    )
    op.add_column(
        "account",
        sa.Column(
            "role_withdrawn",
            sa.Boolean(),
            nullable=False,
            server_default=sa.text("false"),
            comment="Whether that token named no role.",
        ),
    )
    op.execute(
        "UPDATE account SET role_issued_at = "
        "(SELECT max(created_at) FROM session WHERE session.account_id = account.id) WHERE issuer IS NOT NULL"
    )
