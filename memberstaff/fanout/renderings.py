"""What a source renders, shared by all who ask for it at the same time."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from contextvars import ContextVar
from typing import NamedTuple

import structlog

from memberstaff import metrics
from memberstaff.errors import RequestError, Unavailable
from memberstaff.fanout.event_source import Batch, EndOfEvents, EventSource
from memberstaff.fanout.retry import MAX_ATTEMPTS, RETRY_SECONDS, Backoff
from memberstaff.fanout.turns import Payers

log = structlog.get_logger(__name__)

PAYERS: ContextVar[Payers] = ContextVar("payers")
"""On whose behalf this task renders."""


class Rendering(NamedTuple):
    """What a source returned. Renderings are numbered in the order in which they start."""

    position: int
    batch: Batch
    number: int
    seen: int
    """The last rendering that had started when this one was done: a later one read the same data or newer."""


class _InFlight(NamedTuple):
    number: int
    result: asyncio.Future[Rendering]
    payers: Payers


class Renderings:
    """The renderings of one source: each made once for whoever waits for it, and tried again while it fails."""

    def __init__(self, source: EventSource) -> None:
        self._source = source
        self._started = 0
        self._in_flight: dict[int, _InFlight] = {}

    def join(self, position: int, owner: Hashable) -> None:
        """Have this owner wait, too, for the rendering after a position that is under way, if there is one."""
        if (current := self._in_flight.get(position)) is not None:
            current.payers.join(owner)

    async def after(self, position: int, seen: int, payers: Payers) -> Rendering:
        """The events after a position, rendered in a turn of these payers; who asks at the same time shares it.

        It must have started after rendering number `seen`, the member's last: an earlier one may have read, besides the
        events, older data than the member has already been sent. Raises RequestError, EndOfEvents.
        """
        while (current := self._in_flight.get(position)) is not None and current.number > seen:
            for owner in payers:
                current.payers.join(owner)
            await asyncio.wait({current.result})
            if not current.result.cancelled():  # by the member that rendered, when it left
                return current.result.result()
        self._started += 1
        number = self._started
        result: asyncio.Future[Rendering] = asyncio.get_running_loop().create_future()
        mine = self._in_flight[position] = _InFlight(number, result, payers)
        PAYERS.set(payers)
        try:
            reached, batch = await self._read(position)
        except asyncio.CancelledError:
            result.cancel()
            raise
        except Exception as error:
            result.set_exception(error)
            result.exception()  # marks it as retrieved: nobody else may be waiting
            raise
        else:
            rendering = Rendering(reached, batch, number, self._started)
            result.set_result(rendering)
            return rendering
        finally:
            if self._in_flight.get(position) is mine:
                del self._in_flight[position]

    async def _read(self, position: int) -> tuple[int, Batch]:
        """The source's next events, retried while it is unavailable. Raises RequestError, EndOfEvents."""
        backoff = Backoff()
        failures = 0
        while True:
            try:
                found = await self._source.after(position)
            except Unavailable as error:
                metrics.RENDERING_RETRIES.labels("unavailable").inc()
                if backoff.is_first:
                    log.warning("Events cannot be read; will retry", reason=error.message)
            except (RequestError, EndOfEvents):
                raise
            except Exception as error:
                failures += 1
                metrics.RENDERING_RETRIES.labels("error").inc()
                log.warning("Failed to render an event", attempt=failures, exc_info=error)
                if failures == MAX_ATTEMPTS:
                    why = "The next event could not be rendered. Resume from the last one you received in a moment."
                    raise Unavailable(why, RETRY_SECONDS) from error
            else:
                _raise_if_cancelled()
                return found
            _raise_if_cancelled()
            await backoff.pause()


def _raise_if_cancelled() -> None:
    """Go on with a cancellation that something below has taken for an error, or has finished in spite of."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
