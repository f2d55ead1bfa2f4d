"""Requests of one account, each with a token that is renewed when it has expired."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import Any

from memberstaff_client.answers import data_in, data_of
from memberstaff_client.errors import RequestRefused, SessionEnded
from memberstaff_client.patience import UNAUTHENTICATED, Patience
from memberstaff_client.session import Session
from memberstaff_client.transport import Answer, Body, Transport


class Connection:
    """To one server."""

    def __init__(self, transport: Transport, session: Session) -> None:
        self._transport = transport
        self._session = session

    async def execute(self, document: str, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The data of a query or a mutation. Raises LoginRefused, SessionEnded and RequestRefused."""
        body = {"query": document, "variables": variables}
        try:
            return await self._send(body)
        except RequestRefused as error:
            # What was done for one field must not be done again because another one was refused.
            if error.code != UNAUTHENTICATED or any(value is not None for value in error.data.values()):
                raise
        try:
            return await self._send(body)
        except RequestRefused as error:
            if error.code != UNAUTHENTICATED:
                raise
            raise SessionEnded(str(error)) from error

    async def events(self, document: str, variables: Mapping[str, Any]) -> AsyncGenerator[dict[str, Any]]:
        """The data of each event of a subscription, until its connection ends. Raises as `execute` does."""
        token = await self._session.token()
        body = {"query": document, "variables": variables}
        try:
            async with aclosing(self._transport.stream(body, token)) as stream:
                async for event in stream:
                    if isinstance(event, Answer):
                        data_of(event)
                    elif event.event == "next":
                        yield data_in(json.loads(event.data))
        except RequestRefused as error:
            self._look_at(error, token)
            raise

    def patience(self) -> Patience:
        """For something that is tried again and again."""
        return Patience(self._transport.sleep)

    async def close(self) -> None:
        """Close what is open to the server."""
        await self._transport.close()

    async def _send(self, body: Body) -> dict[str, Any]:
        token = await self._session.token()
        try:
            return data_of(await self._transport.post(body, token))
        except RequestRefused as error:
            self._look_at(error, token)
            raise

    def _look_at(self, error: RequestRefused, token: str) -> None:
        if error.code == UNAUTHENTICATED:
            self._session.refused(token)  # the next request has another
