"""The channels there are: what each shows, and to whom."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from enum import Enum

ATTENDANCE = "attendance"


class Kind(Enum):
    """What a channel shows."""

    PUBLIC = "the changes of all days, without notes, to anybody"
    ALL_DAYS = "the changes of all days"
    DAY = "the changes of one day, which can be resumed"
    PRESENCE = "who else is looking"


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel; `day` is that of Kind.DAY."""

    name: str
    kind: Kind
    day: date | None = None


_WHOLE = {
    channel.name: channel
    for channel in (
        Channel(ATTENDANCE, Kind.PUBLIC),
        Channel(f"private-{ATTENDANCE}", Kind.ALL_DAYS),
        Channel(f"presence-{ATTENDANCE}", Kind.PRESENCE),
    )
}
_DAY = re.compile(rf"private-{ATTENDANCE}\.(\d{{4}}-\d{{2}}-\d{{2}})", re.ASCII)


def find(name: str) -> Channel | None:
    """The channel of this name; None when there is none."""
    if (whole := _WHOLE.get(name)) is not None:
        return whole
    if (found := _DAY.fullmatch(name)) is None:
        return None
    try:
        return Channel(name, Kind.DAY, date.fromisoformat(found[1]))
    except ValueError:
        return None
