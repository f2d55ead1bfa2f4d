"""Subscriber groups of channels: one for each channel, and what is hidden on it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from memberstaff.access import Caller, Reader
from memberstaff.application import Application
from memberstaff.attendance.cursor import Cursor
from memberstaff.changes import FROM_ANYBODY, Change
from memberstaff.fanout.event_source import EventSource, Listener
from memberstaff.live.sources import AllDaysChanges, DayChanges, RenderChange
from memberstaff.pusher.channels import Channel, Kind
from memberstaff.pusher.payload import EVENT, Payload
from memberstaff.pusher.presence import Presence
from memberstaff.pusher.protocol import event


class ChannelGroups:
    """Joins the subscriber groups of channels."""

    def __init__(self, application: Application, payload: Payload, presence: Presence) -> None:
        self.application = application
        self.payload = payload
        self.presence = presence

    async def join(self, channel: Channel, reader: Reader, listener: Listener, after: str | None) -> Callable[[], None]:
        """Add a listener to a channel of changes; returns how to leave. Raises RequestError."""
        is_public = channel.kind is Kind.PUBLIC
        hidden = FROM_ANYBODY if is_public else self.application.database.visibility.hidden_from(reader)
        membership = await self.application.groups.join(
            ("pusher", channel.name, hidden),
            lambda: self.source(channel, hidden),
            listener,
            owner=reader.account_id if isinstance(reader, Caller) else None,
            after=after,
        )
        return membership.leave

    def source(self, channel: Channel, hidden: frozenset[str]) -> EventSource:
        """The changes of a channel as Pusher events, without what is hidden from its readers."""

        def render(cursor: Cursor, change: Change) -> bytes:
            return event(EVENT, self.payload.of(change, cursor, hidden), channel.name)

        if channel.day is None:
            return AllDaysChanges(self.application.all_days, render)

        @asynccontextmanager
        async def rendering() -> AsyncIterator[RenderChange]:
            yield render

        return DayChanges(self.application.feed, channel.day, rendering, self.application.renderings)
