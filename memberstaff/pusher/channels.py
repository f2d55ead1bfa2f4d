"""The channels, by name."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import Enum

ATTENDANCE = "attendance"


class Kind(Enum):
    """What a channel sends."""

    PUBLIC = "the changes of all days, without notes and photos of marks, to anybody"
    ALL_DAYS = "the changes of all days"
    DAY = "the changes of one day, which can be resumed"
    PRESENCE = "who else is subscribed"


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel; `day` is set for Kind.DAY."""

    name: str
    kind: Kind
    day: date | None = None


_FIXED = {
    channel.name: channel
    for channel in (
        Channel(ATTENDANCE, Kind.PUBLIC),
        Channel(f"private-{ATTENDANCE}", Kind.ALL_DAYS),
        Channel(f"presence-{ATTENDANCE}", Kind.PRESENCE),
    )
}
_DAY = re.compile(rf"private-{ATTENDANCE}\.(\d{{4}}-\d{{2}}-\d{{2}})", re.ASCII)


def find(name: str) -> Channel | None:
    """The channel with this name, or None."""
    if (fixed := _FIXED.get(name)) is not None:
        return fixed
    if (found := _DAY.fullmatch(name)) is None:
        return None
    try:
        return Channel(name, Kind.DAY, date.fromisoformat(found[1]))
    except ValueError:
        return None
