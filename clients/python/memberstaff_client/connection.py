"""Requests of one account, each with a token that is renewed when it has expired."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from memberstaff_client.answers import Endpoint, data_of_event
from memberstaff_client.errors import UNAUTHENTICATED, RequestRefused, SessionEnded
from memberstaff_client.patience import Patience
from memberstaff_client.session import Session
from memberstaff_client.transport import Answer, Body

MOMENT_SECONDS = 2.0
"""For how long closing waits for a server that may be away."""


class Connection:
    """To one server."""

    def __init__(self, endpoint: Endpoint, session: Session) -> None:
        self._endpoint = endpoint
        self._transport = endpoint.transport
        self._session = session

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        return self._session.left or self._transport.closed

    async def execute(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of a query or a mutation. Raises LoginRefused, SessionEnded and RequestRefused."""
        body = {"query": document, "variables": variables}
        try:
            return await self._send(body)
        except RequestRefused as error:
            if error.code != UNAUTHENTICATED or _is_done(error):
                raise
        return await self._send(body)

    async def events(
        self, document: str, variables: Mapping[str, Any], patience: Patience, *, last_event_id: str = ""
    ) -> AsyncGenerator[tuple[str, dict[str, Any]]]:
        """The id and the data of each event of a subscription after that with this id, until its connection ends.

        Raises as `execute` does.
        """
        token = await self._session.token()
        body = {"query": document, "variables": variables}
        try:
            async with aclosing(self._transport.stream(body, token, last_event_id)) as stream:
                async for event in stream:
                    if isinstance(event, Answer):
                        self._endpoint.data_of(event)
                        break
                    patience.asked_to_wait(event.retry)
                    if event.event == "next":
                        data = data_of_event(event.data)
                        self._session.taken()
                        patience.succeeded()
                        yield event.id, data
                    elif event.id:  # where it begins: a resume that is refused has no events
                        self._session.taken()
        except RequestRefused as error:
            self._look_at(error, token)
            raise

    def patience(self) -> Patience:
        """For something that is tried again and again."""
        return Patience(self._transport.sleep)

    async def close(self) -> None:
        """Close what is open to the server, and the session if it is stored nowhere."""
        try:
            if not self.closed:
                await self._transport.briefly(self._session.leave, MOMENT_SECONDS)
        finally:
            await self._transport.close()

    async def logout(self) -> None:
        """End the session. Raises RequestRefused and SessionEnded if it may go on."""
        await self._session.logout()

    async def _send(self, body: Body) -> dict[str, Any]:
        token = await self._session.token()
        try:
            data = await self._endpoint.ask(body, token)
        except RequestRefused as error:
            self._look_at(error, token)
            raise
        self._session.taken()
        return data

    def _look_at(self, error: RequestRefused, token: str) -> None:
        """If the token was refused, the next request has another. Raises SessionEnded if this was the other."""
        if error.code != UNAUTHENTICATED:
            self._session.taken()
        elif self._session.refused(token) and not _is_done(error):
            raise SessionEnded(str(error)) from error


def _is_done(error: RequestRefused) -> bool:
    """Whether there is an answer for another field: what was done for it must not be done again."""
    return any(value is not None for value in error.data.values())
