"""Times of a day as people write them in files: in the organisation's zone, unless they say another."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

CLEARED = "-"
"""In place of a time that is to be removed; an empty cell keeps it."""

_CLOCK = re.compile(r"(\d{1,2}:\d{2})(:\d{2})?", re.ASCII)
_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[ Tt]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?( ?[Zz]|[+-]\d{2}:\d{2})?", re.ASCII)


class BadTime(ValueError):
    """It is not a time; the message says what to write."""


def read_time(text: str, on: date, zone: ZoneInfo) -> datetime | None:
    """The instant of a time of day, or of a date and a time; None for one to be removed. Raises BadTime.

    What a clock shows twice, or never, in the night when clocks change is refused, never guessed.
    """
    if text == CLEARED:
        return None
    written = text
    if clock := _CLOCK.fullmatch(text):
        written = f"{on} {clock[1]:0>5}{clock[2] or ''}"
    try:
        if not _INSTANT.fullmatch(written):
            raise ValueError
        found = datetime.fromisoformat(written.upper().replace(" Z", "Z"))
        return found.astimezone(UTC) if found.tzinfo is not None else _instant(text, found, zone)
    except (ValueError, OverflowError) as error:
        if isinstance(error, BadTime):
            raise
        message = f"{text!r} is not a time such as 08:05, 2026-01-15 08:05 or 2026-01-15T08:05:00+01:00."
        raise BadTime(message) from None


def _instant(text: str, local: datetime, zone: ZoneInfo) -> datetime:
    found = {local.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1)}
    shown = [instant for instant in sorted(found) if instant.astimezone(zone).replace(tzinfo=None) == local]
    if not shown:
        raise BadTime(f"{text!r} does not exist on {local.date()}: the clocks were put forward.")
    if len(shown) == 2:
        first, second = (instant.astimezone(zone).isoformat(timespec="seconds") for instant in shown)
        raise BadTime(
            f"{text!r} comes twice on {local.date()}, when the clocks were put back: write {first} or {second}."
        )
    return shown[0]
