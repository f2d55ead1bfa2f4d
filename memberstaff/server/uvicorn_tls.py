"""TLS for uvicorn, with connections counted from their first moment.

asyncio's TLS servers tell nobody of a connection, nor of its address, until its handshake is complete: whoever never
completes one would be counted nowhere.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from asyncio.transports import Transport
from ssl import SSLContext
from typing import Any

import uvicorn
from uvicorn.server import ServerState

from memberstaff import metrics
from memberstaff.server.client_address import UNKNOWN
from memberstaff.server.client_hello import client_hello
from memberstaff.server.open_connections import Slot, open_connections_of
from memberstaff.server.uvicorn_http import HttpProtocol
from memberstaff.server.uvicorn_websocket import settings_of

log = logging.getLogger("memberstaff.server")


class Config(uvicorn.Config):
    """uvicorn's configuration, whose servers leave TLS to `TLSGate`."""

    tls: SSLContext | None = None

    def load(self) -> None:
        super().load()
        self.tls, self.ssl = self.ssl, None


def first_protocol(
    config: uvicorn.Config,
    server_state: ServerState,
    app_state: dict[str, Any],
    _loop: asyncio.AbstractEventLoop | None = None,
) -> asyncio.Protocol:
    """The protocol of an accepted connection; pass the function to uvicorn as `http`."""
    http = HttpProtocol(config, server_state, app_state, _loop)
    context = config.tls if isinstance(config, Config) else None
    return http if context is None else TLSGate(http, context)


class TLSGate(asyncio.Protocol):
    """A connection until its handshake is complete; its HttpProtocol takes over then."""

    def __init__(self, http: HttpProtocol, context: SSLContext) -> None:
        self.http = http
        self.context = context
        self.handshake: asyncio.Task[None] | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn does
        """Count the connection, and begin the handshake on a transport of its own.

        `loop.start_tls` would lose what the client sends before it is called. The descriptor is duplicated, since this
        transport closes its own.
        """
        peer = transport.get_extra_info("peername")
        address, open_connections = peer[0] if peer else UNKNOWN, open_connections_of(self.http.app_state)
        slot = self.http.slot = open_connections.take(address)
        if slot is not None:
            accepted = transport.get_extra_info("socket")
            try:
                descriptor = socket.dup(accepted.fileno())
            except OSError:  # no more files can be opened
                slot.free()
                open_connections.refuse(address)
            else:
                duplicate = socket.socket(accepted.family, accepted.type, accepted.proto, descriptor)
                duplicate.setblocking(False)
                self.handshake = asyncio.ensure_future(self.shake_hands(duplicate, slot))
                self.http.connections.add(self)  # type: ignore[arg-type]  # it has `shutdown`, too
        transport.abort()

    async def shake_hands(self, connection: socket.socket, slot: Slot) -> None:
        """Agree on TLS; never raises but when cancelled.

        The client has `headers_seconds` to begin, and as many to complete the handshake once its turn has come: it
        costs the server more than most requests, and takes turns with them.
        """
        seconds = settings_of(self.http.app_state).headers_seconds
        turn = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                await client_hello(connection)
            if slot.takes_turn(turn.set):
                turn.set()
            await turn.wait()
            await self.http.loop.connect_accepted_socket(
                lambda: self.http, connection, ssl=self.context, ssl_handshake_timeout=seconds
            )
        except OSError as error:
            metrics.TLS_FAILED.labels("timeout" if isinstance(error, TimeoutError) else "failed").inc()
            log.debug("No TLS with a client", extra={"reason": type(error).__name__})
        finally:
            self.http.connections.discard(self)
            if self.http.transport is None:
                if not turn.is_set():
                    connection.close()  # from then on it is asyncio's
                slot.free()

    def shutdown(self) -> None:
        """Called by uvicorn when it stops."""
        if self.handshake is not None:
            self.handshake.cancel()
