"""uvicorn's HTTP protocol with an end for event streams: a stop does not wait for what never ends by itself."""

from __future__ import annotations

import random
from typing import Any

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from memberstaff.server.protocol import SETTINGS
from memberstaff.settings import Settings

STREAM = "memberstaff.stream"
"""The key of a scope's extensions that says: this response goes on until somebody ends it."""


def mark_as_stream(scope: Scope) -> None:
    """Say that the response to this request is such a stream."""
    scope.setdefault("extensions", {})[STREAM] = True


class HttpProtocol(HttpToolsProtocol):
    """One connection. Pass the class to uvicorn as `http`."""

    def shutdown(self) -> None:
        """Finish an ordinary request; close a stream at a moment of its own, so that not all return at once."""
        super().shutdown()
        cycle: Any = self.cycle
        if cycle is None or cycle.response_complete or STREAM not in (cycle.scope.get("extensions") or {}):
            return
        settings = self.app_state.get(SETTINGS)
        drain_seconds = settings.drain_seconds if isinstance(settings, Settings) else 0.0
        # No word of farewell: after a proper end graphql-sse would be content, after a broken one it comes back.
        self.loop.call_later(random.uniform(0, drain_seconds), self.transport.close)
