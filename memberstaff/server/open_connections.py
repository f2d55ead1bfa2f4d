"""The TCP connections of a process, bounded in total and for each address, from their first moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable, MutableMapping
from typing import Any

from memberstaff import metrics
from memberstaff.addresses import networks_of
from memberstaff.server import descriptors
from memberstaff.server.client_address import Networks, canonical_address, is_trusted
from memberstaff.server.request_turns import RequestTurns
from memberstaff.settings import Settings

log = logging.getLogger("memberstaff.server")

OPEN_CONNECTIONS = "open_connections"
"""Key in the lifespan state, through which uvicorn's protocols get them."""

WARN_SECONDS = 60.0
"""Between two warnings about refused connections."""


class Slot:
    """A connection's place among the open ones; freed once."""

    __slots__ = ("_owner", "networks")

    def __init__(self, owner: OpenConnections, networks: tuple[str, ...]) -> None:
        self._owner: OpenConnections | None = owner
        self.networks = networks
        """Those of the client, narrowest first; none for a trusted proxy."""

    def takes_turn(self, begin: Callable[[], None]) -> bool:
        """Whether a request of this client may begin now; otherwise `begin` is called when it may."""
        return self._owner is None or self._owner.turns.take(self.networks, begin)

    def free(self) -> None:
        """Free the place; does nothing the second time."""
        owner, self._owner = self._owner, None
        if owner is not None:
            owner.free(self.networks)


class OpenConnections:
    """Counts the open connections, and refuses what is too many.

    An address, or an IPv6 /64, may have `per_address`, and never more than there are free ones (dynamic thresholds, as
    switches share their buffers): one address gets half of the total, two a third each, and a newcomer finds some free.
    An IPv6 /56 may have twice as many, a /48 four times, but no more than there are free ones either. Trusted proxies
    are bounded by the total alone.
    """

    def __init__(self, *, total: int, per_address: int, trusted: Networks = ()) -> None:
        self.total = total
        self.per_address = per_address
        self.turns = RequestTurns()
        """Of what comes over them."""
        self.held_bytes = 0
        """Received over them, and waiting to be parsed."""
        self.refused = 0
        """Connections refused since the process started."""
        self._trusted = trusted
        self._open = 0
        self._by_network: Counter[str] = Counter()
        self._warn_at = 0.0

    def __len__(self) -> int:
        return self._open

    def take(self, peer: str) -> Slot | None:
        """Count a connection of this peer; None if it is one too many."""
        address = canonical_address(peer)
        networks = () if is_trusted(address, self._trusted) else networks_of(address)
        free = self.total - self._open
        if free <= 0 or any(self._by_network[name] >= min(share * self.per_address, free) for name, share in networks):
            self.refuse(address)
            return None
        self._open += 1
        names = tuple(name for name, _ in networks)
        self._by_network.update(names)
        return Slot(self, names)

    def free(self, networks: Iterable[str]) -> None:
        """For `Slot`."""
        self._open -= 1
        for name in networks:
            self._by_network[name] -= 1
            if not self._by_network[name]:
                del self._by_network[name]

    def refuse(self, address: str) -> None:
        """Count a connection that is closed at once, and say so now and then."""
        self.refused += 1
        metrics.CONNECTIONS_REFUSED.inc()
        if (now := time.monotonic()) >= self._warn_at:
            self._warn_at = now + WARN_SECONDS
            log.warning(
                "Connections are refused: too many are open",
                extra={"address": address, "open": self._open, "refused": self.refused},
            )


def cut(transport: asyncio.Transport, reason: str) -> None:
    """Abort a connection whose client does not do its part, and count it."""
    metrics.CONNECTIONS_CUT.labels(reason).inc()
    transport.abort()


def of_settings(settings: Settings) -> OpenConnections:
    """Those of this process. Warns when its descriptors do not suffice for what the settings promise."""
    total = descriptors.for_connections(settings.database_pool_size)
    if total // 2 < settings.max_sockets_per_address:
        log.warning(
            "Few connections are possible, since this process may open few files; raise the limit (`ulimit -Hn`, "
            "systemd's LimitNOFILE=)",
            extra={"files": descriptors.limit(), "connections": total, "of_one_address": total // 2},
        )
    return OpenConnections(
        total=total, per_address=settings.max_connections_per_address, trusted=settings.proxy_networks
    )


def open_connections_of(app_state: MutableMapping[str, Any]) -> OpenConnections:
    """The application's; those of the default settings if it has none."""
    found: OpenConnections | None = app_state.get(OPEN_CONNECTIONS)
    if found is None:
        found = app_state[OPEN_CONNECTIONS] = of_settings(Settings())
    return found
