"""Runs the migrations on the connection, and in the transaction, that the caller opened."""

from alembic import context

from consent.service.migrations import operations  # noqa: F401 - registers what AppendOnly does
from consent.service.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    render_as_batch=True,  # SQLite changes a table by making a new one
    render_item=context.config.attributes.get("render_item"),
)
context.run_migrations()
