"""What a collector of OpenTelemetry is sent, and what is left out of it."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from memberstaff import tracing
from memberstaff.access import Role
from tests.clock import TODAY, TurnedClock
from tests.front_ends import MARK, WATCH
from tests.infrastructure.collector import (
    Collector,
    Span,
    a_collector_that_is_somewhere_else,
    a_collector_that_never_answers,
    collecting,
)
from tests.installation import Installation, install
from tests.pusher import KEY, echo
from tests.waiting import until

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-00"
ROUTE = "POST /graphql"
STATE = "subscription State($date: Date!) { attendanceDayUpdated(date: $date) { summary { late } } }"
MESSAGE = {"messaging.system": "memory", "messaging.destination.name": "memberstaff"}


@pytest.fixture
async def collector(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Collector]:
    async with collecting() as made:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", made.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield made


@asynccontextmanager
async def installed(furnished_url: str, **changes: Any) -> AsyncIterator[Installation]:
    async with install(furnished_url, clock=TurnedClock(), tracing=True, **changes) as made:
        await until(lambda: made.application.notifier.subscribed)
        yield made


async def ask(
    office: Installation, traceparent: str, document: str = "{ viewer { role } }", *, known: bool = True
) -> None:
    token = next(iter(office.tokens.values())) if known else "nonsense"
    headers = {b"Authorization": f"Bearer {token}".encode(), b"Traceparent": traceparent.encode("latin-1")}
    assert (await office.http.post("/graphql", json={"query": document}, headers=headers)).status_code == 200


def shown(span: Span) -> tuple[str, dict[str, Any]]:
    return span.kind, {name: value for name, value in span.attributes.items() if name != "memberstaff.request_id"}


async def test_a_mark_is_one_trace_from_its_request_to_the_boards(furnished_url: str, collector: Collector) -> None:
    async with installed(furnished_url) as office:
        async with office.watching(TODAY) as board:
            await board.subscribe("2", STATE, date=TODAY)
            assert (await board.event("2"))["attendanceDayUpdated"]["summary"] == {"late": 0}
            for status, staff in (("LATE", "Amina"), ("PRESENT", "Björn")):
                collector.spans.clear()
                await office.marker.mark(office.staff[staff], TODAY, status=status, note="Back pain")
                await board.receive()
                await board.receive()
                [request] = await collector.named(ROUTE)
                names = ["mutation", "write transaction", "publish memberstaff", "process memberstaff"]
                path = await collector.named(*names, *(["render"] * 2), *(["send"] * 2), trace=request.trace)
                operation, transaction, publish, process, *ends = path
                renders, sends = ends[:2], ends[2:]
                assert [request.parent, operation.parent] == ["", request.id]
                assert [transaction.parent, publish.parent, process.parent] == [operation.id, operation.id, publish.id]
                assert {render.parent for render in renders} == {process.id}
                assert {send.parent for send in sends} == {render.id for render in renders}
    http = {"http.request.method": "POST", "http.route": "/graphql", "url.path": "/graphql", "url.scheme": "http"}
    assert shown(request) == ("SERVER", {**http, "http.response.status_code": 200})
    assert shown(operation) == ("INTERNAL", {"graphql.operation.type": "mutation", "graphql.operation.name": "Mark"})
    system = "sqlite" if "sqlite" in furnished_url else "postgresql"
    assert shown(transaction) == ("CLIENT", {"db.system.name": system})
    assert transaction.events == ("locked",)
    name, kind = "messaging.operation.name", "messaging.operation.type"
    assert shown(publish) == ("PRODUCER", {**MESSAGE, name: "publish", kind: "send"})
    assert shown(process) == ("CONSUMER", {**MESSAGE, name: "process", kind: "process"})
    assert shown(sends[0]) == ("INTERNAL", {"memberstaff.subscribers": 1})
    assert not any(span.failed for span in collector.spans)


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_whoever_has_a_login_may_continue_a_trace_and_a_stranger_is_linked(
    furnished_url: str, collector: Collector
) -> None:
    async with installed(furnished_url) as office:
        await ask(office, SAMPLED)
        [request] = await collector.named(ROUTE)
        assert (request.trace, request.parent, request.links) == (TRACE, PARENT, ())
        collector.spans.clear()
        await ask(office, UNSAMPLED)  # which is nobody's business but theirs
        await ask(office, SAMPLED, "{ organisation { name } }", known=False)
        [request] = await collector.named(ROUTE)
        assert request.trace != TRACE
        assert (request.parent, request.links) == ("", (PARENT,))


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_stranger_cannot_have_a_request_traced(
    furnished_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "parentbased_traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0")
    async with installed(furnished_url) as office:
        await ask(office, SAMPLED, "{ organisation { name } }", known=False)
        await office.nobody.send("mutation { logout { success } }")
        await ask(office, SAMPLED)
        await collector.named(ROUTE)
    assert {span.trace for span in collector.spans} == {TRACE}
    assert len([span for span in collector.spans if span.name == ROUTE]) == 1


@pytest.mark.parametrize("engine", ["sqlite"])
@pytest.mark.parametrize(
    "traceparent",
    ["", "nonsense", f"00-{'0' * 32}-{PARENT}-01", f"ff-{TRACE}-{PARENT}-01", SAMPLED + "-" + "x" * 2_000, "\x80é"],
)
async def test_a_traceparent_that_means_nothing_begins_a_trace(
    furnished_url: str, collector: Collector, traceparent: str
) -> None:
    async with installed(furnished_url) as office:
        await ask(office, traceparent)
        async with office.socket(payload={"traceparent": traceparent}) as socket:
            await socket.subscribe("1", "{ viewer { role } }")
            assert (await socket.event())["viewer"] == {"role": "VIEWER"}
        request, query, asked = await collector.named(ROUTE, "query", "query")
    assert request.parent == ""
    assert {query.parent, asked.parent} == {request.id, ""}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_socket_continues_the_trace_of_its_connection_init(furnished_url: str, collector: Collector) -> None:
    async with installed(furnished_url) as office, office.socket(payload={"traceparent": SAMPLED}) as socket:
        await socket.subscribe("1", "query Who { viewer { role } }")
        await socket.event()
        await socket.receive()
        async with office.one_more_follower(TODAY):
            await socket.subscribe("2", WATCH, date=TODAY)
        query, subscription = await collector.named("query", "subscription")
    assert shown(query) == ("SERVER", {"graphql.operation.type": "query", "graphql.operation.name": "Who"})
    assert shown(subscription) == (
        "SERVER",
        {"graphql.operation.type": "subscription", "graphql.operation.name": "Watch"},
    )
    assert {(span.trace, span.parent) for span in (query, subscription)} == {(TRACE, PARENT)}


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_boards_of_laravel_echo_are_in_the_trace_of_the_mark(furnished_url: str, collector: Collector) -> None:
    async with installed(furnished_url, echo_key=KEY) as office, echo(office) as client:
        await client.joined("private-attendance", Role.MARKER)
        await office.marker.mark(office.staff["Amina"], TODAY, status="LATE")
        await client.change()
        [operation] = await collector.named("mutation")
        process, render, send = await collector.named("process memberstaff", "render", "send", trace=operation.trace)
    assert [render.parent, send.parent] == [process.id, render.id]


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_who_comes_later_is_in_no_trace_of_before(furnished_url: str, collector: Collector) -> None:
    async with installed(furnished_url) as office, office.watching(TODAY) as board:
        await office.marker.mark(office.staff["Amina"], TODAY, status="LATE")
        await board.change()
        await collector.named("send")
        async with office.watching(TODAY, Role.MARKER) as other:
            await other.subscribe("2", STATE, date=TODAY)
            assert (await other.event("2"))["attendanceDayUpdated"] == {"summary": {"late": 1}}
    assert len([span for span in collector.spans if span.name in {"render", "send"}]) == 2


async def test_marks_that_share_a_transaction_are_linked_by_it(furnished_url: str, collector: Collector) -> None:
    async with installed(furnished_url) as office:
        await asyncio.gather(*(office.marker.mark(staff, TODAY, status="LATE") for staff in office.staff.values()))
        operations = await collector.named(*["mutation"] * 4)
    await until(lambda: _shared(collector) == sorted(each.id for each in operations))


def _shared(collector: Collector) -> list[str]:
    transactions = [span for span in collector.spans if span.name == "write transaction"]
    return sorted(each for span in transactions for each in (span.parent, *span.links))


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_only_what_is_our_fault_has_failed(furnished_url: str, collector: Collector) -> None:
    async with installed(furnished_url) as office:
        target = {"staffDate": {"staffId": office.staff["Amina"], "date": TODAY}}
        await office.viewer.fail(MARK, input={"target": target, "status": "LATE"})
        await office.marker.ask(MARK, input={"target": target, "status": "LATE", "expectedVersion": 7})
        await office.viewer.fail("subscription { attendanceUpdated { status } }")
        forbidden, conflict = await collector.named("mutation", "mutation")
    assert [forbidden.attributes.get("error.type"), conflict.attributes.get("error.type")] == ["FORBIDDEN", None]
    assert [span.name for span in collector.spans if span.failed] == []


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_an_error_of_ours_has_failed_without_its_message(
    furnished_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise ValueError("Amina has a bad back")

    async with installed(furnished_url) as office:
        monkeypatch.setattr(office.application.group_commit, "_commit", broken)
        target = {"staffDate": {"staffId": office.staff["Amina"], "date": TODAY}}
        assert (await office.marker.fail(MARK, input={"target": target, "status": "LATE"}))[0] == "INTERNAL"
        [operation] = await collector.named("mutation")
    assert (operation.failed, operation.attributes["error.type"]) == (True, "INTERNAL")
    assert not any(b"bad back" in body for body in collector.bodies)


async def test_nothing_that_anybody_wrote_is_in_a_trace(furnished_url: str, collector: Collector) -> None:
    async with installed(furnished_url) as office, office.watching(TODAY) as board:
        await office.marker.mark(office.staff["Amina"], TODAY, status="LATE", note="Back pain")
        await board.change()
        document = 'query Look { attendanceDay { records(search: "Amina") { totalCount } } }'
        token = office.viewer.token or ""
        headers = {"Authorization": f"Bearer {token}", "User-Agent": "Somebody's browser", "Baggage": "name=Amina"}
        await office.http.get("/graphql", params={"query": document}, headers=headers)
        await collector.named(ROUTE, "GET /graphql", "send")
    sent = b"".join(collector.bodies)
    assert b"Look" in sent
    words = ("Amina", "Back", "LATE", "totalCount", "attendance", "browser", "127.0.0.1")
    for secret in (*words, office.staff["Amina"], token):
        assert secret.encode() not in sent, secret


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_collector_that_never_answers_keeps_nobody_waiting(
    furnished_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracing, "FLUSH_SECONDS", 0.05)
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    async with a_collector_that_never_answers() as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        async with installed(furnished_url) as office, office.watching(TODAY) as board:
            for status in ("LATE", "PRESENT"):
                await office.marker.mark(office.staff["Amina"], TODAY, status=status)
                assert (await board.change())["status"] == status
    assert tracing.on == 0
    await until(lambda: not any(each.name.startswith("OtelBatch") for each in threading.enumerate()))


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_a_collector_that_is_somewhere_else_is_told_of(
    database_url: str, collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    async with a_collector_that_is_somewhere_else(f"{collector.url}/v1/traces?key=secret") as url:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", url)
        async with installed(database_url) as office:
            await office.marker.mark(office.staff["Amina"], TODAY, status="LATE")
            told = f"reason: The collector is somewhere else, at {collector.url}/v1/traces: name that address."
            await until(lambda: any(told in record.getMessage() for record in caplog.records))
    assert collector.spans == []


async def test_without_traces_nothing_of_them_is_called(installation: Installation) -> None:
    folders = (str(Path(tracing.__file__).parent), "opentelemetry")
    called: list[str] = []

    def note(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call" and any(folder in frame.f_code.co_filename for folder in folders):
            called.append(frame.f_code.co_qualname)

    await until(lambda: installation.application.notifier.subscribed)
    sys.setprofile(note)
    try:
        async with installation.watching(TODAY) as board:
            await installation.marker.mark(installation.staff["Amina"], TODAY, status="LATE")
            await board.change()
            await ask(installation, SAMPLED)
    finally:
        sys.setprofile(None)
    assert called == []


def test_without_traces_nothing_of_them_is_imported() -> None:
    """FastAPI imports the interface of OpenTelemetry, and redis-py the metrics of an SDK that is there."""
    look = "import sys, schema.asgi; print(*sys.modules)"
    found = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, check=True).stdout.split()
    assert "memberstaff.tracing" in found
    parts = ("memberstaff.tracing.", "opentelemetry.sdk.trace", "opentelemetry.exporter")
    assert [name for name in found if name.startswith(parts)] == []
