"""What the channels show: one group of listeners for each channel and role, for which a change is written once."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from memberstaff.access import Caller, Right
from memberstaff.application import Application
from memberstaff.echo.channels import Channel, Kind
from memberstaff.echo.payload import EVENT, Payload
from memberstaff.echo.presence import Presence
from memberstaff.echo.protocol import event
from memberstaff.errors import Fault, FaultCode
from memberstaff.events import Change
from memberstaff.live.cursor import Cursor
from memberstaff.live.group import Events, Listener
from memberstaff.live.rendered import RenderChange, RenderedAllDays, RenderedChanges


class Shows:
    """Finds, or begins, the group that shows a channel."""

    def __init__(self, application: Application, payload: Payload, presence: Presence) -> None:
        self.application = application
        self.payload = payload
        self.presence = presence

    async def join(self, channel: Channel, caller: Caller, listener: Listener, after: str | None) -> Callable[[], None]:
        """Let somebody listen to a channel of changes; answers how they leave. Raises Fault."""
        groups = self.application.groups
        notes = channel.kind is not Kind.PUBLIC and caller.may(Right.READ_NOTES)
        key = ("echo", channel.name, notes)
        group = groups.find(key)
        if group is None:
            if not groups.has_room(caller.account_id):
                raise Fault(FaultCode.RATE_LIMITED, "Too many different channels are open; leave some first.")
            group = groups.begin(key, self.events(channel, notes=notes), caller.account_id)
        member = await group.join(listener, after)
        return partial(group.leave, member)

    def events(self, channel: Channel, *, notes: bool) -> Events:
        """The changes of a channel as text, for those who may see notes or for those who may not."""

        def render(cursor: Cursor, change: Change) -> bytes:
            return event(EVENT, self.payload.of(change, cursor, notes=notes), channel.name)

        if channel.day is None:
            return RenderedAllDays(self.application.all_days, render)

        @asynccontextmanager
        async def rendering() -> AsyncIterator[RenderChange]:
            yield render

        return RenderedChanges(self.application.feed, channel.day, rendering, self.application.renderings)
