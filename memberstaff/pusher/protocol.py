"""The Pusher Channels protocol, version 7: its messages and signatures.

https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/ describes it.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from memberstaff.engine.request import Malformed, decode, require_storable

VERSIONS = frozenset({"5", "6", "7"})
"""Supported versions; their differences do not affect this server."""

NO_SUCH_APP = 4001
REFUSED = 4009
"""Not authorised. Clients do not reconnect after 4000 to 4099."""
UNSUPPORTED_VERSION = 4007
RECONNECT = 4100
"""Clients reconnect after a second; after 4200 to 4299 they would at once, and endlessly."""

SOCKET_ID = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}")
ACTIVITY_SECONDS = 30
"""After which a client that has received nothing sends a ping, and waits as long for a reply."""

PONG = b'{"event":"pusher:pong","data":{}}'


@dataclass(frozen=True, slots=True)
class Subscribe:
    """To a channel, with `auth` and `channel_data` from /broadcasting/auth."""

    channel: str
    auth: str
    channel_data: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """From a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Ping:
    """To be answered with a pong."""


@dataclass(frozen=True, slots=True)
class Pong:
    """Not answered."""


Message = Subscribe | Unsubscribe | Ping | Pong


def read(text: str) -> Message:
    """Parse a client's message; raises Malformed if it is not supported."""
    message = decode(text)
    if not isinstance(message, dict):
        raise Malformed("A message must be a JSON object.")
    event = message.get("event")
    if not isinstance(event, str):
        raise Malformed("`event` must be a string.")
    if event == "pusher:ping":
        return Ping()
    if event == "pusher:pong":
        return Pong()
    if event not in {"pusher:subscribe", "pusher:unsubscribe"}:
        if event.startswith("client-"):
            raise Malformed("Client events are not supported; make changes through GraphQL.")
        raise Malformed("Unknown event.")
    data = message.get("data")
    if isinstance(data, str):
        data = decode(data)
    channel = data.get("channel") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(channel, str):
        raise Malformed("The message has no channel.")
    require_storable(data)
    if event == "pusher:unsubscribe":
        return Unsubscribe(channel)
    auth, channel_data = data.get("auth") or "", data.get("channel_data") or ""
    if not isinstance(auth, str) or not isinstance(channel_data, str):
        raise Malformed("`auth` and `channel_data` must be strings.")
    return Subscribe(channel, auth, channel_data)


def established(socket_id: str) -> bytes:
    """The first message on every socket."""
    return event("pusher:connection_established", {"socket_id": socket_id, "activity_timeout": ACTIVITY_SECONDS})


def error(message: str) -> bytes:
    """Reports an invalid message; the socket stays open."""
    return msgspec.json.encode({"event": "pusher:error", "data": {"code": None, "message": message}})


def subscribed(channel: str, data: dict[str, Any] | None = None) -> bytes:
    """A subscription succeeded; `data` has the members of a presence channel."""
    return event("pusher_internal:subscription_succeeded", data or {}, channel)


def refused(channel: str, status: int, why: str) -> bytes:
    """A subscription was refused, with an HTTP status."""
    data = {"type": "AuthError" if status in {401, 403} else "SubscriptionError", "error": why, "status": status}
    return msgspec.json.encode({"event": "pusher:subscription_error", "channel": channel, "data": data})


def event(name: str, data: dict[str, Any], channel: str | None = None) -> bytes:
    """An event. In this protocol its data is a string of JSON."""
    message: dict[str, Any] = {"event": name}
    if channel is not None:
        message["channel"] = channel
    message["data"] = msgspec.json.encode(data).decode()
    return msgspec.json.encode(message)


def new_socket_id() -> str:
    """A random socket id, unique on all processes."""
    return f"{secrets.randbelow(10**18)}.{secrets.randbelow(10**18)}"


def signature(secret: bytes, *parts: str) -> str:
    """Hexadecimal HMAC-SHA256 of `socket_id:channel` or `socket_id:channel:channel_data`."""
    return hmac.digest(secret, ":".join(parts).encode(), sha256).hex()
