"""What a group of subscribers has its events from, and what it sends them to."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol


class Batch:
    """Rendered events that each member is sent in one write."""

    __slots__ = ("cursors", "frames", "payloads", "trace")

    def __init__(self, payloads: Sequence[bytes], cursors: Sequence[str] = (), trace: Any = None) -> None:
        self.payloads = payloads
        self.cursors = cursors
        """Where a member stands after each payload; one more if the source has gone on past events that are not sent.
        Empty if the source cannot resume."""
        self.frames: dict[Hashable, Sequence[bytes]] = {}
        """Memo of the payloads as framed by one transport, by whatever makes the frames equal; filled by listeners."""
        self.trace = trace
        """Where the trace of their rendering goes on, once; None without one."""


class Listener(Protocol):
    """A subscriber's connection, as its group uses it."""

    @property
    def blocked(self) -> bool:
        """Whether the transport's write buffer is above its high-water mark; `send` must not be called then."""

    def send(self, batch: Batch) -> None:
        """Write the whole batch, or nothing if the client has disconnected; never waits."""

    async def drain(self) -> None:
        """Wait until `blocked` may be false again, as asyncio's StreamWriter.drain does."""

    def end(self, error: Exception | None) -> None:
        """End the subscription: with an error, or because its events are complete. Never raises."""


class EndOfEvents(Exception):
    """Raised by a source that will have no more events."""


class SourceOver(Exception):
    """Raised by a source's `start` when it has ended for its members, and another one goes on for this subscriber."""


class EventSource(ABC):
    """The events of a group. Positions rise, and the events after a position are the same for every member.

    `start` and `after` are retried while they raise Unavailable. Any other RequestError ends the subscription.
    """

    turn: Callable[[], AbstractAsyncContextManager[Callable[[], bool]]] = staticmethod(
        lambda: nullcontext(lambda: False)
    )
    """Entered by `after` to read and render, but not to wait for events; set when the source is given to a group. Gives
    a function that tells whether to leave further events to the next call, since others wait."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[int]:
        """Start the source, once it is available; gives its current position. The source stops with the block."""

    @abstractmethod
    async def start(self, after: str | None) -> int:
        """The position that this cursor means, or without one the current position.

        Raises RestartRequired, and SourceOver.
        """

    @abstractmethod
    async def after(self, position: int) -> tuple[int, Batch]:
        """The next events, rendered, and the position of the last; waits until there is one. Raises EndOfEvents.

        It must have released its database connection when it returns: what follows is sending.
        """

    def cursor(self, position: int) -> str | None:  # noqa: ARG002 - a source that cannot resume has none
        """The cursor that means a position; None if the source cannot resume."""
        return None

    def sent(self, before: int, position: int) -> None:  # noqa: B027 - few have a time to take
        """Told, while metrics are observed, that the live members have been sent what lies between two positions."""

    @abstractmethod
    def count(self, members: int) -> None:
        """Add `members`, which may be negative, to the number of subscribers."""
