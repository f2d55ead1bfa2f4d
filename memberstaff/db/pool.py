"""Connection pooling for PostgreSQL: no connection is used that is dead, in a transaction, or to an old primary."""

from __future__ import annotations

import time
from typing import Any

from asyncpg import InternalClientError
from sqlalchemy import Engine, event
from sqlalchemy.exc import DisconnectionError, InvalidatePoolError

from memberstaff.db.deadline import answered_within
from memberstaff.db.timeline import Timeline

PING_AFTER_SECONDS = 1.0
"""Idle time after which a connection is pinged before use. Pinging it each time would cost every transaction a round
trip, and the pool drops all of its connections as soon as one turns out to be dead."""


NOT_REPLICATED = "01000"
"""The SQLSTATE of the warning with which a COMMIT ends that was told not to wait for its standby, and succeeds."""


def watch_connections(engine: Engine, answer_seconds: float, timeline: Timeline) -> None:
    """Discard connections that are returned with a transaction still open; ping those that have been idle.

    A COMMIT that could not even be sent leaves a transaction open that SQLAlchemy believes ended, and no other could
    ever begin on that connection. The driver knows without a round trip. The ping is SQLAlchemy's pre-ping, but sent
    only after an idle time.

    A new connection is asked for its timeline, and those from before the last epoch are replaced: an old primary may
    live on, and answer whoever is still connected to it. A warning of the server is noted in the connection's `info`.
    """

    @event.listens_for(engine, "do_connect")
    def note_when(_dialect: Any, record: Any, _arguments: Any, _options: Any) -> None:
        # Before it is made: what another process has heard of meanwhile may concern the server that it leads to.
        record.info["connected_at"] = time.monotonic()

    @event.listens_for(engine, "connect")
    def follow_timeline(connection: Any, record: Any) -> None:
        with answered_within(answer_seconds, connection.driver_connection):
            try:
                record.info["epoch"] = connection.run_async(timeline.follow)
            except BaseException as error:
                timeline.is_doubted = True
                connection.driver_connection.terminate()  # the pool would forget it, and leave it open
                if isinstance(error, InternalClientError):  # between the server's last words and the end
                    raise ConnectionError("PostgreSQL has ended this connection.") from error
                raise
        connection.driver_connection.add_log_listener(lambda _, message: _note(record.info, message))

    @event.listens_for(engine, "checkin")
    def discard_open_transaction(connection: Any, record: Any) -> None:
        record.info["idle_since"] = time.monotonic()
        if connection is not None and connection.driver_connection.is_in_transaction():
            record.invalidate()

    @event.listens_for(engine, "checkout")
    def replace_if_outdated(_connection: Any, record: Any, _proxy: Any) -> None:
        if record.info["epoch"] < timeline.epoch or record.info["connected_at"] < timeline.doubted_at:
            raise DisconnectionError("The connection is from before the last failover.")

    @event.listens_for(engine, "checkout")
    def ping_if_idle(connection: Any, record: Any, _proxy: Any) -> None:
        idle = time.monotonic() - record.info.get("idle_since", time.monotonic())
        if idle <= PING_AFTER_SECONDS:
            return
        with answered_within(answer_seconds, connection.driver_connection):
            if not engine.dialect._do_ping_w_event(connection):  # noqa: SLF001 - as the pool does
                raise InvalidatePoolError("The connection was lost while idle; so, perhaps, were the others.")


def check_commit(info: dict[Any, Any], timeline: Timeline) -> None:
    """Raise ConnectionError when a failover may lose what was just committed on the connection with this `info`.

    PostgreSQL calls a COMMIT that waits for its synchronous standby done when it is cancelled, as by a time-out or an
    administrator, and only warns. And an old primary knows of no other.
    """
    if NOT_REPLICATED in info:
        raise ConnectionError("PostgreSQL has committed this without its synchronous standby.")
    if info.get("epoch", 0) < timeline.epoch:
        raise ConnectionError("This was committed on an old primary, after a failover.")


def _note(info: dict[Any, Any], message: Any) -> None:
    if message.severity_en == "WARNING":
        info[message.sqlstate] = message.message
