"""Accepts sockets of one subprotocol, from allowed origins: browsers do not apply CORS to WebSockets."""

from __future__ import annotations

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send
from strawberry.http.websocket_origin import normalize_origin

from memberstaff.engine.schema import Schema
from memberstaff.server.connection_limiter import RETRY_SECONDS, ConnectionLimits
from memberstaff.server.graphql_transport_ws import SocketHandler
from memberstaff.server.host import Host
from memberstaff.server.request_context import connection_of
from memberstaff.server.session_cookie import is_same_origin_request
from memberstaff.server.strangers import Strangers
from memberstaff.server.uvicorn_websocket import SOCKET, WebSocketProtocol
from memberstaff.server.websocket import WebSocketAdapter

PROTOCOL = "graphql-transport-ws"


class SocketEndpoint:
    """The ASGI application for GraphQL sockets."""

    def __init__(self, schema: Schema, host: Host, limits: ConnectionLimits, strangers: Strangers) -> None:
        self.schema = schema
        self.host = host
        self.limits = limits
        self.strangers = strangers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        settings = self.host.settings
        await receive()
        if not is_allowed_origin(Headers(scope=scope), settings.allowed_origins):
            await send({"type": "websocket.close"})  # before it is accepted, this is HTTP 403
            return
        subprotocol = PROTOCOL if PROTOCOL in scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        protocol: WebSocketProtocol | None = (scope.get("extensions") or {}).get(SOCKET)
        write = send if protocol is None else protocol.send
        websocket = WebSocketAdapter(receive, write, protocol, deadline=settings.silence_seconds)
        if subprotocol is None:
            await websocket.close(4406, f"Unsupported subprotocol; use {PROTOCOL}")
            return
        connection = connection_of(scope)
        if not self.limits.addresses.acquire(connection.network):
            await websocket.close_for_now("Too many connections from this address; close some.", RETRY_SECONDS)
            return
        handler = SocketHandler(self.schema, self.host, connection, websocket, self.limits, self.strangers)
        handler.begin()
        if protocol is not None:
            protocol.hand_over(handler)
            return
        message: Message = {"type": ""}
        while message["type"] != "websocket.disconnect":
            message = await receive()
            await handler.take(message)


def is_allowed_origin(headers: Headers, allowed: Collection[str]) -> bool:
    """Whether a handshake is same-origin, from an allowed origin, or not from a page."""
    if is_same_origin_request(headers):
        return True
    normal = normalize_origin(headers["origin"])
    return normal is not None and normal in {normalize_origin(entry) for entry in allowed}
