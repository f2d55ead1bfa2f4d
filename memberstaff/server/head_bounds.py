"""How large the head of a request may be, and how a request is refused before the application hears of it.

Each refusal is a status line's end and a text.
"""

from __future__ import annotations

HEAD_BYTES = 32 * 1024
"""Of a request line with its headers, of the trailers after a chunked body, and of one chunk's extensions."""
HEAD_LINES = 100
"""Headers and trailers of a request."""
URL_BYTES = 8 * 1024

NOT_HTTP = ("400 Bad Request", "This is not a valid HTTP request.")
URL_TOO_LONG = ("414 URI Too Long", "A URL may have 8 KiB.")
TOO_LARGE = ("431 Request Header Fields Too Large", "The headers of a request may have 32 KiB and 100 lines.")

HANDSHAKE_WITH_BODY = ("400 Bad Request", "A WebSocket handshake has no body.")
BODY_HEADERS = frozenset({b"content-length", b"transfer-encoding"})


class HeadTooLarge(Exception):
    """Raised to the parser, which stops there."""
