"""A collector of traces: what OTLP over HTTP sends, decoded."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as Sent
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from tests.installation import settings
from tests.serving import serving
from tests.waiting import until


@dataclass(frozen=True)
class Span:
    """A span that was received."""

    name: str
    kind: str
    trace: str
    id: str
    parent: str
    """The id of its parent; "" without one."""
    links: tuple[str, ...]
    """The ids of the spans that it links."""
    attributes: dict[str, Any]
    events: tuple[str, ...]
    failed: bool
    instance: str
    """Of the process that sent it."""
    resource: dict[str, Any]


class Collector:
    """Keeps all that it is sent."""

    def __init__(self) -> None:
        self.url = ""
        self.spans: list[Span] = []
        self.bodies: list[bytes] = []

    async def receive(self, request: Request) -> Response:
        """A request of OTLP."""
        assert request.headers["content-type"] == "application/x-protobuf"
        body = await request.body()
        self.bodies.append(body)
        for sent in ExportTraceServiceRequest.FromString(body).resource_spans:
            resource = {each.key: _value(each.value) for each in sent.resource.attributes}
            self.spans += [_span(span, resource) for scope in sent.scope_spans for span in scope.spans]
        return Response(media_type="application/x-protobuf")

    async def named(self, *names: str, trace: str | None = None) -> list[Span]:
        """Wait for spans with these names, of a trace or of any; each is another one."""

        def found() -> list[Span] | None:
            chosen: list[Span] = []
            for name in names:
                rest = (
                    each
                    for each in self.spans
                    if each.name == name and each not in chosen and trace in {None, each.trace}
                )
                span = next(rest, None)
                if span is None:
                    return None
                chosen.append(span)
            return chosen

        await until(lambda: found() is not None)
        return found() or []


@asynccontextmanager
async def collecting() -> AsyncIterator[Collector]:
    """A collector that listens on `collector.url`, as OTEL_EXPORTER_OTLP_ENDPOINT has it."""
    collector = Collector()
    app = Starlette(routes=[Route("/v1/traces", collector.receive, methods=["POST"])])
    plain: dict[str, Any] = {"lifespan": "off", "http": "httptools", "ws": "none"}
    async with serving(app, settings("sqlite+aiosqlite:///none.db"), **plain) as address:
        collector.url = address.http
        yield collector


@asynccontextmanager
async def a_collector_that_never_answers() -> AsyncIterator[str]:
    """Its address."""
    over = asyncio.Event()

    async def hold(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await over.wait()
        writer.close()

    server = await asyncio.start_server(hold, "127.0.0.1")
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        over.set()
        server.close()


@asynccontextmanager
async def a_collector_that_is_somewhere_else(url: str) -> AsyncIterator[str]:
    """The address of one that redirects to another."""
    app = Starlette(routes=[Route("/{rest:path}", lambda _: RedirectResponse(url), methods=["POST"])])
    plain: dict[str, Any] = {"lifespan": "off", "http": "httptools", "ws": "none"}
    async with serving(app, settings("sqlite+aiosqlite:///none.db"), **plain) as address:
        yield address.http


def _span(sent: Sent, resource: dict[str, Any]) -> Span:
    return Span(
        name=sent.name,
        kind=Sent.SpanKind.Name(sent.kind).removeprefix("SPAN_KIND_"),
        trace=sent.trace_id.hex(),
        id=sent.span_id.hex(),
        parent=sent.parent_span_id.hex(),
        links=tuple(link.span_id.hex() for link in sent.links),
        attributes={each.key: _value(each.value) for each in sent.attributes},
        events=tuple(event.name for event in sent.events),
        failed=sent.status.code == Status.STATUS_CODE_ERROR,
        instance=resource["service.instance.id"],
        resource=resource,
    )


def _value(value: AnyValue) -> Any:
    return getattr(value, value.WhichOneof("value") or "string_value")
