"""WebSockets without a client library, which would read what comes and answer pings."""

from __future__ import annotations

import asyncio
import json
import socket
from typing import Any, Protocol


class Served(Protocol):
    """Whatever listens on a port of this machine."""

    @property
    def port(self) -> int: ...


async def raw_socket(address: Served, path: str = "/graphql", protocol: str = "graphql-transport-ws") -> socket.socket:
    """An open WebSocket of which nobody reads, with as small a buffer as the kernel allows."""
    loop = asyncio.get_running_loop()
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
    client.setblocking(False)
    await loop.sock_connect(client, ("127.0.0.1", address.port))
    lines = [f"GET {path} HTTP/1.1", "Host: localhost", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13"]
    lines += [f"Sec-WebSocket-Protocol: {protocol}"] if protocol else []
    await loop.sock_sendall(client, "\r\n".join([*lines, "", ""]).encode())
    assert (await loop.sock_recv(client, 12)) == b"HTTP/1.1 101"
    return client


def frame(message: Any) -> bytes:
    """A text frame as a client sends it; a mask of zeros leaves the text as it is."""
    text = json.dumps(message).encode()
    assert len(text) < 65_536
    length = bytes([0x80 | len(text)]) if len(text) < 126 else bytes([0x80 | 126]) + len(text).to_bytes(2, "big")
    return b"\x81" + length + bytes(4) + text
