"""Running the server: uvicorn, set up so that neither a silent client nor a stop can hang."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import uvicorn
from uvicorn.supervisors import Multiprocess

from memberstaff.server.logs import log_config
from memberstaff.server.uvicorn_http import HttpProtocol
from memberstaff.server.uvicorn_websocket import WebSocketProtocol
from memberstaff.settings import Settings


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
    """Serve until told to stop: `app` is the import string of a factory, `certificate` and `key` PEM files."""
    config: dict[str, Any] = {
        "factory": True,
        "host": host,
        "port": port,
        "workers": workers,
        "ssl_certfile": certificate,
        "ssl_keyfile": str(key) if key else None,
        "log_config": log_config(settings),
        **options(settings),
    }
    if workers == 1:
        uvicorn.run(app, **config)
    else:
        several = uvicorn.Config(app, **config)
        Supervisor(several, [several.bind_socket()]).run()


class Supervisor(Multiprocess):
    """Several processes on one address, which takes no new connections from the moment it is told to stop."""

    def terminate_all(self) -> None:
        """Close our copy of the listening socket first: while it is open, connections queue up that nobody serves."""
        for listener in self.sockets:
            listener.close()
        super().terminate_all()


def options(settings: Settings) -> dict[str, Any]:
    """How uvicorn behaves here, by `uvicorn.Config`'s names; the tests' server uses the same."""
    return {
        "http": HttpProtocol,
        "ws": WebSocketProtocol,
        "ws_max_size": settings.max_frame_bytes,
        "ws_ping_interval": settings.ping_seconds,
        "ws_ping_timeout": settings.silence_seconds - settings.ping_seconds,
        # 6.6 µs a send, and a megabyte of memory for a few hundred clients.
        "ws_per_message_deflate": False,
        # Its own X-Forwarded-For would be believed before ours is asked.
        "proxy_headers": False,
        "server_header": False,
        "access_log": False,
        "lifespan": "on",
        "timeout_graceful_shutdown": settings.shutdown_seconds,
    }
