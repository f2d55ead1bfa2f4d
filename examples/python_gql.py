"""Follow a day from Python, and mark people:   pip install "gql[httpx,websockets]"."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

from gql import Client, GraphQLRequest
from gql.transport.exceptions import TransportError, TransportQueryError
from gql.transport.httpx import HTTPXAsyncTransport
from gql.transport.websockets import WebsocketsTransport

LOGIN = """mutation ($input: LoginInput!) {
  login(input: $input) { accessToken refreshToken errors { message } } }"""
REFRESH = """mutation ($input: RefreshSessionInput!) {
  refreshSession(input: $input) { accessToken refreshToken errors { message } } }"""
BOARD = """query ($date: Date!) { attendanceDay(date: $date) {
  records(first: 1000) { feedCursor edges { node { staffId staffName status } } } } }"""
WATCH = """subscription ($date: Date!, $after: String) {
  attendanceUpdated(date: $date, after: $after) { staffName status note updatedBy feedCursor } }"""
MARK = """mutation ($input: UpdateAttendanceInput!) { updateAttendance(input: $input) {
  attendance { staffName status } errors { code message } } }"""

PASSING = {None, "INTERNAL", "RATE_LIMITED", "UNAUTHENTICATED"}
"""Codes after which it is worth trying again."""


# region page
class Attendance:
    """The server as one account sees it; `address` is such as https://attendance.school.example."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.tokens: dict[str, str] = {}

    async def login(self, email: str, password: str) -> None:
        """Begin a session. Raises PermissionError."""
        self._keep((await self.execute(LOGIN, input={"email": email, "password": password}))["login"])

    async def execute(self, document: str, **variables: Any) -> dict[str, Any]:
        """The answer to a query or a mutation, over HTTP. Raises TransportError."""
        request = GraphQLRequest(document, variable_values=variables)
        try:
            return await self._send(request)
        except TransportQueryError as error:
            if code_of(error) != "UNAUTHENTICATED" or not self.tokens:
                raise
        await self.refresh()
        return await self._send(request)

    async def watch(self, date: str, after: str) -> AsyncGenerator[dict[str, Any], None]:
        """Every change of a day after the cursor, once and in order, also when the connection breaks meanwhile.

        Raises TransportQueryError with the code RESTART_REQUIRED when the day has to be read again.
        """
        wait = 0.0
        while True:
            try:
                if wait:  # the token has expired, or the server was away
                    await asyncio.sleep(wait)
                    await self.refresh()
                url = f"{self.address.replace('http', 'ws', 1)}/graphql"
                transport = WebsocketsTransport(url=url, init_payload=self._authorization())
                async with Client(transport=transport) as session:
                    request = GraphQLRequest(WATCH, variable_values={"date": date, "after": after})
                    async for data in session.subscribe(request):
                        change = data["attendanceUpdated"]
                        after, wait = change["feedCursor"], 0.0
                        yield change
            except TransportError as error:
                if code_of(error) not in PASSING:
                    raise
                wait = min(2 * wait or 0.25, 5)

    async def refresh(self) -> None:
        """Renew the session. Raises PermissionError when it is over."""
        refresh_token, self.tokens = self.tokens["refreshToken"], {**self.tokens, "accessToken": ""}
        request = GraphQLRequest(REFRESH, variable_values={"input": {"refreshToken": refresh_token}})
        self._keep((await self._send(request))["refreshSession"])

    async def _send(self, request: GraphQLRequest) -> dict[str, Any]:
        transport = HTTPXAsyncTransport(url=f"{self.address}/graphql", headers=self._authorization())
        async with Client(transport=transport) as session:
            answer: dict[str, Any] = await session.execute(request)
            return answer

    def _keep(self, answer: dict[str, Any]) -> None:
        if answer["errors"]:
            raise PermissionError(answer["errors"][0]["message"])
        self.tokens = answer

    def _authorization(self) -> dict[str, str]:
        token = self.tokens.get("accessToken")
        return {"authorization": f"Bearer {token}"} if token else {}


def code_of(error: TransportError) -> str | None:
    """The `extensions.code` of the server's error; None when the connection failed."""
    errors = error.errors if isinstance(error, TransportQueryError) else None
    return errors[0]["extensions"]["code"] if errors else None


# endregion
