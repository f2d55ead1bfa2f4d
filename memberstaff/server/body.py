"""Reads request bodies, limited in size and time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive

IMPORT = b"importstaff"
"""In lower case, part of an import's document or operation name."""
IMPORT_TIMES = 12
"""As long as another body an import may take, which is much larger: its sender's line may be slow."""


class UnreadableBody(Exception):
    """The body could not be read; `status` is the HTTP status to respond with, `bound` the size that it exceeds."""

    def __init__(self, status: int, message: str, bound: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.bound = bound


def _too_large(bound: int) -> UnreadableBody:
    return UnreadableBody(413, f"The body is larger than {bound:,} bytes.", bound)


async def read_body(
    receive: Receive,
    *,
    declared: str | None,
    limit: int,
    import_limit: int,
    seconds: float,
    may_import: Callable[[], Awaitable[bool]],
) -> bytes:
    """The body; raises UnreadableBody.

    The size limit is `import_limit` if the first `limit` bytes mention `importStaff` (clients put operationName or the
    query first) and `may_import` is true, else `limit`; such an import may take `IMPORT_TIMES` as long. `declared` is
    the Content-Length.
    """
    try:
        content_length = int(declared) if declared and declared.isascii() and declared.isdigit() else 0
    except ValueError:
        content_length = import_limit + 1
    if content_length > import_limit:
        raise _too_large(import_limit)
    try:
        async with asyncio.timeout(seconds) as patience:

            async def is_import() -> bool:
                nonlocal seconds
                if not await may_import():
                    return False
                began = (patience.when() or 0) - seconds
                seconds *= IMPORT_TIMES
                patience.reschedule(began + seconds)
                return True

            return await _read(receive, limit, import_limit, is_import)
    except TimeoutError:
        raise UnreadableBody(408, f"The body did not arrive within {seconds:g} seconds.") from None


async def _read(
    receive: Receive,
    limit: int,
    import_limit: int,
    may_import: Callable[[], Awaitable[bool]],
) -> bytes:
    body = bytearray()
    bound = limit
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise UnreadableBody(400, "The client disconnected.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > bound == limit and IMPORT in bytes(body).lower() and await may_import():
            bound = import_limit
        if len(body) > bound:
            raise _too_large(bound)
    return bytes(body)
