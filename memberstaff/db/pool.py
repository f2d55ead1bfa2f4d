"""Connection pooling for PostgreSQL: no connection is reused that is dead or has a transaction open."""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.exc import InvalidatePoolError

from memberstaff.db.deadline import answered_within

PING_AFTER_SECONDS = 1.0
"""Idle time after which a connection is pinged before use. Pinging it each time would cost every transaction a round
trip, and the pool drops all of its connections as soon as one turns out to be dead."""


def watch_connections(engine: Engine, answer_seconds: float) -> None:
    """Discard connections that are returned with a transaction still open; ping those that have been idle.

    A COMMIT that could not even be sent leaves a transaction open that SQLAlchemy believes ended, and no other could
    ever begin on that connection. The driver knows without a round trip. The ping is SQLAlchemy's pre-ping, but sent
    only after an idle time.
    """

    @event.listens_for(engine, "checkin")
    def discard_open_transaction(connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()
        if connection is not None and connection.driver_connection.is_in_transaction():
            record.invalidate()

    @event.listens_for(engine, "checkout")
    def ping_if_idle(connection: Any, record: Any, _proxy: Any) -> None:
        idle = time.monotonic() - record.info.get("idle_since", time.monotonic())
        if idle <= PING_AFTER_SECONDS:
            return
        with answered_within(answer_seconds, connection.driver_connection):
            if not engine.dialect._do_ping_w_event(connection):  # noqa: SLF001 - as the pool does
                raise InvalidatePoolError("The connection was lost while idle; so, perhaps, were the others.")
