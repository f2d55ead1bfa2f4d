"""What the channels show: one group of listeners for each channel and role, for which a change is written once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from memberstaff.access import Caller, Right
from memberstaff.application import Application
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import Change
from memberstaff.errors import RequestError, RequestErrorCode
from memberstaff.fanout.subscriber_group import EventSource, Listener
from memberstaff.live.sources import AllDaysChanges, DayChanges, RenderChange
from memberstaff.pusher.channels import Channel, Kind
from memberstaff.pusher.payload import EVENT, Payload
from memberstaff.pusher.presence import Presence
from memberstaff.pusher.protocol import event


class ChannelGroups:
    """Finds, or begins, the group that shows a channel."""

    def __init__(self, application: Application, payload: Payload, presence: Presence) -> None:
        self.application = application
        self.payload = payload
        self.presence = presence

    async def join(self, channel: Channel, caller: Caller, listener: Listener, after: str | None) -> Callable[[], None]:
        """Let somebody listen to a channel of changes; answers how they leave. Raises RequestError."""
        groups = self.application.groups
        notes = channel.kind is not Kind.PUBLIC and caller.may(Right.READ_NOTES)
        key = ("echo", channel.name, notes)
        group = groups.find(key)
        if group is None:
            if not groups.has_room(caller.account_id):
                raise RequestError(
                    RequestErrorCode.RATE_LIMITED, "Too many different channels are open; leave some first."
                )
            group = groups.begin(key, self.events(channel, notes=notes), caller.account_id)
        member = await group.join(listener, after)
        return partial(group.leave, member)

    def events(self, channel: Channel, *, notes: bool) -> EventSource:
        """The changes of a channel as text, for those who may see notes or for those who may not."""

        def render(cursor: Cursor, change: Change) -> bytes:
            return event(EVENT, self.payload.of(change, cursor, notes=notes), channel.name)

        if channel.day is None:
            return AllDaysChanges(self.application.all_days, render)

        @asynccontextmanager
        async def rendering() -> AsyncIterator[RenderChange]:
            yield render

        return DayChanges(self.application.feed, channel.day, rendering, self.application.renderings)
