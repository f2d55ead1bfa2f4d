"""Serves the schema at /schema.graphql to whoever may introspect it, such as code generators."""

from __future__ import annotations

from hashlib import sha256

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from memberstaff.engine.schema import Schema
from memberstaff.errors import Forbidden, RequestError, RequestErrorCode
from memberstaff.server.connection import Connection
from memberstaff.server.host import Host, close
from memberstaff.server.refusals import STATUS, retry_after
from memberstaff.server.request_context import connection_of
from memberstaff.server.strangers import Strangers
from memberstaff.server.web import or_not_modified

WHO_MAY = "Administrators may read the schema; MEMBERSTAFF_INTROSPECTION=true shows it to everybody."


class SchemaFile:
    """The endpoint. The schema is printed once, when it is first asked for."""

    def __init__(self, schema: Schema, host: Host, strangers: Strangers) -> None:
        self.schema = schema
        self.host = host
        self.strangers = strangers
        self._printed: tuple[str, str] | None = None

    async def respond(self, request: Request) -> Response:
        """The schema, 304 if the client has it, or why it is not shown: 401, 403, 429, 503."""
        try:
            await self.admit(connection_of(request.scope))
        except RequestError as error:
            challenge = {"WWW-Authenticate": "Bearer"} if error.code is RequestErrorCode.UNAUTHENTICATED else {}
            headers = {**challenge, **retry_after([error.extensions])}
            return PlainTextResponse(f"{error.message}\n", STATUS.get(error.code, 400), headers)
        if self._printed is None:
            text = await anyio.to_thread.run_sync(self.schema.as_str)
            self._printed = text, f'"{sha256(text.encode()).hexdigest()[:32]}"'
        text, etag = self._printed
        response = PlainTextResponse(text, headers={"Cache-Control": "private, no-cache", "ETag": etag})
        return or_not_modified(response, request.headers)

    async def admit(self, connection: Connection) -> None:
        """Raise RequestError unless the caller may introspect; a stranger's request is counted."""
        await self.strangers.identify(connection)
        if connection.stranger is not None:
            self.strangers.admit(connection)
        context = self.host.context(connection, None)
        try:
            if not await context.may_introspect():
                raise connection.stranger or Forbidden(WHO_MAY)
        finally:
            await close(context)
