"""What was made once and may be used again, within a bound of bytes; the longest unused goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

OVERHEAD = 300
"""Bytes that an entry costs beside its value: the key, the entry in the dict, the objects' own heads."""


class Kept(Generic[Key]):
    """Bytes by key. A key must say everything that the value depends on: nothing is ever out of date here."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._entries: OrderedDict[Key, bytes] = OrderedDict()
        self.bytes = 0
        """How much is kept at this moment, overhead included."""
        self.hits = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> bytes | None:
        """The value, which was used just now; None when it is not kept."""
        if (value := self._entries.get(key)) is not None:
            self._entries.move_to_end(key)
            self.hits += 1
        return value

    def put(self, key: Key, value: bytes) -> None:
        """Keep a value in place of the longest unused ones; one that is larger than everything is not kept."""
        size = len(value) + OVERHEAD
        if size > self._most_bytes:
            return
        if (old := self._entries.pop(key, None)) is not None:
            self.bytes -= len(old) + OVERHEAD
        self._entries[key] = value
        self.bytes += size
        while self.bytes > self._most_bytes:
            _, gone = self._entries.popitem(last=False)
            self.bytes -= len(gone) + OVERHEAD
