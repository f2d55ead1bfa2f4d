"""uvicorn's HTTP protocol, whose answers also reach a client that still sends its request.

Most clients read an answer once they have sent all of their request, and Go's reverse proxy, which is Caddy's, breaks
off an answer that arrives before it has passed on the request. So an answer waits for the end of its request. When that
is too far away, the connection is closed after the answer as by nginx (`lingering_close`): one that is closed with
something unread is reset, and a client may lose what it had not read by then.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from starlette.types import Message, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from memberstaff.server.uvicorn_websocket import settings_of

UNDER_WAY = 256 * 1024
"""Bytes that a client may have sent before it hears of a refusal. Strangers' bodies are much smaller."""


class LingeringClose(HttpToolsProtocol):
    """A connection that is closed after its client; bounded in bytes, and to `body_seconds`."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        settings = settings_of(self.app_state)
        self.body_seconds = settings.body_seconds
        self.import_bytes = settings.max_import_bytes
        self.is_known = False
        """Whether the present request is of somebody with a login, who may send as much as an import has."""
        self.to_drop = UNDER_WAY
        """Bytes that are still read of a connection which is about to be closed."""
        self.is_refused = False
        """Whether what is received is dropped, because the connection is about to be closed."""
        self.linger_timer: asyncio.TimerHandle | None = None
        """Runs from `linger` on."""

    def connection_lost(self, exc: Exception | None) -> None:
        if self.linger_timer is not None:
            self.linger_timer.cancel()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Start the application, whose answer waits for the end of a request that has not arrived by then."""

        def start(scope: Any, receive: Any, send: Any) -> Any:
            return app(scope, receive, self.after_request(cycle, send) if cycle.more_body else send)

        self.is_known = False
        super()._start_asgi_task(cycle, start)

    def after_request(self, cycle: Any, send: Send) -> Send:
        """`send`, which first waits until the request was read, as far as it may be."""
        deadline = self.loop.time() + self.body_seconds

        async def send_after_request(message: Message) -> None:
            if cycle.more_body and not cycle.response_started:
                most = self.import_bytes if self.is_known else UNDER_WAY
                if is_worth_reading(cycle, most):
                    await read_to_end(cycle, most, deadline)
                if cycle.more_body:
                    cycle.transport = ClosingLate(self)
                    message["headers"] = [*message.get("headers", ()), (b"connection", b"close")]
            await send(message)

        return send_after_request

    def linger(self) -> None:
        """Close the connection when the client has closed it, or sent too much, or after `body_seconds`."""
        self.is_refused = True
        if self.linger_timer is None and not self.transport.is_closing():
            if self.transport.can_write_eof():  # not over TLS
                self.transport.write_eof()
            self.flow.resume_reading()
            self.linger_timer = self.loop.call_later(self.body_seconds, self.transport.abort)

    def drop(self, size: int) -> None:
        """Count what is received and not wanted; aborts the connection when it is too much."""
        self.to_drop -= size
        if self.to_drop < 0:
            self.transport.abort()

    def on_response_complete(self) -> None:
        if self.linger_timer is None:
            super().on_response_complete()

    def shutdown(self) -> None:
        if self.linger_timer is not None:
            self.transport.close()
        else:
            super().shutdown()


class ClosingLate:
    """The transport of an answer after which the connection lingers."""

    def __init__(self, protocol: LingeringClose) -> None:
        self.close = protocol.linger
        self.is_closing = protocol.transport.is_closing
        self.write = protocol.transport.write


def is_worth_reading(cycle: Any, most: int) -> bool:
    """Whether a request has, or may have, an end within so many bytes, and its client need not be asked for it.

    A client that waits for "100 Continue" sends no body once it is refused. What is forwarded has only been said by a
    client to its proxy, and Go's sends the body all the same.
    """
    headers = dict(cycle.scope["headers"])
    declared = headers.get(b"content-length") or b"0"
    if len(declared) > len(str(most)) or int(declared) > most:
        return False
    return not cycle.waiting_for_100_continue or bool(cycle.body) or b"x-forwarded-for" in headers


async def read_to_end(cycle: Any, most: int, deadline: float) -> None:
    """Read what is left of a request, and drop it: so many bytes at the most, and not after the deadline."""
    with suppress(TimeoutError):
        async with asyncio.timeout_at(deadline):
            while cycle.more_body and not cycle.disconnected and most > 0:
                message = await cycle.receive()
                most -= len(message.get("body", b""))
