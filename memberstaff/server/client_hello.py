"""Waits for a TLS ClientHello without beginning the handshake: to answer it is what costs the server most.

Whoever withholds it cannot collect handshakes that all begin at one moment. Format: RFC 8446, 4 and 5.1.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

HELLO_BYTES = 16 * 1024
"""Those of browsers have less than 2 KiB."""

RECORD_HEADER = 5
HANDSHAKE_RECORD = 22
MESSAGE_HEADER = 4


async def client_hello(connection: socket.socket) -> None:
    """Wait until it can be read from the connection, or whatever is not one; nothing is taken from the connection.

    Raises OSError when the client leaves, or sends one of more than `HELLO_BYTES`.
    """
    needed = 0
    while (have := len(received := peek(connection))) >= needed:
        needed = length(received)
        if needed > HELLO_BYTES:
            raise ConnectionAbortedError("The ClientHello is too large")
        # Set to what is missing, or half of one would make the connection readable all the time that it lies there.
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1 if have >= needed else needed)
        if have >= needed:
            return
        await readable(connection)
    raise ConnectionResetError("The client left before its ClientHello was complete")


def peek(connection: socket.socket) -> bytes:
    """What has been received; nothing is taken."""
    with suppress(BlockingIOError):
        return connection.recv(HELLO_BYTES, socket.MSG_PEEK)
    return b""


async def readable(connection: socket.socket) -> None:
    """Wait until as much as SO_RCVLOWAT says can be read, or the client has left."""
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(connection)


def length(received: bytes) -> int:
    """How many bytes a ClientHello that begins like this has at least, with its records' headers.

    It has arrived when that is no more than what was received; so it is when these are no records of a handshake.
    """
    message, end = b"", 0
    while len(message) < MESSAGE_HEADER or len(message) < MESSAGE_HEADER + int.from_bytes(message[1:MESSAGE_HEADER]):
        start = end + RECORD_HEADER
        header = received[end:start]
        if len(header) < RECORD_HEADER:
            return start
        size = int.from_bytes(header[3:])
        if header[0] != HANDSHAKE_RECORD or not size:
            return end
        end = start + size
        message += received[start:end]
        if len(received) < end:
            return end
    return end
