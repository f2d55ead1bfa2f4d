"""Which WebSocket handshakes are taken from HTTP as they are; websockets judges and answers all others."""

from __future__ import annotations

import pytest

from memberstaff.server.websocket_handshake import ordinary_key, switching_protocols, websocket_scope

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


def test_the_response_is_that_of_the_rfc() -> None:
    """RFC 6455, section 1.3."""
    assert switching_protocols(KEY.decode(), "chat", [(b"x-request-id", b"abc")]) == (
        b"HTTP/1.1 101 Switching Protocols\r\n"
        b"Upgrade: websocket\r\n"
        b"Connection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
        b"x-request-id: abc\r\n"
        b"Sec-WebSocket-Protocol: chat\r\n"
        b"\r\n"
    )


def test_the_scope_is_that_of_the_request() -> None:
    http = {
        "asgi": {"version": "3.0"},
        "root_path": "/desk",
        "scheme": "https",
        "server": ("127.0.0.1", 443),
        "client": ("127.0.0.1", 5),
        "headers": [(b"sec-websocket-protocol", b"a, b"), (b"sec-websocket-protocol", b"c")],
    }
    scope = websocket_scope(http, b"/gr%C3%A4ph?x=%20", {"settings": 1})
    assert (scope["path"], scope["raw_path"], scope["query_string"]) == ("/desk/gräph", b"/desk/gr%C3%A4ph", b"x=%20")
    assert (scope["scheme"], scope["subprotocols"], scope["state"]) == ("wss", ["a", "b", "c"], {"settings": 1})
