"""Traces by OpenTelemetry, for processes with `MEMBERSTAFF_TRACING`: docs/tracing.md says which spans there are.

Whoever would make a span asks `on` first. Without it nothing of OpenTelemetry is imported or called here.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext, suppress
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from uuid import uuid4

from memberstaff import installed

if TYPE_CHECKING:
    from memberstaff.tracing import spans as spans  # imported by `sending`

EXTRA = "tracing"
FLUSH_SECONDS = 3.0
"""For which a process that stops waits until its last spans are sent."""

on = 0
"""How many applications of this process send traces; one at the most, but for tests."""
OFF = nullcontext(None)
"""In place of a span."""

_provider: Any = None


def problem() -> str | None:
    """Why this process could not send traces: a sentence or two; None if it could."""
    lacking = installed.too_old(extra=EXTRA)
    if lacking:
        return f"{' '.join(lacking)} Traces need memberstaff[{EXTRA}]: pip install 'memberstaff[{EXTRA}]'."
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        if os.environ.get(name, "http/protobuf") != "http/protobuf":
            return f"{name} must be http/protobuf, by which alone traces are sent; or leave it out."
    return None


def endpoint() -> str:
    """Where traces are sent, without a password that it may contain."""
    given = os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    base = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318").removesuffix("/")
    parts = urlsplit(given or f"{base}/v1/traces")
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()


@asynccontextmanager
async def sending() -> AsyncIterator[None]:
    """Make spans, and send them, for as long as the block lasts; where to, and how many, is in the OTEL_… variables."""
    global on, _provider
    if not on:
        _provider = await asyncio.to_thread(_begin)
    on += 1
    try:
        yield
    finally:
        on -= 1
        if not on:
            await _end(_provider)


def _begin() -> Any:
    """A provider of our own rather than the global one, with which libraries would begin to trace as well."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    from memberstaff.tracing import spans

    named = {
        "service.name": installed.DISTRIBUTION,
        "service.version": installed.version_of() or "unknown",
        "service.instance.id": str(uuid4()),
    }
    resource = Resource.create(named).merge(OTELResourceDetector().detect())  # what the variables say wins
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(session=_session())))
    spans.begin(provider)
    return provider


def _session() -> Any:
    """What sends the requests of the exporter, which takes a redirection for success; None for its own."""
    if any(name.endswith("CREDENTIAL_PROVIDER") for name in os.environ):
        return None  # it is one that a plug-in makes
    import requests

    def refuse_redirection(response: requests.Response, *_: Any, **__: Any) -> None:
        if response.is_redirect:
            parts = urlsplit(response.headers["location"])
            to = parts._replace(netloc=parts.netloc.rpartition("@")[2], query="").geturl()
            response.close()
            raise requests.TooManyRedirects(f"The collector is somewhere else, at {to}: name that address.")

    session = requests.Session()
    session.hooks["response"] = [refuse_redirection]
    return session


async def _end(provider: Any) -> None:
    """Send what is left, but do not wait for a collector that does not answer."""
    loop, sent = asyncio.get_running_loop(), asyncio.Event()

    def shut_down() -> None:
        provider.shutdown()
        with suppress(RuntimeError):  # nobody waits any longer, and the loop is closed
            loop.call_soon_threadsafe(sent.set)

    Thread(target=shut_down, daemon=True).start()
    with suppress(TimeoutError):
        async with asyncio.timeout(FLUSH_SECONDS):
            await sent.wait()
