"""Alembic's entry: runs the migrations on the connection that migrate.py opened, or prints them for the linter."""

from alembic import context

from memberstaff.db.migrate import OPTIONS
from memberstaff.db.tables import metadata

context.configure(
    connection=context.config.attributes.get("connection"),
    dialect_name=None if "connection" in context.config.attributes else "postgresql",
    target_metadata=metadata,
    compare_type=True,
    **OPTIONS,
)
context.run_migrations()
