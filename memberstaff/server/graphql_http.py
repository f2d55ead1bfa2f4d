"""POST and GET /graphql: one operation in, one answer or one stream out, by the GraphQL-over-HTTP specification.

Our own rather than Strawberry's view: that one tells errors as text/plain whatever the client accepts, reads
bodies whole, and streams a query as soon as the client mentions a stream. Executing is all Strawberry's.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import strawberry
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from memberstaff.access import Right
from memberstaff.engine.request import Malformed, OperationRequest, decode, from_query_string, operation_request
from memberstaff.errors import RequestError, RequestErrorCode
from memberstaff.server.body import IMPORT, Unreadable, read_body
from memberstaff.server.connection import Connection, Host
from memberstaff.server.event_streams import encode, formatted, send_stream
from memberstaff.server.negotiate import GRAPHQL, JSON, SSE, Wanted, is_json, wanted
from memberstaff.server.request_context import connection_of
from memberstaff.server.session_cookie import session_cookie
from memberstaff.server.uvicorn_http import abort, mark_as_stream

log = logging.getLogger("memberstaff.server")

READING = frozenset({OperationType.QUERY})
"""By GET, which must not change anything: another site can make a browser send it."""
SINGLE = frozenset({OperationType.QUERY, OperationType.MUTATION})
STATUS = {
    RequestErrorCode.UNAUTHENTICATED: 401,
    RequestErrorCode.FORBIDDEN: 403,
    RequestErrorCode.RATE_LIMITED: 429,
    RequestErrorCode.INTERNAL: 500,
}
"""Of an operation that never ran, in application/graphql-response+json; otherwise it is 400."""


class Answer(Exception):
    """Stop here and answer so."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class HttpEndpoint:
    """Serves operations over HTTP, each with a context of its own."""

    def __init__(self, schema: strawberry.Schema, host: Host) -> None:
        self.schema = schema
        self.host = host
        self.settings = host.settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        media = JSON
        try:
            headers = Headers(scope=scope)
            accepted = self.check(scope["method"], headers)
            media = accepted.single or JSON
            if scope["method"] == "GET":
                request = read_query_string(scope["query_string"])
            else:
                request = await self.read(headers, connection_of(scope), receive)
        except Answer as answer:
            body = refused_body(str(answer))
            await _response(body, answer.status, media, answer.headers)(scope, receive, send)
            return
        await self.run(request, accepted, connection_of(scope), scope, receive, send)

    def check(self, method: str, headers: Headers) -> Wanted:
        """What the client accepts; raises Answer when the request cannot be one of ours."""
        if method not in {"GET", "POST"}:
            raise Answer(405, "GraphQL is served here by POST, queries by GET too.", {"Allow": "GET, POST"})
        accepted = wanted(headers.getlist("accept"))
        if accepted == Wanted(None, None):
            raise Answer(406, f"Answers are {JSON}, {GRAPHQL}, {SSE} or multipart/mixed with subscriptionSpec=1.0.")
        if method == "GET":
            if accepted.single is None:
                raise Answer(406, f"By GET, answers are {JSON} or {GRAPHQL}.")
            return accepted
        if not is_json(headers.get("content-type")):
            raise Answer(415, "The body must be application/json in UTF-8.")
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise Answer(415, "The body must not be compressed.", {"Accept-Encoding": "identity"})
        return accepted

    async def read(self, headers: Headers, connection: Connection, receive: Receive) -> OperationRequest:
        """The operation in the body; raises Answer."""
        settings = self.settings

        async def may_import() -> bool:
            try:
                return (await self.host.authenticate(connection)).may(Right.MANAGE_STAFF)
            except RequestError:
                return False

        try:
            body = await read_body(
                receive,
                declared=headers.get("content-length"),
                limit=settings.max_body_bytes,
                import_limit=settings.max_import_bytes,
                seconds=settings.body_seconds,
                may_import=may_import,
            )
            request = operation_request(decode(body))
        except Unreadable as error:
            # The rest of the body is still on its way: this connection cannot be used again.
            raise Answer(error.status, str(error), {"Connection": "close"}) from None
        except Malformed as error:
            raise Answer(400, str(error)) from None
        if len(body) > settings.max_body_bytes and IMPORT not in request.query.lower().encode("utf-8"):
            raise Answer(413, f"The body has more than {settings.max_body_bytes:,} bytes.")
        return request

    async def run(
        self,
        request: OperationRequest,
        accepted: Wanted,
        connection: Connection,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        """Run the operation, and close its context however it ended."""
        is_get = scope["method"] == "GET"
        context = self.host.context(connection, None)
        try:
            if accepted.single is not None:
                if (kept := await self.host.answer(context, request)) is not None:
                    await Response(kept, media_type=f"{accepted.single}; charset=utf-8")(scope, receive, send)
                    return
                connection.cookie = session_cookie(scope)
                try:
                    result = await self.schema.execute(
                        request.query,
                        variable_values=request.variables,
                        context_value=context,
                        operation_name=request.operation_name,
                        allowed_operation_types=READING if is_get else SINGLE,
                        operation_extensions=request.extensions,
                    )
                    response = answer(result, accepted.single)
                    if connection.cookie is not None and connection.cookie.header is not None:
                        response.headers["Set-Cookie"] = connection.cookie.header
                except InvalidOperationTypeError:
                    if is_get:
                        body = refused_body("Only a query is asked for by GET: use POST.")
                        await _response(body, 405, accepted.single, {"Allow": "POST"})(scope, receive, send)
                        return
                    if accepted.stream is not None:
                        await self.stream(request, accepted.stream, connection, context, scope, receive, send)
                        return
                    hint = f"A subscription needs a WebSocket, or an Accept header with {SSE}."
                    response = _response(refused_body(hint), 400, accepted.single)
                await response(scope, receive, send)
            else:
                await self.stream(request, accepted.stream or SSE, connection, context, scope, receive, send)
        finally:
            await context.close()

    async def stream(
        self,
        request: OperationRequest,
        form: str,
        connection: Connection,
        context: Any,
        scope: Scope,
        receive: Receive,
        send: Send,
    ) -> None:
        mark_as_stream(scope)
        connection.cookie = None
        results = await self.schema.stream(
            request.query,
            variable_values=request.variables,
            context_value=context,
            operation_name=request.operation_name,
            operation_extensions=request.extensions,
        )
        stop: asyncio.Future[str] = asyncio.get_running_loop().create_future()

        def end(_: int, reason: str) -> None:
            if not stop.done():
                stop.set_result(reason)

        connection.ending = end
        try:
            await send_stream(results, form, receive, send, deadline=self.settings.silence_seconds, stop=stop)
        except TimeoutError:
            log.info("a client stopped reading its stream")
            abort(scope)
        finally:
            connection.ending = None


def read_query_string(text: bytes) -> OperationRequest:
    """The operation in an address; raises Answer."""
    try:
        return operation_request(from_query_string(text))
    except Malformed as error:
        raise Answer(400, str(error)) from None


def answer(result: ExecutionResult, media: str) -> Response:
    """The response for a result: a request that failed is 200 in JSON and 4xx in GRAPHQL, as specified."""
    status = 200
    if media == GRAPHQL and isinstance(result, PreExecutionError):
        code = (result.errors[0].extensions or {}).get("code") if result.errors else None
        status = STATUS.get(code, 400) if code else 400
    return _response(formatted(result), status, media)


def refused_body(message: str, code: RequestErrorCode = RequestErrorCode.BAD_REQUEST) -> dict[str, Any]:
    """An answer for a request that did not get as far as an operation."""
    return {"errors": [{"message": message, "extensions": {"code": code.value}}]}


def _response(body: Any, status: int, media: str, headers: dict[str, str] | None = None) -> Response:
    return Response(encode(body).encode(), status, headers, media_type=f"{media}; charset=utf-8")
