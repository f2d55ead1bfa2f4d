"""The GraphQL-over-HTTP endpoint: an operation by POST or GET, one response or a stream.

It replaces Strawberry's view, which sends errors as text/plain whatever the client accepts, does not limit bodies, and
streams a query whenever the client accepts a stream: see docs/decisions/0004-our-own-http-endpoint.md.
"""

from __future__ import annotations

from collections.abc import Hashable
from itertools import chain
from typing import Any

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from memberstaff import tracing
from memberstaff.access import Right
from memberstaff.engine.request import Malformed, OperationRequest, decode, from_query_string, operation_request
from memberstaff.engine.schema import OperationRefused, Schema
from memberstaff.errors import (
    BadRequest,
    BadRequestReason,
    RequestError,
    RequestErrorCode,
)
from memberstaff.server.body import IMPORT, UnreadableBody, read_body
from memberstaff.server.compression import CODINGS, Compression, Compressor
from memberstaff.server.connection import Connection
from memberstaff.server.connection_limiter import ConnectionLimits
from memberstaff.server.device_cookie import device_cookie
from memberstaff.server.event_streams import error_body, json_bytes, response_body
from memberstaff.server.graphql_streams import StreamEndpoint, come_back, fault, is_event_source
from memberstaff.server.host import Host, close
from memberstaff.server.negotiate import GRAPHQL, JSON, MULTIPART, SSE, Accepted, is_json, negotiate, negotiate_coding
from memberstaff.server.refusals import STATUS, retry_after
from memberstaff.server.request_context import connection_of
from memberstaff.server.session_cookie import session_cookie
from memberstaff.server.strangers import STRANGER_BYTES, Strangers, refresh_tokens_in
from memberstaff.server.uvicorn_http import protocol_of

QUERY_ONLY = frozenset({OperationType.QUERY})
"""Allowed by GET, which other sites can make a browser send, so it must be safe (RFC 9110, section 9.2.1)."""
SINGLE_RESULT = frozenset({OperationType.QUERY, OperationType.MUTATION})

VARY = "Accept-Encoding"
"""Of every answer to a query, whether or not it is large enough to be compressed."""


class HTTPError(Exception):
    """Rejects a request with a status, a message and a reason."""

    def __init__(
        self,
        status: int,
        message: str,
        headers: dict[str, str] | None = None,
        reason: BadRequestReason = BadRequestReason.MALFORMED_REQUEST,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers or {}
        self.error = BadRequest(message, reason)


class HttpEndpoint:
    """Serves operations over HTTP. Each has its own context, which is closed before the response is sent."""

    def __init__(self, schema: Schema, host: Host, limits: ConnectionLimits, strangers: Strangers) -> None:
        self.schema = schema
        self.host = host
        self.settings = host.settings
        self.strangers = strangers
        self.streams = StreamEndpoint(schema, host, limits)
        self.compressor = Compressor()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        connection = connection_of(scope)
        protocol = protocol_of(scope)
        if protocol is not None:
            connection.has_left = protocol.transport.is_closing
        accepted = Accepted(JSON, None)
        try:
            headers = Headers(scope=scope)
            accepted = accepted_by(scope["method"], headers)
            await self.strangers.identify(connection)
            if protocol is not None:
                protocol.is_known = self.strangers.knows(connection)
            check_body(scope["method"], headers)
            if tracing.on:
                connection.span = tracing.spans.Request(
                    scope["method"],
                    scope["path"],
                    scope["scheme"],
                    connection.traceparent,
                    known=connection.stranger is None,
                    request_id=connection.request_id,
                )
            request = await self.request(scope, headers, connection, receive)
        except HTTPError as error:
            media = accepted.single or JSON
            await _response(error_body(error.error), error.status, media, error.headers)(scope, receive, send)
            return
        except RequestError as error:
            is_status = accepted.single != JSON or error.code is RequestErrorCode.RATE_LIMITED
            status = STATUS.get(error.code, 400) if is_status else 200
            await refusal(error_body(error), status, accepted, scope)(scope, receive, send)
            return
        except Exception as error:
            if not is_event_source(accepted, scope):
                raise
            await refusal(error_body(fault(error, connection)), 500, accepted, scope)(scope, receive, send)
            return
        response = await self.single(request, accepted, scope) if accepted.single is not None else None
        if response is not None:
            await response(scope, receive, send)
            return
        try:
            await self.streams(request, accepted, scope, receive, send)
            return
        except OperationRefused as refused:
            result = PreExecutionError(None, refused.errors)
            response = refusal(response_body(result), status_of(result), accepted, scope)
        except RequestError as error:
            response = refusal(error_body(error), STATUS.get(error.code, 400), accepted, scope)
        except InvalidOperationTypeError:
            response = not_by_get(accepted.single or JSON)
        await response(scope, receive, send)

    async def request(
        self, scope: Scope, headers: Headers, connection: Connection, receive: Receive
    ) -> OperationRequest:
        """The operation; a stranger's is counted, also one that cannot be read.

        Raises as `read` does, RateLimited, and PersistedQueryNotSupported.
        """
        try:
            if scope["method"] == "GET":
                request = read_query_string(scope["query_string"])
            else:
                request = await self.read(headers, connection, receive)
        except (HTTPError, RequestError):
            if connection.stranger is not None:
                self.admit_stranger(scope, connection, None)
            raise
        if connection.stranger is not None:
            self.admit_stranger(scope, connection, request)
        return request

    def admit_stranger(self, scope: Scope, connection: Connection, request: OperationRequest | None) -> None:
        """Count a stranger's request. Raises RateLimited."""
        read_cookies(scope)
        cookie = connection.cookie
        from_cookie = [cookie.token] if cookie is not None and cookie.token is not None else []
        given = () if request is None else refresh_tokens_in(request)
        self.strangers.admit(connection, chain(from_cookie, given))

    async def read(self, headers: Headers, connection: Connection, receive: Receive) -> OperationRequest:
        """The operation in the body. Raises HTTPError, and for a stranger's large body the reason why it is one."""
        settings, stranger = self.settings, connection.stranger
        limit = settings.max_body_bytes if stranger is None else min(settings.max_body_bytes, STRANGER_BYTES)

        async def may_import() -> bool:
            try:
                return (await self.host.authenticate(connection)).may(Right.MANAGE_STAFF)
            except RequestError:
                return False

        try:
            body = await read_body(
                receive,
                declared=headers.get("content-length"),
                limit=limit,
                import_limit=settings.max_import_bytes,
                seconds=settings.body_seconds,
                may_import=may_import,
            )
            request = operation_request(decode(body))
        except UnreadableBody as error:
            if stranger is not None and error.bound == STRANGER_BYTES:
                raise stranger from None
            raise HTTPError(error.status, str(error)) from None
        except Malformed as error:
            raise HTTPError(400, str(error), reason=error.reason) from None
        if len(body) > settings.max_body_bytes and IMPORT not in request.query.lower().encode("utf-8"):
            raise HTTPError(413, f"The body is larger than {settings.max_body_bytes:,} bytes.")
        return request

    async def single(self, request: OperationRequest, accepted: Accepted, scope: Scope) -> Response | None:
        """The response to a query or mutation; None for a subscription, if the client accepts a stream."""
        media = accepted.single or JSON
        is_get = scope["method"] == "GET"
        connection = connection_of(scope)
        context = self.host.context(connection, None)
        known = connection.stranger is None
        coding = self.coding(scope) if known else None
        try:
            if known and (cached := await self.host.cached_response(context, request, coding)) is not None:
                headers = {"Vary": VARY} if cached.coding is None else {"Vary": VARY, "Content-Encoding": cached.coding}
                return Response(cached.body, headers=headers, media_type=f"{media}; charset=utf-8")
            read_cookies(scope)
            result = await self.schema.answer(request, context, QUERY_ONLY if is_get else SINGLE_RESULT)
            response = response_for(result, media)
            # A mutation's answer may carry a token, and its sender has chosen some of what stands beside it (BREACH).
            if known and is_query(request):
                await close(context)  # no snapshot is held while it waits
                await compress(response, coding, connection.account_id)
            if connection.cookie is not None and connection.cookie.header is not None:
                response.headers["Set-Cookie"] = connection.cookie.header
            if connection.device is not None and connection.device.header is not None:
                response.headers.append("Set-Cookie", connection.device.header)
            return response
        except InvalidOperationTypeError as error:
            if accepted.stream is not None and error.operation_type is OperationType.SUBSCRIPTION:
                return None
            if is_get:
                return not_by_get(media)
            hint = f"Subscriptions need a WebSocket, or {SSE} in the Accept header."
            return _response(bad_request_body(hint), 400, media)
        finally:
            await close(context)

    def coding(self, scope: Scope) -> Compression | None:
        """The content coding that the client accepts, for a large answer."""
        accepted = Headers(scope=scope).getlist("accept-encoding")
        name = negotiate_coding(accepted, CODINGS) if accepted else None
        return None if name is None else Compression(name, self.compressor)


def accepted_by(method: str, headers: Headers) -> Accepted:
    """What the client accepts; raises HTTPError if that or the method rules the request out."""
    if method not in {"GET", "POST"}:
        raise HTTPError(405, "Use POST, or GET for queries.", {"Allow": "GET, POST"})
    # A multipart answer by GET would be of no use: it cannot be resumed, and the clients that read it send POST.
    accepted = negotiate(headers.getlist("accept"), (SSE, MULTIPART) if method == "POST" else (SSE,))
    if accepted == Accepted(None, None):
        raise HTTPError(406, f"Accept {JSON}, {GRAPHQL}, {SSE} or multipart/mixed with subscriptionSpec=1.0.")
    return accepted


def check_body(method: str, headers: Headers) -> None:
    """Raises HTTPError if the headers say that the body is of another kind."""
    if method == "GET":
        return
    if not is_json(headers.get("content-type")):
        raise HTTPError(415, "The body must be application/json in UTF-8.")
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise HTTPError(415, "The body must not be compressed.", {"Accept-Encoding": "identity"})


def is_query(request: OperationRequest) -> bool:
    """Whether an operation that was answered is a query."""
    prepared = request.prepared
    return prepared is not None and prepared.operation(request.operation_name) is OperationType.QUERY


def read_cookies(scope: Scope) -> None:
    """Set the connection's cookies; a cross-origin request has none."""
    connection = connection_of(scope)
    connection.cookie = session_cookie(scope)
    connection.device = device_cookie(scope) if connection.cookie is not None else None


def read_query_string(text: bytes) -> OperationRequest:
    """The operation in a query string; raises HTTPError."""
    try:
        return operation_request(from_query_string(text))
    except Malformed as error:
        raise HTTPError(400, str(error), reason=error.reason) from None


async def compress(response: Response, coding: Compression | None, owner: Hashable) -> None:
    """Compress the answer to a query, if the client accepts it and it is large."""
    response.headers["Vary"] = VARY
    body = await coding.encode(bytes(response.body), owner) if coding is not None else None
    if coding is not None and body is not None:
        response.body = body
        response.headers["Content-Length"] = str(len(body))
        response.headers["Content-Encoding"] = coding.name


def response_for(result: ExecutionResult, media: str) -> Response:
    """The response for a result. As specified, an operation that did not run is 200 in JSON, 4xx in GRAPHQL."""
    status = status_of(result) if media == GRAPHQL and isinstance(result, PreExecutionError) else 200
    return _response(response_body(result), status, media)


def status_of(result: PreExecutionError) -> int:
    """The status for an operation that did not run."""
    code = (result.errors[0].extensions or {}).get("code") if result.errors else None
    return STATUS.get(code, 400) if code else 400


def refusal(body: dict[str, Any], status: int, accepted: Accepted, scope: Scope) -> Response:
    """The response to a request that is refused, in a form that depends on what the client accepts alone."""
    later = come_back(body, scope) if is_event_source(accepted, scope) else None
    return later or _response(body, status, accepted.single or JSON)


def not_by_get(media: str) -> Response:
    """The response for an operation that needs POST."""
    why = f"Only queries can be sent by GET, and subscriptions with Accept: {SSE}. Use POST."
    return _response(bad_request_body(why), 405, media, {"Allow": "POST"})


def bad_request_body(message: str) -> dict[str, Any]:
    """The response for a request without a valid operation."""
    return error_body(BadRequest(message, BadRequestReason.MALFORMED_REQUEST))


def _response(body: dict[str, Any], status: int, media: str, headers: dict[str, str] | None = None) -> Response:
    later = retry_after(error.get("extensions") or {} for error in body.get("errors", ()))
    return Response(json_bytes(body), status, {**(headers or {}), **later}, media_type=f"{media}; charset=utf-8")
