"""Interprets an event stream as the HTML standard says (section 9.2.6), which EventSource does."""

from __future__ import annotations

import codecs
import json
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class ServerSentEvent:
    """What an EventSource dispatches."""

    type: str
    data: str
    last_event_id: str

    def json(self) -> dict[str, Any]:
        """The data of a `next`."""
        assert self.type == "next", self
        value: dict[str, Any] = json.loads(self.data)
        return value


class Interpreter:
    """Of one EventSource: its last event id outlives a connection, after which `reset` drops what is incomplete.

    The next response begins with no id all the same, and its first blank line takes the last one away.
    """

    def __init__(self) -> None:
        self.last_event_id = ""
        self.retry: int | None = None
        """Milliseconds until it reconnects."""
        self.reset()

    def reset(self) -> None:
        """Begin another response."""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._text = ""
        self._type = ""
        self._data: list[str] = []
        self._id = ""

    def feed(self, data: bytes) -> list[ServerSentEvent]:
        """The events that these bytes complete."""
        self._text += self._decoder.decode(data)
        held = "\r" if self._text.endswith("\r") else ""  # perhaps the first half of a line's end
        *lines, rest = self._text.removesuffix(held).replace("\r\n", "\n").replace("\r", "\n").split("\n")
        self._text = rest + held
        return [event for line in lines if (event := self._line(line)) is not None]

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "event":
            self._type = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdigit():
            self.retry = int(value)
        return None

    def _dispatch(self) -> ServerSentEvent | None:
        self.last_event_id = self._id
        kind, data, self._type, self._data = self._type, self._data, "", []
        return ServerSentEvent(kind or "message", "\n".join(data), self._id) if data else None
