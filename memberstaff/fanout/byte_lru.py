"""A byte-bounded LRU cache."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

OVERHEAD = 500
"""Bytes that an entry costs besides its value: a key of fixed size, its dict entries, and object headers."""

SHARE = 4
"""One owner may fill a quarter of the cache: nobody can evict what everybody else uses."""


class ByteLRU(Generic[Key]):
    """A byte-bounded LRU cache. A key contains whatever its value depends on, so nothing is ever invalidated.

    Keys are small and of a fixed size: digests of what clients sent, never the text itself.
    """

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._entries: OrderedDict[Key, tuple[bytes, Hashable]] = OrderedDict()
        self._owned: dict[Hashable, OrderedDict[Key, None]] = {}
        self._owned_bytes: dict[Hashable, int] = {}
        self.bytes = 0
        """Size of the cache, overhead included."""

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> bytes | None:
        """The value, now the most recently used; None when it is not cached."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, owner = entry
        self._entries.move_to_end(key)
        self._owned[owner].move_to_end(key)
        return value

    def put(self, key: Key, value: bytes, owner: Hashable = None) -> None:
        """Cache a value on behalf of an owner, evicting the least recently used: the owner's own first."""
        size = len(value) + OVERHEAD
        share = self._most_bytes // SHARE
        if size > share:
            return
        if key in self._entries:
            self._evict(key)
        self._entries[key] = (value, owner)
        self._owned.setdefault(owner, OrderedDict())[key] = None
        self._owned_bytes[owner] = self._owned_bytes.get(owner, 0) + size
        self.bytes += size
        while self._owned_bytes[owner] > share:
            self._evict(next(iter(self._owned[owner])))
        while self.bytes > self._most_bytes:
            self._evict(next(iter(self._entries)))

    def _evict(self, key: Key) -> None:
        value, owner = self._entries.pop(key)
        size = len(value) + OVERHEAD
        self.bytes -= size
        del self._owned[owner][key]
        self._owned_bytes[owner] -= size
        if not self._owned[owner]:
            del self._owned[owner], self._owned_bytes[owner]
