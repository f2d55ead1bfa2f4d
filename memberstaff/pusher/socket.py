"""Sockets of Pusher clients, and the endpoint that accepts them."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Callable
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import Receive, Scope, Send

from memberstaff import metrics
from memberstaff.access import AnyoneWith, Caller, Reader, Right, Role
from memberstaff.accounts.access_watcher import DO_NOT_RECONNECT
from memberstaff.application import Application
from memberstaff.engine.request import Malformed
from memberstaff.errors import Forbidden, RequestError, RequestErrorCode, Unauthenticated
from memberstaff.keyring import Keys
from memberstaff.pusher import protocol
from memberstaff.pusher.channel_groups import ChannelGroups
from memberstaff.pusher.channels import Channel, Kind, find
from memberstaff.pusher.grants import Grants
from memberstaff.pusher.listener import ChannelListener
from memberstaff.pusher.presence import Presence
from memberstaff.server.connection_limiter import ConnectionLimits
from memberstaff.server.listeners import text_frame
from memberstaff.server.refusals import STATUS
from memberstaff.server.request_context import connection_of
from memberstaff.server.token_bucket import TokenBucket
from memberstaff.server.uvicorn_websocket import SOCKET, WebSocketProtocol
from memberstaff.server.websocket import BinaryMessage, Disconnected, WebSocketAdapter
from memberstaff.server.websocket_endpoint import is_allowed_origin

log = logging.getLogger("memberstaff.server")

PREFIX = "/app/"


class ChannelSubscription:
    """A channel on a socket, which is closed when the access of its session ends."""

    __slots__ = ("__weakref__", "_close", "leave")

    def __init__(self, close: Callable[[int, str], None]) -> None:
        self._close = close
        self.leave: Callable[[], None] | None = None
        """Leaves the channel; None until it is joined."""

    def end(self, code: int, reason: str) -> None:
        """Close the socket; the client reconnects and authorises its channels again, unless it must not."""
        self._close(protocol.REFUSED if code == DO_NOT_RECONNECT else protocol.RECONNECT, reason)


class PusherEndpoint:
    """The ASGI application at /app/{key}."""

    def __init__(
        self,
        application: Application,
        key: str,
        keys: Keys,
        *,
        grants: Grants,
        channel_groups: ChannelGroups,
        limits: ConnectionLimits,
    ) -> None:
        self.application = application
        self.settings = application.settings
        self.key = key
        self.keys = keys
        self.grants = grants
        self.channel_groups = channel_groups
        self.presence: Presence = channel_groups.presence
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Accept and serve a socket, or close it with one of the protocol's codes."""
        await receive()
        connection = connection_of(scope)
        transport: WebSocketProtocol | None = (scope.get("extensions") or {}).get(SOCKET)
        if transport is None:
            await send({"type": "websocket.close"})  # not run by `memberstaff serve`
            return
        await send({"type": "websocket.accept"})
        websocket = WebSocketAdapter(receive, send, transport, deadline=self.settings.silence_seconds)
        transport.drain_code = protocol.RECONNECT
        if (rejection := self.rejection(scope)) is not None:
            await websocket.close(*rejection)
        elif not self.limits.addresses.acquire(connection.network):
            await websocket.close(protocol.RECONNECT, "Too many connections from this address; close some")
        else:
            transport.forget_handshake()
            try:
                await PusherSocket(self, websocket, transport).handle()
            finally:
                self.limits.addresses.release(connection.network)

    def rejection(self, scope: Scope) -> tuple[int, str] | None:
        """Close code and reason for a handshake that is rejected, or None."""
        if not is_allowed_origin(Headers(scope=scope), self.settings.allowed_origins):
            return protocol.REFUSED, "This page's origin is not in MEMBERSTAFF_ALLOWED_ORIGINS"
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path != PREFIX + self.key:
            return protocol.NO_SUCH_APP, "Unknown app key; use that in MEMBERSTAFF_ECHO_KEY"
        query = parse_qs(scope["query_string"].decode("latin-1"))
        if query.get("protocol", [""])[0] not in protocol.VERSIONS:
            return protocol.UNSUPPORTED_VERSION, "Unsupported protocol version; use 7"
        return None


class PusherSocket:
    """Serves one socket until the client disconnects."""

    def __init__(self, endpoint: PusherEndpoint, websocket: WebSocketAdapter, transport: WebSocketProtocol) -> None:
        settings = endpoint.settings
        self.endpoint = endpoint
        self.websocket = websocket
        self.transport = transport
        self.id = protocol.new_socket_id()
        self.bucket = TokenBucket(settings.messages_per_second, settings.message_burst)
        self.subscriptions: dict[str, ChannelSubscription] = {}
        self.counted_accounts: set[int | None] = set()
        """Accounts in whose connection limit this socket counts."""
        self.idle_timer: asyncio.TimerHandle | None = None
        self.closing: asyncio.Task[None] | None = None

    async def handle(self) -> None:
        """Serve the socket until it is closed; never raises."""
        loop = asyncio.get_running_loop()
        try:
            self.send(protocol.established(self.id))
            self.update_idle_timer()
            while not self.websocket.closed:
                text = await self.websocket.receive()
                if not self.bucket.take(loop.time()):
                    await self.websocket.close(protocol.RECONNECT, "Too many messages; slow down")
                    break
                # Do not read more messages while the client does not read the replies.
                await self.transport.writable.wait()
                await self.handle_text(text)
        except Disconnected:
            pass
        except BinaryMessage:
            await self.websocket.close(protocol.RECONNECT, "Binary messages are not supported; send text")
        except Exception:
            log.exception("Socket failed")
            await self.websocket.close(protocol.RECONNECT, "Internal server error")
        finally:
            self.leave_all()
            if self.idle_timer is not None:
                self.idle_timer.cancel()
            for account_id in self.counted_accounts:
                self.endpoint.limits.accounts.release(account_id)

    async def handle_text(self, text: str) -> None:
        """Handle one message."""
        try:
            message = protocol.read(text)
        except Malformed as error:
            self.send(protocol.error(str(error)))
            return
        if isinstance(message, protocol.Ping):
            self.send(protocol.PONG)
        elif isinstance(message, protocol.Unsubscribe):
            self.unsubscribe(message.channel)
        elif isinstance(message, protocol.Subscribe):
            await self.subscribe(message)
            self.update_idle_timer()

    async def subscribe(self, message: protocol.Subscribe) -> None:
        """Subscribe to a channel, or refuse it."""
        name = message.channel
        if name in self.subscriptions:
            self.send(protocol.error(f"This socket is already subscribed to {name[:100]}."))
            return
        subscription = ChannelSubscription(self.close)
        try:
            channel = find(name)
            if channel is None:
                raise Forbidden("There is no such channel.")
            limit = self.endpoint.settings.max_operations_per_socket
            if len(self.subscriptions) >= limit:
                why = f"Too many channels on this socket; the limit is {limit}. Leave one first."
                metrics.RATE_LIMITED.labels("operations").inc()
                raise RequestError(RequestErrorCode.RATE_LIMITED, why)
            self.subscriptions[name] = subscription
            if channel.kind is Kind.PUBLIC:
                await self.join(subscription, channel, self.public_reader(), None)
            else:
                caller, after = await self.admit(subscription, channel, message)
                await self.join(subscription, channel, caller, after)
        except RequestError as error:
            self.drop(name, subscription)
            metrics.ERRORS.labels(error.code.value).inc()
            self.send(protocol.refused(name[:200], STATUS.get(error.code, 500), error.message))
        except Exception:
            log.exception("Failed to subscribe to a channel")
            self.drop(name, subscription)
            metrics.ERRORS.labels("INTERNAL").inc()
            self.send(protocol.refused(name[:200], 500, "Internal server error. Try again in a moment."))

    def public_reader(self) -> Reader:
        """The reader of the public channel. Raises Forbidden if it is disabled."""
        if not self.endpoint.settings.echo_public:
            raise Forbidden("The public channel is disabled. Log in and subscribe to private-attendance.")
        return AnyoneWith(Role.VIEWER)

    async def admit(
        self, subscription: ChannelSubscription, channel: Channel, message: protocol.Subscribe
    ) -> tuple[Caller, str | None]:
        """The subscriber, and the cursor to resume from. Raises RequestError.

        From now on the socket is closed when their access ends.
        """
        endpoint = self.endpoint
        signed = (self.id, channel.name, *([message.channel_data] if channel.kind is Kind.PRESENCE else []))
        auth = message.auth.encode("utf-8", "replace")
        valid = [f"{endpoint.key}:{protocol.signature(key.secret, *signed)}".encode() for key in endpoint.keys]
        if not any(hmac.compare_digest(each, auth) for each in valid):
            raise Unauthenticated("Invalid signature. Use the one from /broadcasting/auth for this socket and channel.")
        grant = await endpoint.grants.redeem(self.id, channel.name)
        if grant is None:
            raise Unauthenticated("This authorisation was used, or has expired. Get another from /broadcasting/auth.")
        caller = await endpoint.application.access_watcher.admit(subscription, grant.claims)
        caller.require(Right.READ)
        if caller.account_id not in self.counted_accounts:
            if not endpoint.limits.accounts.acquire(caller.account_id):
                raise RequestError(RequestErrorCode.RATE_LIMITED, "Too many connections from this account. Close some.")
            self.counted_accounts.add(caller.account_id)
        return caller, grant.after

    async def join(
        self, subscription: ChannelSubscription, channel: Channel, caller: Reader, after: str | None
    ) -> None:
        """Join the channel and confirm it, without waiting in between: the first event must come after it."""
        channel_groups = self.endpoint.channel_groups
        if channel.kind is Kind.PRESENCE:
            assert isinstance(caller, Caller)
            leave = channel_groups.presence.join(caller, self.send)
            answer = protocol.subscribed(channel.name, channel_groups.presence.subscription_data())
        else:
            listener = ChannelListener(self.transport, self.close_at_end)
            leave = await channel_groups.join(channel, caller, listener, after)
            answer = protocol.subscribed(channel.name)
        if self.subscriptions.get(channel.name) is not subscription:  # it was closed, or the client unsubscribed
            leave()
            return
        subscription.leave = leave
        self.send(answer)

    def unsubscribe(self, name: str) -> None:
        """Leave a channel, unless it was not joined."""
        if (subscription := self.subscriptions.get(name)) is not None:
            self.drop(name, subscription)
            self.update_idle_timer()

    def drop(self, name: str, subscription: ChannelSubscription) -> None:
        """Remove a subscription, and leave its channel."""
        if self.subscriptions.get(name) is subscription:
            del self.subscriptions[name]
            if subscription.leave is not None:
                subscription.leave()

    def leave_all(self) -> None:
        """Leave all channels; they send nothing after this call."""
        for name, subscription in list(self.subscriptions.items()):
            self.drop(name, subscription)

    def update_idle_timer(self) -> None:
        """Run the idle timer while the socket has no channel: only a subscription says whose it is."""
        if self.subscriptions and self.idle_timer is not None:
            self.idle_timer.cancel()
            self.idle_timer = None
        elif not self.subscriptions and self.idle_timer is None:
            why = "No channel was subscribed to"
            self.idle_timer = asyncio.get_running_loop().call_later(
                self.endpoint.settings.echo_idle_seconds, self.close, protocol.RECONNECT, why
            )

    def close_at_end(self, error: Exception | None) -> None:
        """Close when a channel's events end; the client reconnects, and subscribing then tells it why."""
        self.close(protocol.RECONNECT, error.message if isinstance(error, RequestError) else "Internal server error")

    def close(self, code: int, reason: str) -> None:
        """Close the socket; its channels send nothing after this call."""
        self.leave_all()
        if self.closing is None:
            self.closing = asyncio.ensure_future(self.websocket.close(code, reason))

    def send(self, message: bytes) -> None:
        """Send a message; abort if the client is not reading, since these messages cannot be resumed."""
        if self.transport.blocked:
            metrics.CONNECTIONS_CUT.labels("not_reading").inc()
            self.websocket.abort()
        elif not self.websocket.closed:
            self.transport.write(text_frame(message))
