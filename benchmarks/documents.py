"""What the load generators ask: the same work, in memberstaff's words and in those of the other servers."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

PERSON = 17
"""Whoever is marked: "Staff Member 017"."""

SEQ, COUNT = "@SEQ@", "@COUNT@"
"""Replaced by the load generators: a mark with the number of the request, or the number alone."""


@dataclass(frozen=True)
class Dialect:
    """How a server is spoken to: bodies of requests, as JSON. Without GraphQL `mark` is the event itself."""

    wire: Literal["graphql-transport-ws", "socket.io", "pusher", "event-stream"]
    subscription: str
    """A document with the variable $date; without GraphQL the channel, or what the channels' names begin with."""
    mark: str
    board: str = ""
    board_anew: str = ""
    event_holds: tuple[str, ...] = ()
    """Texts that every event must hold."""
    board_holds: tuple[str, ...] = ()


_MARK = """
    mutation ($input: UpdateAttendanceInput!) { updateAttendance(input: $input) {
      attendance { id status note updatedAt version } errors { code message } } }"""


def ours(day: date, staff_id: str) -> Dialect:
    """memberstaff; `staff_id` is the id of whoever is marked."""
    subscription = """
        subscription ($date: Date!) { attendanceUpdated(date: $date) {
          id status note photoUrl date updatedAt staffId staffName staffCategory staffPhotoUrl version feedCursor } }"""
    board = """
        query ($date: Date!) { attendanceDay(date: $date) {
          summary { present absent late onLeave remote halfDay unmarked total }
          records(first: 200) { feedCursor edges { node {
            id staffId staffName staffCategory staffPhotoUrl status note photoUrl version updatedAt } } } } }"""
    target = {"staffDate": {"staffId": staff_id, "date": day.isoformat()}}
    return Dialect(
        wire="graphql-transport-ws",
        subscription=_one_line(subscription),
        mark=_body(_MARK, input={"target": target, "status": "LATE", "note": SEQ}),
        board=_body(board, date=day.isoformat()),
        board_anew=_body(board, date=day.isoformat(), request=COUNT),
        event_holds=(*_EVENT_HOLDS, f'"date":"{day}"'),
        board_holds=_BOARD_HOLDS,
    )


def pusher(day: date, staff_id: str) -> Dialect:
    """The channel of all days for Laravel Echo, to which each subscriber is authorised."""
    target = {"staffDate": {"staffId": staff_id, "date": day.isoformat()}}
    return Dialect(
        wire="pusher",
        subscription="private-attendance",
        mark=_body(_MARK, input={"target": target, "status": "LATE", "note": SEQ}),
        event_holds=(r"\"status\":\"late\"", f"Staff Member {PERSON:03}", rf"\"date\":\"{day}\""),
    )


def theirs(day: date, record: str = str(PERSON)) -> Dialect:
    """Every other GraphQL server: smaller schemas, the same facts; `record` is the id of what is changed."""
    fields = "id status note photoUrl date updatedAt version staff { id name category photoUrl }"
    board = f"query ($date: Date!) {{ attendances(date: $date) {{ {fields} }} }}"
    mark = """
        mutation ($id: ID!, $status: AttendanceStatus!, $note: String) {
          updateAttendance(id: $id, status: $status, note: $note) { id status note updatedAt version } }"""
    return Dialect(
        wire="graphql-transport-ws",
        subscription=f"subscription ($date: Date!) {{ attendanceUpdated(date: $date) {{ {fields} }} }}",
        mark=_body(mark, id=record, status="LATE", note=SEQ),
        board=_body(board, date=day.isoformat()),
        board_anew=_body(board, date=day.isoformat(), request=COUNT),
        event_holds=_EVENT_HOLDS,
        board_holds=_BOARD_HOLDS,
    )


def echo(day: date) -> Dialect:
    """laravel-echo-server: the event as an application would publish it, already rendered."""
    record = {
        "id": str(PERSON),
        "status": "LATE",
        "note": SEQ,
        "photoUrl": f"https://cdn.example.com/attendance/{day}/{PERSON:03}.jpg",
        "date": day.isoformat(),
        "updatedAt": f"{day}T08:30:17.000Z",
        "version": 2,
        "staff": {
            "id": str(PERSON),
            "name": f"Staff Member {PERSON:03}",
            "category": "ADMIN",
            "photoUrl": f"https://cdn.example.com/staff/{PERSON:03}/photo.jpg",
        },
    }
    event = {"event": "AttendanceUpdated", "data": {"attendanceUpdated": record}, "socket": None}
    return Dialect(wire="socket.io", subscription="attendance-", mark=_compact(event), event_holds=_EVENT_HOLDS)


_EVENT_HOLDS = ("LATE", f"Staff Member {PERSON:03}", f"https://cdn.example.com/staff/{PERSON:03}/photo.jpg")
_BOARD_HOLDS = ("Staff Member 000", "Staff Member 199", "https://cdn.example.com/attendance/")


def _one_line(document: str) -> str:
    return " ".join(document.split())


def _body(document: str, **variables: Any) -> str:
    """A request's body.

    A variable `request`, which no document declares, makes each request another one: servers ignore it, but
    whoever keeps answers by what was asked has none to this.
    """
    return _compact({"query": _one_line(document), "variables": variables})


def _compact(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))
