"""Pooled connections to PostgreSQL: none that is dead, or in the midst of something, is used again."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError

REST_SECONDS = 1.0
"""A connection that was used more recently is taken at its word: asking costs a round trip for each transaction,
and the pool drops all of its connections as soon as one of them turns out to be dead."""


def watch_connections(engine: Engine) -> None:
    """Throw away connections that come back with their transaction still open; ask those that have rested.

    A COMMIT that could not even be sent leaves a transaction that SQLAlchemy takes for ended, and nothing could be
    begun on that connection ever again. The driver knows, without a round trip. The question is SQLAlchemy's pre-ping,
    but only after a rest.
    """

    @event.listens_for(engine, "checkin")
    def look(connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()
        if connection is not None and connection.driver_connection.is_in_transaction():
            record.invalidate()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        rested = time.monotonic() - record.info.get("rests_since", time.monotonic())
        if rested > REST_SECONDS and not engine.dialect._do_ping_w_event(connection):  # noqa: SLF001 - as the pool does
            raise DisconnectionError("The connection has gone while it rested.")
