"""What was made once and may be used again, within a bound of bytes; the longest unused goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)

OVERHEAD = 500
"""Bytes that an entry costs beside its value: the key, the entries in the dicts, the objects' own heads."""

SHARE = 4
"""One owner may fill a fourth of it: nobody can push out what all the others use."""


class ByteLRU(Generic[Key]):
    """Bytes by key. A key must say everything that the value depends on: nothing is ever out of date here."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._entries: OrderedDict[Key, tuple[bytes, Hashable]] = OrderedDict()
        self._owned: dict[Hashable, OrderedDict[Key, None]] = {}
        self._owned_bytes: dict[Hashable, int] = {}
        self.bytes = 0
        """How much is kept at this moment, overhead included."""
        self.hits = 0

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> bytes | None:
        """The value, which was used just now; None when it is not kept."""
        entry = self._entries.get(key)
        if entry is None:
            return None
        value, owner = entry
        self._entries.move_to_end(key)
        self._owned[owner].move_to_end(key)
        self.hits += 1
        return value

    def put(self, key: Key, value: bytes, owner: Hashable = None) -> None:
        """Keep a value that this owner caused, in place of the longest unused ones, of the owner's own at first."""
        size = len(value) + OVERHEAD
        share = self._most_bytes // SHARE
        if size > share:
            return
        if key in self._entries:
            self._drop(key)
        self._entries[key] = (value, owner)
        self._owned.setdefault(owner, OrderedDict())[key] = None
        self._owned_bytes[owner] = self._owned_bytes.get(owner, 0) + size
        self.bytes += size
        while self._owned_bytes[owner] > share:
            self._drop(next(iter(self._owned[owner])))
        while self.bytes > self._most_bytes:
            self._drop(next(iter(self._entries)))

    def _drop(self, key: Key) -> None:
        value, owner = self._entries.pop(key)
        size = len(value) + OVERHEAD
        self.bytes -= size
        del self._owned[owner][key]
        self._owned_bytes[owner] -= size
        if not self._owned[owner]:
            del self._owned[owner], self._owned_bytes[owner]
