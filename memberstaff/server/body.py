"""Receiving a request's body: bounded in bytes and in time, before anything is made of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from starlette.types import Receive

IMPORT = b"importstaff"
"""What the name of an import's document or operation holds, in lower case."""


class UnreadableBody(Exception):
    """The body was not received: `status` is the answer's, the message says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def read_body(
    receive: Receive,
    *,
    declared: str | None,
    limit: int,
    import_limit: int,
    seconds: float,
    may_import: Callable[[], Awaitable[bool]],
) -> bytes:
    """The whole body; raises UnreadableBody.

    More than `limit` bytes are read only when what has arrived by then speaks of `importStaff` (clients put
    operationName or the query first) and `may_import` says that the caller may; then `import_limit` holds.
    """
    try:
        announced = int(declared) if declared and declared.isascii() and declared.isdigit() else 0
    except ValueError:
        announced = import_limit + 1
    if announced > import_limit:
        raise UnreadableBody(413, _too_large(import_limit))
    try:
        async with asyncio.timeout(seconds):
            return await _read(receive, limit, import_limit, may_import)
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
            raise UnreadableBody(400, "The client went away.")
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > bound == limit and IMPORT in bytes(body).lower() and await may_import():
            bound = import_limit
        if len(body) > bound:
            raise UnreadableBody(413, _too_large(bound))
    return bytes(body)


def _too_large(bound: int) -> str:
    return f"The body has more than {bound:,} bytes."
