"""Which WebSocket handshakes are taken over from HTTP as they are; websockets judges and answers all others."""

from __future__ import annotations

import pytest

from memberstaff.server.uvicorn_websocket import ordinary_key

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
HEADERS = {b"upgrade": b"websocket", b"sec-websocket-version": b"13", b"sec-websocket-key": KEY}


def key_of(method: str = "GET", version: str = "1.1", url: bytes = b"/graphql", **changed: bytes | None) -> str | None:
    headers = HEADERS | {name.replace("_", "-").encode(): value for name, value in changed.items()}
    return ordinary_key(method, version, url, [(name, value) for name, value in headers.items() if value is not None])


@pytest.mark.parametrize("name", ["websocket", "WebSocket"])
def test_a_browsers_handshake_is_ordinary(name: str) -> None:
    assert key_of(upgrade=name.encode()) == KEY.decode()


def test_any_other_is_left_to_websockets() -> None:
    assert key_of(method="POST") is None
    assert key_of(version="1.0") is None
    assert key_of(url=b"http://elsewhere/graphql") is None
    assert key_of(url="/é".encode()) is None
    assert key_of(upgrade=b"h2c, websocket") is None
    assert key_of(sec_websocket_version=b"8") is None
    assert key_of(sec_websocket_key=None) is None
    for key in (b"", b"c2hvcnQ=", b"not base64 at all!!!!!!=", b"\xff" * 24):
        assert key_of(sec_websocket_key=key) is None
    assert ordinary_key("GET", "1.1", b"/", [*HEADERS.items(), (b"sec-websocket-key", KEY)]) is None
