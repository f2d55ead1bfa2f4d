"""How a ring travels between processes: one JSON object, made and read only here."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime
from typing import Any

import orjson

from memberstaff.events import Change, DayState, Ring, Status

MOST_CHANGES = 200
"""A ring with more says only how far its days came, and its listeners read the log."""


class Unreadable(Exception):
    """A message that this version of memberstaff did not write."""


def encode(ring: Ring) -> str:
    """The ring as text for one message."""
    if len(ring.changes) > MOST_CHANGES:
        ring = replace(ring, changes=())
    return orjson.dumps(ring).decode()


def decode(text: str) -> Ring:
    """The ring that a message holds; raises Unreadable for anything else."""
    try:
        data = orjson.loads(text)
        return Ring(
            epoch=data["epoch"],
            roster_version=data["roster_version"],
            days=tuple(DayState(date.fromisoformat(d["date"]), d["position"], d["day_version"]) for d in data["days"]),
            changes=tuple(_change(fields) for fields in data["changes"]),
            accounts=tuple(data["accounts"]),
            sessions=tuple(data["sessions"]),
        )
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise Unreadable(str(type(error).__name__)) from error


def _change(fields: dict[str, Any]) -> Change:
    return Change(
        **{
            **fields,
            "date": date.fromisoformat(fields["date"]),
            "status": Status(fields["status"]),
            "changed_at": datetime.fromisoformat(fields["changed_at"]),
        }
    )
