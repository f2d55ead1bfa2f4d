"""The opening handshake of a WebSocket (RFC 6455, section 4.2) from a request that HTTP has parsed already.

uvicorn writes such a request out again and has websockets parse it once more: a fifth of the CPU that a socket costs
until it stands. See docs/decisions/0004-our-own-http-endpoint.md.
"""

from __future__ import annotations

from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import unquote

from websockets.utils import accept_key

_ONCE = frozenset({b"upgrade", b"sec-websocket-version", b"sec-websocket-key"})
"""Headers that each handshake has exactly once."""


def ordinary_key(method: str, version: str, url: bytes, headers: list[tuple[bytes, bytes]]) -> str | None:
    """The key of a handshake as browsers and libraries send it.

    None for any other: it may be wrong in many ways, and websockets judges and answers each of them.
    """
    found = {name: value for name, value in headers if name in _ONCE}
    if sum(name in _ONCE for name, _ in headers) != len(_ONCE) or len(found) != len(_ONCE):
        return None
    if method != "GET" or version != "1.1" or not url.startswith(b"/") or not url.isascii():
        return None
    if found[b"upgrade"].lower() != b"websocket" or found[b"sec-websocket-version"] != b"13":
        return None
    key = found[b"sec-websocket-key"]
    try:
        return key.decode("ascii") if len(b64decode(key, validate=True)) == 16 else None
    except (NotBase64, ValueError):
        return None


def websocket_scope(http: Mapping[str, Any], url: bytes, state: Mapping[str, Any]) -> dict[str, Any]:
    """The ASGI scope of the socket that an HTTP request asks for."""
    path, _, query = url.partition(b"?")
    root: str = http["root_path"]
    offered = [value.decode("latin-1") for name, value in http["headers"] if name == b"sec-websocket-protocol"]
    return {
        "type": "websocket",
        "asgi": {"version": http["asgi"]["version"], "spec_version": "2.4"},
        "http_version": "1.1",
        "scheme": "wss" if http["scheme"] == "https" else "ws",
        "server": http["server"],
        "client": http["client"],
        "root_path": root,
        "path": root + unquote(path.decode("ascii")),
        "raw_path": root.encode("ascii") + path,
        "query_string": query,
        "headers": http["headers"],
        "subprotocols": [token.strip() for value in offered for token in value.split(",")],
        "state": dict(state),
        "extensions": {"websocket.http.response": {}},
    }


def switching_protocols(key: str, subprotocol: str | None, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The response that accepts a handshake."""
    lines = [
        b"HTTP/1.1 101 Switching Protocols",
        b"Upgrade: websocket",
        b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + accept_key(key).encode(),
        *(b"%b: %b" % pair for pair in headers),
    ]
    if subprotocol:
        lines.append(b"Sec-WebSocket-Protocol: " + subprotocol.encode())
    return b"\r\n".join([*lines, b"", b""])
