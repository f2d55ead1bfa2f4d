"""Alembic's entry: runs the migrations on the connection that migrate.py opened."""

from alembic import context

from memberstaff.db.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,  # SQLite alters a table by copying it
    compare_type=True,
)
context.run_migrations()
