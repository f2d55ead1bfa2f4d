"""Every span of memberstaff, by the semantic conventions of OpenTelemetry.

Attributes hold no document, variable, name, address or message of an error: whoever reads traces may read less than
whoever reads boards. A span of our own begins only in a request or a message that is traced, and while that lasts, so
tasks that outlive the request in which they began add nothing to it.
"""

from __future__ import annotations

import contextvars
from asyncio import CancelledError
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from opentelemetry.context import Context, attach, create_key, detach, get_value, set_value
from opentelemetry.trace import (
    Link,
    Span,
    SpanKind,
    StatusCode,
    Tracer,
    TracerProvider,
    get_current_span,
    set_span_in_context,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from memberstaff.errors import Refusal, Refusals, RequestError, RequestErrorCode, RolledBack

LONGEST_TRACEPARENT = 512
"""Characters; the W3C's own has 55."""
LONGEST_NAME = 100
"""Characters of an operation's name, which its client has chosen."""
MOST_TRACES = 64
"""Changes of a day whose traces are known until they are delivered."""
MOST_LINKS = 16
"""Of a span."""

OURS = frozenset({RequestErrorCode.INTERNAL.value, RequestErrorCode.UNAVAILABLE.value})
"""Errors with which a span has failed; others are the client's."""
EXPECTED = (RequestError, Refusal, Refusals, RolledBack, CancelledError)
"""Exceptions with which nothing has failed."""

_W3C = TraceContextTextMapPropagator()
_LINKS = create_key("memberstaff.links")
_tracer: Tracer


class GraphQLError(Protocol):
    """An error of an answer."""

    @property
    def extensions(self) -> Mapping[str, Any] | None:
        """With its `code`."""


def begin(provider: TracerProvider) -> None:
    """Make the spans with this provider."""
    global _tracer
    _tracer = provider.get_tracer("memberstaff")


class Request:
    """The span of an HTTP request, current until `left`. It ends when its answer begins, as its metric does.

    A `traceparent` is taken for the parent, and decides whether the request is traced, from those who have a login.
    A stranger's becomes a link: others are not to decide what this server records.
    """

    def __init__(
        self, method: str, route: str, scheme: str, traceparent: str | None, *, known: bool, request_id: str
    ) -> None:
        remote = _remote(traceparent)
        attributes = {
            "http.request.method": method,
            "http.route": route,
            "url.path": route,
            "url.scheme": scheme,
            "memberstaff.request_id": request_id,
        }
        self.span = _tracer.start_span(
            f"{method} {route}",
            remote if known else Context(),
            SpanKind.SERVER,
            attributes,
            () if known else _links([remote]),
        )
        self._token = attach(set_span_in_context(self.span, Context()))

    def answered(self, status: int) -> None:
        """The answer begins, with this status."""
        if self.span.is_recording():
            self.span.set_attribute("http.response.status_code", status)
            end(self.span, str(status) if status >= 500 else None)

    def left(self) -> None:
        """Whatever became of it, it is over: perhaps its client has left."""
        if self.span.is_recording():
            end(self.span, "disconnected")
        detach(self._token)


def continuing(traceparent: str | None) -> contextvars.Context:
    """The context of a task that continues this trace: of a socket, whose operations belong to no request."""
    context = contextvars.copy_context()
    context.run(attach, _remote(traceparent))
    return context


@contextmanager
def operation(kind: str, name: str | None) -> Iterator[Span]:
    """The span of an operation: a query, a mutation, or a subscription until its events can begin."""
    attributes = {"graphql.operation.type": kind}
    if name:
        attributes["graphql.operation.name"] = name[:LONGEST_NAME]
    role = SpanKind.INTERNAL if get_current_span().is_recording() else SpanKind.SERVER
    with _current(kind, role, attributes) as span:
        yield span


def answered(span: Span, errors: Sequence[GraphQLError]) -> None:
    """An operation was answered with these errors."""
    codes = [str((error.extensions or {}).get("code")) for error in errors]
    if codes:
        ours = [code for code in codes if code in OURS]
        span.set_attribute("error.type", (ours or codes)[0])
        if ours:
            span.set_status(StatusCode.ERROR)


@contextmanager
def transaction(system: str, kind: str) -> Iterator[Span | None]:
    """The span of a database's transaction, which is not current: it may end in another task than it began in."""
    if not get_current_span().is_recording():
        yield None
        return
    links: Sequence[Link] = get_value(_LINKS) or ()  # type: ignore[assignment]
    span = _tracer.start_span(f"{kind} transaction", None, SpanKind.CLIENT, {"db.system.name": system}, links)
    with _ending(span):
        yield span


def here() -> Context | None:
    """Where a span begins that another task makes on behalf of this one; None if this is not traced."""
    span = get_current_span()
    return set_span_in_context(span, Context()) if span.is_recording() else None


@contextmanager
def batch(contexts: Iterable[Context | None]) -> Iterator[None]:
    """What is done in the block is done for all of these: the first is its parent, and transactions link the others."""
    first, *others = [context for context in contexts if context is not None] or [Context()]
    token = attach(set_value(_LINKS, _links(others), first))
    try:
        yield
    finally:
        detach(token)


def link(span: Span, contexts: Iterable[Context | None]) -> None:
    """Link those that have joined meanwhile."""
    for each in _links([context for context in contexts if context is not None]):
        span.add_link(each.context)


def publishing(system: str, channel: str) -> tuple[Span, str] | None:
    """The span of a message, from now until it is handed over, and its traceparent; None if this is not traced."""
    if not get_current_span().is_recording():
        return None
    span = _tracer.start_span(
        f"publish {channel}", None, SpanKind.PRODUCER, _message(system, channel, "publish", "send")
    )
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, set_span_in_context(span))
    return span, carrier["traceparent"]


@contextmanager
def hearing(system: str, channel: str, traceparent: str) -> Iterator[None]:
    """The span of what a process does at a message."""
    attributes = _message(system, channel, "process", "process")
    with _current(f"process {channel}", SpanKind.CONSUMER, attributes, _remote(traceparent)):
        yield


class Traces:
    """In which traces the newest changes were made."""

    __slots__ = ("_newest", "heard")

    def __init__(self) -> None:
        self._newest: deque[tuple[int, Context]] = deque(maxlen=MOST_TRACES)
        self.heard = 0
        """How many there have been."""

    def hear(self, position: int) -> None:
        """The changes up to this position came with the message that is being heard."""
        if (context := here()) is not None:
            self._newest.append((position, context))
            self.heard += 1

    def after(self, position: int) -> list[Context]:
        """Those of the changes after a position."""
        return [context for reached, context in self._newest if reached > position]

    def since(self, heard: int) -> list[Context]:
        """Those that came when so many had been heard."""
        return [context for _, context in [*self._newest][-(self.heard - heard) :]] if self.heard > heard else []


@contextmanager
def rendering(contexts: Sequence[Context]) -> Iterator[Context]:
    """The span of reading and rendering the changes of these traces for a group; gives the parent of their sending."""
    with _current("render", SpanKind.INTERNAL, {}, contexts[0], _links(contexts[1:])) as span:
        yield set_span_in_context(span, Context())


@contextmanager
def sending(context: Context, subscribers: int) -> Iterator[None]:
    """The span of writing what was rendered to each live member of a group."""
    with _current("send", SpanKind.INTERNAL, {"memberstaff.subscribers": subscribers}, context):
        yield


def end(span: Span, error_type: str | None = None) -> None:
    """End a span; with an error, it has failed."""
    if error_type is not None:
        span.set_attribute("error.type", error_type)
        span.set_status(StatusCode.ERROR)
    span.end()


def _remote(traceparent: str | None) -> Context:
    """Where a trace of somebody else's continues; nowhere if what they sent means nothing."""
    if traceparent is None or len(traceparent) > LONGEST_TRACEPARENT:
        return Context()
    return _W3C.extract({"traceparent": traceparent}, Context())


def _links(contexts: Sequence[Context]) -> list[Link]:
    found = (get_current_span(context).get_span_context() for context in contexts[:MOST_LINKS])
    return [Link(each) for each in found if each.is_valid]


def _message(system: str, channel: str, name: str, kind: str) -> Mapping[str, str]:
    return {
        "messaging.system": system,
        "messaging.destination.name": channel,
        "messaging.operation.name": name,
        "messaging.operation.type": kind,
    }


@contextmanager
def _current(
    name: str,
    kind: SpanKind,
    attributes: Mapping[str, Any],
    context: Context | None = None,
    links: Sequence[Link] = (),
) -> Iterator[Span]:
    """A span that is current in the block, and ends with it."""
    span = _tracer.start_span(name, context, kind, attributes, links)
    token = attach(set_span_in_context(span, context))
    try:
        with _ending(span):
            yield span
    finally:
        detach(token)


@contextmanager
def _ending(span: Span) -> Iterator[None]:
    """End the span with the block; of an exception only the type is recorded, or the code."""
    try:
        yield
    except BaseException as error:
        code = str(error.code) if isinstance(error, RequestError | Refusal) else type(error).__name__
        span.set_attribute("error.type", code)
        if code in OURS or not isinstance(error, EXPECTED):
            span.set_status(StatusCode.ERROR)
        raise
    finally:
        span.end()
