"""Alembic's entry: runs the migrations on the connection that migrate.py opened."""

from alembic import context

from memberstaff.db.migrate import OPTIONS
from memberstaff.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    compare_type=True,
    **OPTIONS,
)
context.run_migrations()
