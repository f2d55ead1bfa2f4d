"""What happened, as the clients saw it, and the verdict over it. No I/O, so that the checker itself is tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

COUNTS = {
    "PRESENT": "present",
    "LATE": "late",
    "HALF_DAY": "halfDay",
    "REMOTE": "remote",
    "ABSENT": "absent",
    "ON_LEAVE": "onLeave",
    "UNMARKED": "unmarked",
}
"""The field of a day's summary that counts each status."""

ON_SITE = ("PRESENT", "LATE", "HALF_DAY")
"""Statuses of people who have come."""

Summary = frozenset[tuple[str, int]]
"""The items of a day's summary, `total` and `onSite` among them."""

Records = dict[str, tuple[str, int]]
"""Staff to status and version."""

RESTART_REQUIRED = "RESTART_REQUIRED"
RETRYABLE = frozenset({"UNAVAILABLE", RESTART_REQUIRED})
"""Errors that an operation may end with while something is broken. RESTART_REQUIRED has a verdict of its own."""


class Place(NamedTuple):
    """Where a change is in the log."""

    day: str
    position: int
    epoch: int = 0


class Said(NamedTuple):
    """What a mark said of times."""

    occurred_at: str | None = None
    arrived_at: str | None = None
    left_at: str | None = None


@dataclass(frozen=True, slots=True)
class EndedEpoch:
    """An epoch that a failover of PostgreSQL, or a restored backup, has ended."""

    survived: Mapping[str, int]
    """The last position of each day on the new primary: what came after it is lost, and its positions used again."""
    synchronous: bool
    """Whether nothing that was acknowledged may be lost by that."""
    restored: Mapping[str, int] | None = None
    """As `survived`, since a backup was restored: it has what it holds, whatever became of it afterwards."""

    @property
    def last(self) -> Mapping[str, int]:
        """The last position of each day that is still there."""
        return self.survived if self.restored is None else self.restored

    def has(self, day: str, position: int) -> bool:
        """Whether a change of this epoch is still there."""
        return position <= self.last.get(day, 0)


@dataclass(frozen=True, slots=True)
class Nested:
    """What an event selects below itself: read when it is rendered, so it may be newer than the event, never older."""

    staff_name: str
    """The event's own, as it is rendered from the roster."""
    name: str | None
    """Of the person; None when the person was null."""
    state: str
    summary: Summary
    history: tuple[tuple[int, str], ...]
    """Version and status of the record's last changes, at most HISTORY, newest first."""


HISTORY = 2


@dataclass(frozen=True, slots=True)
class Entry:
    """A change in the log, or as an event showed it. `token` is the note, which each mutation has of its own."""

    position: int
    staff: str
    version: int
    status: str
    token: str | None
    nested: Nested | None = field(default=None, compare=False)
    times: tuple[str | None, str | None] = (None, None)
    """When the person came and left."""


@dataclass(slots=True)
class Follower:
    """Whoever follows a subscription, and what it was told beside events that are as they should be."""

    name: str
    day: str
    transport: str = field(default="", kw_only=True)
    subscribed: int = field(default=0, kw_only=True)
    """How often."""
    errors: Counter[str] = field(default_factory=Counter, kw_only=True)
    """Codes of events that had an error in them."""
    ends: Counter[str] = field(default_factory=Counter, kw_only=True)
    """Codes of errors that ended an operation, and of closes that amount to one."""


@dataclass(slots=True)
class Watcher(Follower):
    """One board: the day's records when it was read, at which position, and every event since, in order."""

    start: int
    board: Records
    seen: list[Entry] = field(default_factory=list)
    epoch: int = field(default=0, kw_only=True)
    """Of its snapshot."""
    strays: int = field(default=0, kw_only=True)
    """Events of another epoch."""

    @property
    def position(self) -> int:
        """How far it has come."""
        return self.seen[-1].position if self.seen else self.start


@dataclass(frozen=True, slots=True)
class State:
    """A day's state, as attendanceDayUpdated shows it."""

    roster_version: int
    summary: Summary
    epoch: int = field(default=0, compare=False)


@dataclass(slots=True)
class StateWatcher(Follower):
    """One that follows a day's state, and every state that it was shown."""

    seen: list[State] = field(default_factory=list)

    @property
    def last(self) -> State | None:
        """What it shows now."""
        return self.seen[-1] if self.seen else None


@dataclass(frozen=True, slots=True)
class Fresh:
    """A day, read anew in the end."""

    records: Records
    state: State


@dataclass(slots=True)
class History:
    """All that is judged. `acknowledged` maps tokens to their places; `unknown` may or may not have happened."""

    acknowledged: dict[str, Place] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    said: dict[str, Said] = field(default_factory=dict)
    """What each mark said of times, by its token."""
    watchers: list[Watcher] = field(default_factory=list)
    states: list[StateWatcher] = field(default_factory=list)
    ended: dict[int, EndedEpoch] = field(default_factory=dict)
    """Epochs before the last one."""
    not_held: list[str] = field(default_factory=list)
    """Tokens that a backup had to hold and did not."""

    def restore(self, epoch: int, backup: int, held: Mapping[str, int], tokens: Iterable[str]) -> None:
        """Epoch `epoch` ends, since a backup was restored that was made in epoch `backup`, or in this one.

        It holds so much of each day, and must hold the changes with these tokens. Of later epochs there is what they
        had in common with it: what was there before the first of them.
        """
        self.ended.setdefault(epoch, EndedEpoch(held, synchronous=False))
        common = held
        for each in sorted(number for number in self.ended if number >= backup):
            ended = self.ended[each]
            self.ended[each] = replace(ended, restored=held if each == backup else common)
            common = {day: min(last, ended.last.get(day, 0)) for day, last in common.items()}
        self.not_held += [token for token in tokens if self.is_lost(self.acknowledged[token])]

    @property
    def lost(self) -> int:
        """How many acknowledged changes failovers and restores have lost."""
        return sum(self.is_lost(place) for place in self.acknowledged.values())

    def is_lost(self, place: Place) -> bool:
        """Whether a failover or a restore has lost what was there."""
        return place.epoch in self.ended and not self.ended[place.epoch].has(place.day, place.position)
