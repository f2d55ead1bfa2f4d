"""One socket of a Pusher client, and the endpoint that accepts them."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from memberstaff.access import AnyoneWith, Caller, Reader, Right, Role
from memberstaff.accounts.access_watcher import DO_NOT_RECONNECT
from memberstaff.application import Application
from memberstaff.engine.request import Malformed
from memberstaff.errors import Forbidden, RequestError, RequestErrorCode, Unauthenticated
from memberstaff.pusher import protocol
from memberstaff.pusher.channel_groups import ChannelGroups
from memberstaff.pusher.channels import Channel, Kind, find
from memberstaff.pusher.grants import Grants
from memberstaff.pusher.listener import ChannelListener
from memberstaff.pusher.presence import Presence
from memberstaff.server.connection_limiter import ConnectionLimits
from memberstaff.server.listeners import text_frame
from memberstaff.server.request_context import connection_of
from memberstaff.server.token_bucket import TokenBucket
from memberstaff.server.uvicorn_websocket import SOCKET, WebSocketProtocol
from memberstaff.server.websocket import BinaryMessage, WebSocketAdapter
from memberstaff.server.websocket_endpoint import is_allowed_origin

log = logging.getLogger("memberstaff.server")

PREFIX = "/app/"

STATUS = {
    RequestErrorCode.UNAUTHENTICATED: 401,
    RequestErrorCode.FORBIDDEN: 403,
    RequestErrorCode.RESTART_REQUIRED: 409,
    RequestErrorCode.RATE_LIMITED: 429,
    RequestErrorCode.UNAVAILABLE: 503,
}
"""Of a refused subscription; otherwise it is 500."""


class ChannelSubscription:
    """One channel on one socket. For the access_watcher it is the door: when its session ends, so does the socket."""

    __slots__ = ("__weakref__", "_close", "leave")

    def __init__(self, close: Callable[[int, str], None]) -> None:
        self._close = close
        self.leave: Callable[[], None] | None = None
        """How it stops; None until it has begun."""

    def end(self, code: int, reason: str) -> None:
        """Close the socket: the client authorises all of its channels again, or gives up for good."""
        self._close(protocol.REFUSED if code == DO_NOT_RECONNECT else protocol.COME_BACK, reason)


class PusherEndpoint:
    """Accepts sockets at /app/{key}, of every page that may open one."""

    def __init__(
        self,
        application: Application,
        key: str,
        secret: bytes,
        *,
        grants: Grants,
        channel_groups: ChannelGroups,
        limits: ConnectionLimits,
    ) -> None:
        self.application = application
        self.settings = application.settings
        self.key = key
        self.secret = secret
        self.grants = grants
        self.channel_groups = channel_groups
        self.presence: Presence = channel_groups.presence
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept one socket and serve it, or say with a close code that the client understands why not."""
        await receive()
        connection = connection_of(scope)
        transport: WebSocketProtocol | None = (scope.get("extensions") or {}).get(SOCKET)
        if transport is None:
            await send({"type": "websocket.close"})  # only `memberstaff serve` has what it takes
            return
        await send({"type": "websocket.accept"})
        websocket = WebSocketAdapter(receive, send, transport, deadline=self.settings.silence_seconds)
        transport.drain_code = protocol.COME_BACK
        if (refusal := self.refusal(scope)) is not None:
            await websocket.close(*refusal)
        elif not self.limits.addresses.acquire(connection.address):
            await websocket.close(protocol.COME_BACK, "Too many connections from this address")
        else:
            scope["headers"].clear()  # all is said: what lives as long as the socket is kept small
            try:
                await PusherSocket(self, websocket, transport).handle()
            finally:
                self.limits.addresses.release(connection.address)

    def refusal(self, scope: Scope) -> tuple[int, str] | None:
        """Close code and reason for a client that is not served."""
        if not is_allowed_origin(Headers(scope=scope), self.settings.allowed_origins):
            return protocol.REFUSED, "This page's origin is not among MEMBERSTAFF_ALLOWED_ORIGINS"
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path != PREFIX + self.key:
            return protocol.NO_SUCH_APP, "There is no app with this key: it is MEMBERSTAFF_ECHO_KEY"
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if query.get("protocol", [""])[0] not in protocol.VERSIONS:
            return protocol.UNSUPPORTED_VERSION, "The protocol's version here is 7"
        return None


class PusherSocket:
    """Serves one client until it has gone. Nothing here sends to a client that does not read."""

    def __init__(self, endpoint: PusherEndpoint, websocket: WebSocketAdapter, transport: WebSocketProtocol) -> None:
        settings = endpoint.settings
        self.endpoint = endpoint
        self.websocket = websocket
        self.transport = transport
        self.id = protocol.new_socket_id()
        self.bucket = TokenBucket(settings.messages_per_second, settings.message_burst)
        self.subscriptions: dict[str, ChannelSubscription] = {}
        self.counted: set[int | None] = set()
        """Accounts in whose census this socket is."""
        self.idle: asyncio.TimerHandle | None = None
        self.closing: asyncio.Task[None] | None = None

    async def handle(self) -> None:
        """Serve the socket until it is closed; never raises."""
        loop = asyncio.get_running_loop()
        try:
            self.say(protocol.established(self.id))
            self.watch_idleness()
            async for text in self.websocket.texts():
                if not self.bucket.take(loop.time()):
                    await self.websocket.close(protocol.COME_BACK, "Too many messages")
                    break
                # Whoever does not read the answers is not asked for more.
                await self.transport.writable.wait()
                await self.handle_text(text)
                if self.websocket.closed:
                    break
        except BinaryMessage:
            await self.websocket.close(protocol.COME_BACK, "Messages are text, never binary")
        except Exception:
            log.exception("a socket failed")
            await self.websocket.close(protocol.COME_BACK, "Internal server error")
        finally:
            self.leave_all()
            if self.idle is not None:
                self.idle.cancel()
            for account_id in self.counted:
                self.endpoint.limits.accounts.release(account_id)

    async def handle_text(self, text: str) -> None:
        """Answer one message."""
        try:
            message = protocol.read(text)
        except Malformed as error:
            self.say(protocol.error(str(error)))
            return
        if isinstance(message, protocol.Ping):
            self.say(protocol.PONG)
        elif isinstance(message, protocol.Unsubscribe):
            self.unsubscribe(message.channel)
        elif isinstance(message, protocol.Subscribe):
            await self.subscribe(message)
            self.watch_idleness()

    async def subscribe(self, message: protocol.Subscribe) -> None:
        """Begin a subscription, or say why not."""
        name = message.channel
        if name in self.subscriptions:
            self.say(protocol.error(f"There is a subscription to {name[:100]} already."))
            return
        subscription = ChannelSubscription(self.close)
        try:
            channel = find(name)
            if channel is None:
                raise Forbidden("There is no such channel.")
            limit = self.endpoint.settings.max_operations_per_socket
            if len(self.subscriptions) >= limit:
                raise RequestError(
                    RequestErrorCode.RATE_LIMITED, f"A socket has {limit} channels at most; leave one first."
                )
            self.subscriptions[name] = subscription
            if channel.kind is Kind.PUBLIC:
                await self.join(subscription, channel, self.anybody(), None)
            else:
                caller, after = await self.admit(subscription, channel, message)
                await self.join(subscription, channel, caller, after)
        except RequestError as fault:
            self.drop(name, subscription)
            self.say(protocol.refused(name[:200], STATUS.get(fault.code, 500), fault.message))
        except Exception:
            log.exception("a channel could not be subscribed to")
            self.drop(name, subscription)
            self.say(protocol.refused(name[:200], 500, "Something went wrong on our side. Try again in a moment."))

    def anybody(self) -> Reader:
        """Who listens to the public channel. Raises Forbidden while it is closed."""
        if not self.endpoint.settings.echo_public:
            raise Forbidden("The public channel is closed here: subscribe to private-attendance, with a login.")
        return AnyoneWith(Role.VIEWER)

    async def admit(
        self, subscription: ChannelSubscription, channel: Channel, message: protocol.Subscribe
    ) -> tuple[Caller, str | None]:
        """Who subscribes, and from which cursor; the socket is closed when their access ends. Raises RequestError."""
        endpoint = self.endpoint
        signed = (self.id, channel.name, *([message.channel_data] if channel.kind is Kind.PRESENCE else []))
        expected = f"{endpoint.key}:{protocol.signature(endpoint.secret, *signed)}"
        if not hmac.compare_digest(expected.encode(), message.auth.encode("utf-8", "replace")):
            raise Unauthenticated("The signature is not that of /broadcasting/auth for this socket and channel.")
        grant = await endpoint.grants.redeem(self.id, channel.name)
        if grant is None:
            raise Unauthenticated("This authorisation was used, or is too old. Ask /broadcasting/auth again.")
        caller = await endpoint.application.access_watcher.admit(subscription, grant.claims)
        caller.require(Right.READ)
        if caller.account_id not in self.counted:
            if not endpoint.limits.accounts.acquire(caller.account_id):
                raise RequestError(RequestErrorCode.RATE_LIMITED, "Too many connections of this account; close some.")
            self.counted.add(caller.account_id)
        return caller, grant.after

    async def join(
        self, subscription: ChannelSubscription, channel: Channel, caller: Reader, after: str | None
    ) -> None:
        """Have events sent from now on. Between the join and the answer nothing else can be sent."""
        channel_groups = self.endpoint.channel_groups
        if channel.kind is Kind.PRESENCE:
            assert isinstance(caller, Caller)
            leave = channel_groups.presence.join(caller, self.say)
            answer = protocol.subscribed(channel.name, channel_groups.presence.here())
        else:
            listener = ChannelListener(self.transport, self.close_for)
            leave = await channel_groups.join(channel, caller, listener, after)
            answer = protocol.subscribed(channel.name)
        if self.subscriptions.get(channel.name) is not subscription:  # the socket was closed meanwhile
            leave()
            return
        subscription.leave = leave
        self.say(answer)

    def unsubscribe(self, name: str) -> None:
        """Leave a channel, if it was joined."""
        if (subscription := self.subscriptions.get(name)) is not None:
            self.drop(name, subscription)
            self.watch_idleness()

    def drop(self, name: str, subscription: ChannelSubscription) -> None:
        """Forget a subscription."""
        if self.subscriptions.get(name) is subscription:
            del self.subscriptions[name]
            if subscription.leave is not None:
                subscription.leave()

    def leave_all(self) -> None:
        """Send nothing any more."""
        for name, subscription in list(self.subscriptions.items()):
            self.drop(name, subscription)

    def watch_idleness(self) -> None:
        """A socket that has no channel is nobody's: it may stay for a while only."""
        if self.subscriptions and self.idle is not None:
            self.idle.cancel()
            self.idle = None
        elif not self.subscriptions and self.idle is None:
            why = "No channel was subscribed to"
            self.idle = asyncio.get_running_loop().call_later(
                self.endpoint.settings.echo_idle_seconds, self.close, protocol.COME_BACK, why
            )

    def close_for(self, error: Exception | None) -> None:
        """Events have ended: the client comes back, and is told then what it can have."""
        self.close(protocol.COME_BACK, error.message if isinstance(error, RequestError) else "Internal server error")

    def close(self, code: int, reason: str) -> None:
        """Close from the outside; nothing is sent any more from this moment on."""
        self.leave_all()
        if self.closing is None:
            self.closing = asyncio.ensure_future(self.websocket.close(code, reason))

    def say(self, message: bytes) -> None:
        """Send a message; a client with a backlog is cut off, since what it lacks cannot be told later."""
        if self.transport.blocked:
            self.websocket.abort()
        elif not self.websocket.closed:
            self.transport.write(text_frame(message))
