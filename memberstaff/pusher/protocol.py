"""The Pusher Channels protocol, version 7, as text: what is sent, what may come, and how channels are signed.

https://pusher.com/docs/channels/library_auth_reference/pusher-websockets-protocol/ describes it.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import orjson

from memberstaff.engine.request import Malformed, decode

VERSIONS = frozenset({"5", "6", "7"})
"""That we can serve; what they differ in does not matter here."""

NO_SUCH_APP = 4001
REFUSED = 4009
"""Not authorised. The client gives up for good after 4000 to 4099."""
UNSUPPORTED_VERSION = 4007
COME_BACK = 4100
"""The client comes back after a second. After 4200 to 4299 it would at once, and without end."""

SOCKET_ID = re.compile(r"[0-9]{1,18}\.[0-9]{1,18}")
ACTIVITY_SECONDS = 30
"""Silence after which the client sends a ping; it then waits as long for any answer."""

PONG = b'{"event":"pusher:pong","data":{}}'


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Of a channel; `auth` and `channel_data` are what /broadcasting/auth has answered."""

    channel: str
    auth: str
    channel_data: str


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """From a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Wants a pong."""


@dataclass(frozen=True, slots=True)
class Pong:
    """Wants nothing."""


Message = Subscribe | Unsubscribe | Ping | Pong


def read(text: str) -> Message:
    """What a client has sent; raises Malformed for anything that has no place here."""
    message = decode(text)
    if not isinstance(message, dict):
        raise Malformed("A message must be a JSON object.")
    event = message.get("event")
    if event == "pusher:ping":
        return Ping()
    if event == "pusher:pong":
        return Pong()
    if event not in {"pusher:subscribe", "pusher:unsubscribe"}:
        if isinstance(event, str) and event.startswith("client-"):
            raise Malformed("Clients cannot send events here: changes are made through GraphQL.")
        raise Malformed("There is no such event.")
    data = message.get("data")
    if isinstance(data, str):
        data = decode(data)
    channel = data.get("channel") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(channel, str):
        raise Malformed("The message names no channel.")
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
    """Says what was wrong with a message; the socket goes on."""
    return orjson.dumps({"event": "pusher:error", "data": {"code": None, "message": message}})


def subscribed(channel: str, data: dict[str, Any] | None = None) -> bytes:
    """A subscription has begun; of a presence channel `data` says who is there."""
    return event("pusher_internal:subscription_succeeded", data or {}, channel)


def refused(channel: str, status: int, why: str) -> bytes:
    """A subscription was refused. `status` is one of HTTP's."""
    data = {"type": "AuthError" if status in {401, 403} else "SubscriptionError", "error": why, "status": status}
    return orjson.dumps({"event": "pusher:subscription_error", "channel": channel, "data": data})


def event(name: str, data: dict[str, Any], channel: str | None = None) -> bytes:
    """An event. Its data is a string that holds JSON, which is how the protocol has it."""
    message: dict[str, Any] = {"event": name}
    if channel is not None:
        message["channel"] = channel
    message["data"] = orjson.dumps(data).decode()
    return orjson.dumps(message)


def new_socket_id() -> str:
    """Names a socket on every process of the installation; nobody can guess another's."""
    return f"{secrets.randbelow(10**18)}.{secrets.randbelow(10**18)}"


def signature(secret: bytes, *parts: str) -> str:
    """Hexadecimal HMAC-SHA256 of `socket_id:channel` or `socket_id:channel:channel_data`."""
    return hmac.digest(secret, ":".join(parts).encode(), sha256).hex()
