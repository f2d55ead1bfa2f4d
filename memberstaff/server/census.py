"""How many sockets somebody has open, so that nobody takes all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator
from contextlib import contextmanager


class Census:
    """Counts who is here, in this process, and knows when that is enough."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._here: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """How many are here in all."""
        return self._here.total()

    @contextmanager
    def presence(self, who: Hashable) -> Iterator[bool]:
        """Count one more for as long as the block lasts; says whether there was room."""
        if self._here[who] >= self.most:
            yield False
            return
        self._here[who] += 1
        try:
            yield True
        finally:
            self._here[who] -= 1
            if not self._here[who]:
                del self._here[who]
