"""Which sockets are accepted: one subprotocol, and no page of a stranger (browsers do not apply CORS to sockets)."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send
from strawberry.http.websocket_origin import normalize_origin

from memberstaff.engine.schema import Schema
from memberstaff.server.connection_limiter import ConnectionLimits
from memberstaff.server.graphql_transport_ws import COME_BACK, SocketHandler
from memberstaff.server.host import Host
from memberstaff.server.request_context import connection_of
from memberstaff.server.session_cookie import is_own_page
from memberstaff.server.uvicorn_websocket import SOCKET, WebSocketProtocol
from memberstaff.server.websocket import WebSocketAdapter

PROTOCOL = "graphql-transport-ws"


class SocketEndpoint:
    """Accepts sockets and serves operations on them."""

    def __init__(self, schema: Schema, host: Host, limits: ConnectionLimits) -> None:
        self.schema = schema
        self.host = host
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept one socket, or refuse it, and serve it to its end."""
        settings = self.host.settings
        await receive()
        if not may_open(Headers(scope=scope), settings.allowed_origins):
            await send({"type": "websocket.close"})  # before it is accepted, this is HTTP 403
            return
        chosen = PROTOCOL if PROTOCOL in scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        protocol: WebSocketProtocol | None = (scope.get("extensions") or {}).get(SOCKET)
        websocket = WebSocketAdapter(receive, send, protocol, deadline=settings.silence_seconds)
        if chosen is None:
            await websocket.close(4406, f"The subprotocol here is {PROTOCOL}")
            return
        connection = connection_of(scope)
        if not self.limits.addresses.acquire(connection.address):
            await websocket.close(COME_BACK, "Too many connections from this address; come back later")
            return
        scope["headers"].clear()  # all is said: what lives as long as the socket is kept small
        try:
            await SocketHandler(self.schema, self.host, connection, websocket, self.limits.accounts).handle()
        finally:
            self.limits.addresses.release(connection.address)


def may_open(headers: Headers, allowed: Collection[str]) -> bool:
    """Whether a handshake may go on: from no page, from a page of this host, or from an allowed origin."""
    if is_own_page(headers):
        return True
    normal = normalize_origin(headers["origin"])
    return normal is not None and normal in {normalize_origin(entry) for entry in allowed}
