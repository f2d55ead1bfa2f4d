"""What the tests of slow readers look at."""

from __future__ import annotations

from memberstaff.live.sources import BATCH_BYTES
from memberstaff.server.uvicorn_websocket import WebSocketProtocol
from tests.installation import Installation

MOST_WAITING = 65_536 + 1.25 * BATCH_BYTES
"""Bytes that wait for one client at most: what makes the transport say that it is full, and a batch with its frames."""


def sockets(office: Installation) -> list[WebSocketProtocol]:
    """The open WebSockets, as the server has them."""
    return [each for each in office.address.server.server_state.connections if isinstance(each, WebSocketProtocol)]
