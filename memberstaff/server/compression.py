"""Compresses large answers to queries, in a thread: see docs/decisions/0025-event-streams-and-compression.md."""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import brotli

LEAST_BYTES = 4 * 1024
"""Less is sent in three packets at once, and would cost as much CPU to compress as to answer."""

WAITING_BYTES = 32 * 1024 * 1024
"""What may wait at once: a quarter of a second's work. Beyond it, answers are sent as they are."""

SHARE = 4
"""One account may have a quarter of it waiting, so that the others' answers are compressed soon."""


def _brotli(body: bytes) -> bytes:
    # Its default, 11, takes half a second for a board of 1,000 people, and saves another fifth.
    compressed: bytes = brotli.compress(body, quality=5)
    return compressed


def _gzip(body: bytes) -> bytes:
    return zlib.compress(body, 6, wbits=31)  # 31: with gzip's header


CODINGS: Mapping[str, Callable[[bytes], bytes]] = {"br": _brotli, "gzip": _gzip}
"""The content codings, by preference."""


class Compressor:
    """Compresses one body at a time in a thread of its own, so that no account can fill those that others need."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="compression")
        self._waiting: Counter[Hashable] = Counter()
        """Bytes by owner."""

    async def compress(self, body: bytes, coding: str, owner: Hashable) -> bytes | None:
        """The compressed body; None if it is to be sent as it is, being small, or because too much waits already."""
        size = len(body)
        if (
            size < LEAST_BYTES
            or self._waiting[owner] + size > WAITING_BYTES // SHARE
            or self._waiting.total() + size > WAITING_BYTES
        ):
            return None
        self._waiting[owner] += size
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, CODINGS[coding], body)
        finally:
            self._waiting[owner] -= size
            if not self._waiting[owner]:
                del self._waiting[owner]


@dataclass(frozen=True, slots=True)
class Compression:
    """A content coding that a client accepts, as the response cache uses it."""

    name: str
    compressor: Compressor

    async def encode(self, body: bytes, owner: Hashable) -> bytes | None:
        """As `Compressor.compress`."""
        return await self.compressor.compress(body, self.name, owner)
