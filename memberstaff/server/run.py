"""Runs uvicorn, configured so that neither an unresponsive client nor a shutdown can hang."""

from __future__ import annotations

import socket
import sys
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess

from memberstaff.server import descriptors
from memberstaff.server.logs import log_config
from memberstaff.server.metrics import forget_worker, shared_by_workers
from memberstaff.server.uvicorn_tls import Config, first_protocol
from memberstaff.server.uvicorn_websocket import WebSocketProtocol
from memberstaff.settings import Settings

ACCEPTED_AT_ONCE = 32
"""Connections; uvloop accepts one of a listening socket in each iteration of its loop, so it is given duplicates.
Otherwise whoever connects stands behind all that a flood has put into the kernel's queue."""
RECEIVED_AT_ONCE = 16 * 1024
"""Bytes of a connection, about, which the kernel keeps before the client has to wait. uvloop reads up to 256 KB in one
iteration, and decrypts them: with hundreds of connections that kept everybody else waiting for 150 ms."""


def serve(
    app: str,
    settings: Settings,
    *,
    host: str,
    port: int,
    workers: int = 1,
    certificate: Path | None = None,
    key: Path | None = None,
) -> None:
    """Serve until a signal stops it; `app` is the import string of a factory, `certificate` and `key` are PEM files."""
    descriptors.raise_limit()
    config = Config(
        app,
        factory=True,
        host=host,
        port=port,
        workers=workers,
        ssl_certfile=certificate,
        ssl_keyfile=str(key) if key else None,
        log_config=log_config(settings),
        **options(settings),
    )
    sockets = listeners(config)
    if workers > 1:
        with shared_by_workers() if settings.metrics else nullcontext():
            Supervisor(config, sockets).run()
        return
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):  # raised again by uvicorn once it has stopped
        server.run(sockets)
    if not server.started:
        sys.exit(STARTUP_FAILURE)


def listeners(config: uvicorn.Config) -> list[socket.socket]:
    """The socket to listen on, as often as connections are accepted in an iteration."""
    first = listener(config)
    return [first, *(first.dup() for _ in range(ACCEPTED_AT_ONCE - 1))]


def listener(config: uvicorn.Config) -> socket.socket:
    """The socket to listen on. uvicorn makes one of protocol 0, and asyncio sets TCP_NODELAY on no such socket.

    Without it each answer waits 40 ms for a delayed acknowledgement, wherever uvloop is not to be had.
    """
    bound = config.bind_socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_AT_ONCE)  # accepted connections inherit it
    return socket.socket(bound.family, bound.type, socket.IPPROTO_TCP, fileno=bound.detach())


class Supervisor(Multiprocess):
    """Several worker processes on one address, which stops accepting connections on shutdown."""

    def keep_subprocess_alive(self) -> None:
        """Start workers anew that have ended, and forget what they said of themselves in the metrics."""
        for process in self.processes:
            # Our copy of the worker's end: with it, one that dies before it answers would be waited for as if it hung.
            process.child_conn.close()
        before = [process.pid for process in self.processes]
        super().keep_subprocess_alive()
        for process_id in {*before} - {process.pid for process in self.processes}:
            if process_id is not None:
                forget_worker(process_id)

    def terminate_all(self) -> None:
        """Close our copy of the listening socket first: while it is open, the kernel queues connections for nobody."""
        for listening in self.sockets:
            listening.close()
        super().terminate_all()


def options(settings: Settings) -> dict[str, Any]:
    """Keyword arguments for `uvicorn.Config`, shared with the tests' server."""
    return {
        "http": first_protocol,
        "ws": WebSocketProtocol,
        "ws_max_size": settings.max_frame_bytes,
        "ws_ping_interval": settings.ping_seconds,
        "ws_ping_timeout": settings.silence_seconds - settings.ping_seconds,
        # It costs 6.6 µs a send, and a megabyte of memory per few hundred clients.
        "ws_per_message_deflate": False,
        # uvicorn would apply X-Forwarded-For before connection.py checks who sent it.
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "lifespan": "on",
        "timeout_graceful_shutdown": settings.shutdown_seconds,
        # Longer than proxies and clients keep an idle connection (60 s and less): whoever closes last loses no request
        # that was sent meanwhile. A POST is not sent again.
        "timeout_keep_alive": 75,
        # uvicorn would kill a worker that does not answer for 5 s: on a busy machine one imports for longer.
        "timeout_worker_healthcheck": 60,
    }
