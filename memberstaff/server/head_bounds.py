"""How large the head of a request may be, and how a request is refused before the application hears of it.

httptools and uvicorn bound neither the size nor the number of headers, nor the URL: one connection could fill the
memory. Each refusal is a status line's end and a text.
"""

from __future__ import annotations

from typing import Any

from memberstaff.server.lingering_close import LingeringClose

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


class Refused(Exception):
    """Raised to the parser, which stops there."""


class BoundedHeads(LingeringClose):
    """A connection whose requests have bounded heads.

    What is too large is not kept, and refused at the end of its request, or at once if it goes on for too long.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.in_head = False
        """Whether a request line and its headers are being received."""
        self.head_lines = 0
        self.head_bytes = 0
        self.unparsed = 0
        """Bytes received since the parser had last completed a head, a piece of a body, or a message."""
        self.refusal = NOT_HTTP
        """Status and text for what the parser stops at; another one if the head is refused already."""

    @property
    def is_head_refused(self) -> bool:
        """Whether the request that is being received has too large a head."""
        return self.refusal is not NOT_HTTP

    def on_message_begin(self) -> None:
        self.in_head = True
        self.head_lines = 0
        self.head_bytes = 0
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        if not self.is_head_refused:
            super().on_url(url)
            if len(self.url) > URL_BYTES:
                self.refusal, self.url = URL_TOO_LONG, b""

    def on_header(self, name: bytes, value: bytes) -> None:
        """Called with a header, or with a trailer: those are dropped, since they come after access was checked."""
        self.head_lines += 1
        self.head_bytes += len(name) + len(value) + len(b": \r\n")
        if self.head_lines > HEAD_LINES or self.head_bytes > HEAD_BYTES:
            if self.refusal is NOT_HTTP:
                self.refusal = TOO_LARGE
            if not self.in_head:
                raise Refused
        if self.in_head and (self.refusal is NOT_HTTP or name.lower() == b"expect"):
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Start the application, unless the head is refused."""
        self.in_head = False
        self.unparsed = 0
        if not self.is_head_refused:
            self.on_head()
        elif self.expect_100_continue:  # and sends no body then
            raise Refused

    def on_head(self) -> None:
        """Called when the head of a request is complete."""
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self.unparsed = 0
        if self.is_head_refused:
            self.drop(len(body))
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self.unparsed = 0
        if self.is_head_refused:
            raise Refused
        super().on_message_complete()
