"""How many sockets somebody has open, so that nobody takes all of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable


class ConnectionLimiter:
    """Counts who is here, in this process, and knows when that is enough."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._here: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """How many are here in all."""
        return self._here.total()

    def arrive(self, who: Hashable) -> bool:
        """Count one more, who must `leave` again; False when there is no room."""
        if self._here.get(who, 0) >= self.most:
            return False
        self._here[who] += 1
        return True

    def leave(self, who: Hashable) -> None:
        """Count one less."""
        self._here[who] -= 1
        if not self._here[who]:
            del self._here[who]
