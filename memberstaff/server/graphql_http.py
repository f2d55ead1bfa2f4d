"""POST and GET /graphql: one operation in, one answer or one stream out, by the GraphQL-over-HTTP specification.

Our own rather than Strawberry's view: that one tells errors as text/plain whatever the client accepts, reads
bodies whole, and streams a query as soon as the client mentions a stream. Executing is all Strawberry's.
"""

from __future__ import annotations

import json
import logging
from contextlib import ExitStack
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from memberstaff.access import Right
from memberstaff.engine.request import Malformed, OperationRequest, decode, from_query_string, operation_request
from memberstaff.engine.schema import OperationRefused, Schema
from memberstaff.engine.shared_subscriptions import subscribe
from memberstaff.errors import RequestError, RequestErrorCode, Unauthenticated
from memberstaff.fanout.retry import until_available
from memberstaff.server.body import IMPORT, UnreadableBody, read_body
from memberstaff.server.connection import Connection
from memberstaff.server.connection_limiter import ConnectionLimits
from memberstaff.server.event_streams import FRAMINGS, EventStream, error_answer, formatted
from memberstaff.server.host import Host, OperationContext
from memberstaff.server.negotiate import GRAPHQL, JSON, SSE, Wanted, is_json, wanted
from memberstaff.server.request_context import connection_of
from memberstaff.server.session_cookie import session_cookie
from memberstaff.server.uvicorn_http import protocol_of
from memberstaff.server.websocket import Disconnected

log = logging.getLogger("memberstaff.server")

READING = frozenset({OperationType.QUERY})
"""By GET, which must not change anything: another site can make a browser send it."""
SINGLE = frozenset({OperationType.QUERY, OperationType.MUTATION})
STATUS = {
    RequestErrorCode.UNAUTHENTICATED: 401,
    RequestErrorCode.FORBIDDEN: 403,
    RequestErrorCode.RATE_LIMITED: 429,
    RequestErrorCode.UNAVAILABLE: 503,
    RequestErrorCode.INTERNAL: 500,
}
"""Of an operation that never ran, in application/graphql-response+json; otherwise it is 400."""

BEFORE_A_STREAM = {RequestErrorCode.RATE_LIMITED, RequestErrorCode.UNAVAILABLE}
"""Refusals that a stream's client is told by a status; others are the stream's only result."""


class HTTPError(Exception):
    """Answer with this status and message, and do nothing else."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}


class HttpEndpoint:
    """Serves operations over HTTP, each with a context of its own, which is closed before the answer is sent."""

    def __init__(self, schema: Schema, host: Host, limits: ConnectionLimits) -> None:
        self.schema = schema
        self.host = host
        self.settings = host.settings
        self.limits = limits

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
        except HTTPError as error:
            body = refused_body(str(error))
            await _response(body, error.status, media, error.headers)(scope, receive, send)
            return
        response = await self.single(request, accepted, scope) if accepted.single is not None else None
        if response is not None:
            await response(scope, receive, send)
        else:
            await self.stream(request, accepted.stream or SSE, scope, receive, send)

    def check(self, method: str, headers: Headers) -> Wanted:
        """What the client accepts; raises HTTPError when the request cannot be one of ours."""
        if method not in {"GET", "POST"}:
            raise HTTPError(405, "GraphQL is served here by POST, queries by GET too.", {"Allow": "GET, POST"})
        accepted = wanted(headers.getlist("accept"))
        if accepted == Wanted(None, None):
            raise HTTPError(406, f"Answers are {JSON}, {GRAPHQL}, {SSE} or multipart/mixed with subscriptionSpec=1.0.")
        if method == "GET":
            if accepted.single is None:
                raise HTTPError(406, f"By GET, answers are {JSON} or {GRAPHQL}.")
            return accepted
        if not is_json(headers.get("content-type")):
            raise HTTPError(415, "The body must be application/json in UTF-8.")
        if headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise HTTPError(415, "The body must not be compressed.", {"Accept-Encoding": "identity"})
        return accepted

    async def read(self, headers: Headers, connection: Connection, receive: Receive) -> OperationRequest:
        """The operation in the body; raises HTTPError."""
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
        except UnreadableBody as error:
            # The rest of the body is still on its way: this connection cannot be used again.
            raise HTTPError(error.status, str(error), {"Connection": "close"}) from None
        except Malformed as error:
            raise HTTPError(400, str(error)) from None
        if len(body) > settings.max_body_bytes and IMPORT not in request.query.lower().encode("utf-8"):
            raise HTTPError(413, f"The body has more than {settings.max_body_bytes:,} bytes.")
        return request

    async def single(self, request: OperationRequest, accepted: Wanted, scope: Scope) -> Response | None:
        """The answer to a query or a mutation; None for a subscription that the client wants as a stream."""
        media = accepted.single or JSON
        is_get = scope["method"] == "GET"
        connection = connection_of(scope)
        context = self.host.context(connection, None)
        try:
            if (cached := await self.host.cached_response(context, request)) is not None:
                return Response(cached, media_type=f"{media}; charset=utf-8")
            connection.cookie = session_cookie(scope)
            result = await execute(self.schema, context, request, READING if is_get else SINGLE)
            response = answer(result, media)
            if connection.cookie is not None and connection.cookie.header is not None:
                response.headers["Set-Cookie"] = connection.cookie.header
            return response
        except InvalidOperationTypeError:
            if is_get:
                body = refused_body("Only a query is asked for by GET: use POST.")
                return _response(body, 405, media, {"Allow": "POST"})
            if accepted.stream is not None:
                return None
            hint = f"A subscription needs a WebSocket, or an Accept header with {SSE}."
            return _response(refused_body(hint), 400, media)
        finally:
            await context.close()

    async def stream(self, request: OperationRequest, form: str, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with a stream: of one result, or of a subscription's events."""
        connection = connection_of(scope)
        connection.cookie = None  # the headers will have been sent before anything could set one
        context = self.host.context(connection, None)
        protocol = protocol_of(scope)
        stream = EventStream(
            FRAMINGS[form],
            protocol,
            receive,
            send,
            deadline=self.settings.silence_seconds,
            reference=connection.request_id,
        )
        with ExitStack() as held:
            held.callback(stream.close)
            if protocol is not None:
                held.enter_context(protocol.streaming())
            try:
                payload = await stream.unless_gone(self.begin(stream, context, request, connection, held))
            except Disconnected:
                return
            except RequestError as error:  # only those that a status tells
                headers = {"Retry-After": str(error.extensions["retryAfter"])}
                response = _response(error_answer(error), STATUS[error.code], JSON, headers)
                await response(scope, receive, send)
                return
            finally:
                await context.close()
            if payload is not None:
                await stream.send_one(payload)
                return
            try:
                await stream.serve()
            except TimeoutError:
                log.info("a client stopped reading its stream")

    async def begin(
        self,
        stream: EventStream,
        context: OperationContext,
        request: OperationRequest,
        connection: Connection,
        held: ExitStack,
    ) -> bytes | None:
        """The only result of an operation; None when a subscription has begun, which lasts as long as `held`.

        Raises the RequestErrors in `BEFORE_A_STREAM`.
        """
        try:
            if (
                await self.schema.check(request.query, request.operation_name, context)
                is not OperationType.SUBSCRIPTION
            ):
                return _json(formatted(await execute(self.schema, context, request, SINGLE)))
            held.enter_context(self.limits.addresses.counted(connection.address, "this address"))
            held.callback(connection.endable(lambda _, reason: stream.end(Unauthenticated(reason))))
            _, account_id = await until_available(context.authorize)
            held.enter_context(self.limits.accounts.counted(account_id, "this account"))
            held.callback(await subscribe(self.schema, context, request, stream.listener))
        except OperationRefused as refused:
            return _json(formatted(PreExecutionError(None, refused.errors)))
        except RequestError as error:
            if error.code in BEFORE_A_STREAM:
                raise
            return _json(error_answer(error))
        return None


async def execute(
    schema: Schema, context: OperationContext, request: OperationRequest, allowed: frozenset[OperationType]
) -> ExecutionResult:
    """Run a query or a mutation; raises InvalidOperationTypeError."""
    return await schema.execute(
        request.query,
        variable_values=request.variables,
        context_value=context,
        operation_name=request.operation_name,
        allowed_operation_types=allowed,
        operation_extensions=request.extensions,
    )


def read_query_string(text: bytes) -> OperationRequest:
    """The operation in an address; raises HTTPError."""
    try:
        return operation_request(from_query_string(text))
    except Malformed as error:
        raise HTTPError(400, str(error)) from None


def answer(result: ExecutionResult, media: str) -> Response:
    """The response for a result: a request that failed is 200 in JSON and 4xx in GRAPHQL, as specified."""
    status = 200
    if media == GRAPHQL and isinstance(result, PreExecutionError):
        code = (result.errors[0].extensions or {}).get("code") if result.errors else None
        status = STATUS.get(code, 400) if code else 400
    return _response(formatted(result), status, media)


def refused_body(message: str) -> dict[str, Any]:
    """An answer for a request that did not get as far as an operation."""
    return error_answer(RequestError(RequestErrorCode.BAD_REQUEST, message))


def _json(body: Any) -> bytes:
    """JSON as it is sent: ASCII only, so that no line break or lone surrogate can be in it."""
    return json.dumps(body, separators=(",", ":")).encode()


def _response(body: Any, status: int, media: str, headers: dict[str, str] | None = None) -> Response:
    return Response(_json(body), status, headers, media_type=f"{media}; charset=utf-8")
