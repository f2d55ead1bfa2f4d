"""Joins changes read from the log with changes received in notifications, without gaps; free of I/O."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

from memberstaff.changes import Change


class Gap(Exception):
    """A position is missing, so what follows it must not be delivered yet."""

    def __init__(self, *, expected: int, found: int) -> None:
        super().__init__(f"expected position {expected}, found {found}")
        self.expected = expected
        self.found = found


def splice(changes: Iterable[Change], *, after: int) -> list[Change]:
    """The changes of one day after position `after`: each once, in order, without a gap.

    The changes may come from several sources, in any order, and overlap. Raises Gap when one is missing.
    """
    joined: list[Change] = []
    position = after
    for change in sorted(changes, key=attrgetter("position")):
        if change.position <= position:
            continue
        if change.position != position + 1:
            raise Gap(expected=position + 1, found=change.position)
        joined.append(change)
        position = change.position
    return joined
