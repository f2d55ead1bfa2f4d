"""INSERT … ON CONFLICT, which both databases have, and SQLAlchemy spells twice."""

from __future__ import annotations

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite


def insert(dialect: str, table: Table) -> postgresql.Insert | sqlite.Insert:
    """An insert into the table that may say what happens on a conflict."""
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
