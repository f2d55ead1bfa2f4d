"""The scenarios: which load, on which servers, and what is read from the results."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

LIVE = ("memberstaff", "pusher", "strawberry", "apollo", "mercurius", "echo")
ON_TWO_DAYS = tuple(name for name in LIVE if name != "pusher")
"""Its channel for anybody shows all days."""
ASKED = ("memberstaff", "strawberry", "apollo", "mercurius")


@dataclass(frozen=True)
class Fan:
    """A run of fanload: subscribers, and mutations whose events they must receive."""

    label: str
    subscribers: int
    desks: int = 4
    """Connections that mark people, each again as soon as it is answered; as many events are under way at most."""
    other_share: float = 0.0
    """How many of the subscribers follow another day."""
    rest_seconds: float = 1.0
    hold_seconds: float = 0.0
    """Further rest, in which the CPU time of idle sockets is read."""
    saturate_seconds: float = 0.0
    rate: float = 0.0
    rate_seconds: float = 0.0

    def lasting(self, seconds: float) -> Fan:
        """The same, at full load for that long."""
        return replace(self, saturate_seconds=min(self.saturate_seconds, 1) * seconds)

    @property
    def publishes(self) -> bool:
        """Whether there are mutations at all."""
        return self.saturate_seconds > 0 or self.rate > 0


@dataclass(frozen=True)
class Http:
    """A run of httpload: requests over 16 keep-alive connections."""

    label: str
    body: Literal["board", "board_anew", "mark"]
    write_rate: float = 0.0
    """Mutations a second meanwhile."""
    seconds: float = 4.0
    warm_seconds: float = 1.5
    connections: int = 16

    def lasting(self, seconds: float) -> Http:
        """The same, for that long."""
        return replace(self, seconds=seconds)


@dataclass(frozen=True)
class Metric:
    """A figure in the results of a load generator."""

    title: str
    path: str
    """Names in the JSON, joined by dots."""
    better: Literal["less", "more"] | None = None
    """None: it is shown without a comparison."""
    only: str | None = None
    """The case for which it says something; None: all of them."""
    compared: Literal["judged", "reported"] | None = None
    """What a comparison with a baseline does with it."""


@dataclass(frozen=True)
class Scenario:
    """One table."""

    name: str
    title: str
    cases: tuple[Fan | Http, ...]
    servers: tuple[str, ...]
    metrics: tuple[Metric, ...]
    """The first one is the one to trust."""
    compared_with: tuple[str, ...] | None = None
    """Servers whose best one is 1.00; otherwise every GraphQL server but memberstaff."""
    note: str = ""
    """Stands below the table."""

    @property
    def subscribers(self) -> int:
        """How many there are in its largest case."""
        return max(case.subscribers if isinstance(case, Fan) else 0 for case in self.cases)

    def lasting(self, seconds: float) -> Scenario:
        """The same, with full load for that long."""
        return replace(self, cases=tuple(case.lasting(seconds) for case in self.cases))

    def compared(self, case: str) -> list[Metric]:
        """What a comparison with a baseline reads from the runs of a case: what it judges comes first."""
        metrics = [metric for metric in (*self.metrics, _MEMORY) if metric.compared and metric.only in {None, case}]
        return sorted(metrics, key=lambda metric: metric.compared != "judged")


_SATURATED = (
    Metric("CPU s / 100,000 deliveries", "saturation.cpu_s_per_100k", "less", compared="judged"),
    Metric("deliveries/s", "saturation.deliveries_per_s", "more", compared="reported"),
)
_LOADS = (Metric("server busy", "saturation.server_busy"), Metric("load busy", "saturation.load_busy"))
_CONNECT = Metric("connect s", "connect_s", "less", compared="reported")
_RSS = Metric("KiB / subscriber", "rss_kib_per_subscriber", "less", only="5,000 subscribers", compared="judged")
_FRAME = Metric("bytes / frame", "saturation.frame_bytes")
_REQUESTS = (
    Metric("CPU s / 1,000 requests", "cpu_s_per_1k", "less", compared="judged"),
    Metric("requests/s", "requests_per_s", "more", compared="reported"),
    Metric("p50 ms", "p50_ms", "less", compared="reported"),
    Metric("p99 ms", "p99_ms", "less", compared="reported"),
    Metric("bytes / answer", "answer_bytes"),
    Metric("server busy", "server_busy"),
    Metric("load busy", "load_busy"),
)
_MEMORY = Metric("KiB of memory at the end", "rss_end_kib", "less", compared="judged")

SCENARIOS = {
    scenario.name: scenario
    for scenario in (
        Scenario(
            name="fanout",
            title="Fan-out: four desks mark, and every change reaches all subscribers of its day",
            cases=(
                Fan("100 subscribers", 100, saturate_seconds=4),
                Fan("1,000 subscribers", 1000, saturate_seconds=4),
                Fan("5,000 subscribers", 5000, rest_seconds=3, saturate_seconds=4),
            ),
            servers=LIVE,
            metrics=(*_SATURATED, _CONNECT, _RSS, _FRAME, *_LOADS),
        ),
        Scenario(
            name="rush",
            title="Rush: the same with forty desks (eight with 5,000), whose changes share transactions and writes",
            cases=(
                Fan("100 subscribers", 100, desks=40, saturate_seconds=4),
                Fan("1,000 subscribers", 1000, desks=40, saturate_seconds=4),
                Fan("5,000 subscribers", 5000, desks=8, rest_seconds=3, saturate_seconds=4),
            ),
            servers=LIVE,
            metrics=(*_SATURATED, _FRAME, *_LOADS),
        ),
        Scenario(
            name="halves",
            title="Halves: 1,000 subscribers, of whom half follow another day and must receive nothing",
            cases=(
                Fan("four desks", 1000, other_share=0.5, saturate_seconds=4),
                Fan("forty desks", 1000, desks=40, other_share=0.5, saturate_seconds=4),
            ),
            servers=ON_TWO_DAYS,
            metrics=(*_SATURATED, _FRAME, *_LOADS),
        ),
        Scenario(
            name="forms",
            title="Forms: 1,000 subscribers of memberstaff, by sockets, by event streams, and on two processes",
            cases=(
                Fan("four desks", 1000, saturate_seconds=4),
                Fan("forty desks", 1000, desks=40, saturate_seconds=4),
            ),
            servers=("memberstaff", "event-streams", "two-workers"),
            metrics=(*_SATURATED, _CONNECT, _FRAME, *_LOADS),
            compared_with=("memberstaff",),
            note="Ratios are to one process with sockets.",
        ),
        Scenario(
            name="latency",
            title="Latency: 1,000 subscribers, 10 changes a second for 8 s",
            cases=(Fan("10 changes/s", 1000, rate=10, rate_seconds=8),),
            servers=LIVE,
            metrics=(
                Metric("CPU s / 100,000 deliveries", "rate.cpu_s_per_100k", "less", compared="judged"),
                Metric("each p50 ms", "rate.delivery_p50_ms", "less", compared="reported"),
                Metric("each p99 ms", "rate.delivery_p99_ms", "less", compared="reported"),
                Metric("last p50 ms", "rate.last_p50_ms", "less", compared="reported"),
                Metric("last p99 ms", "rate.last_p99_ms", "less", compared="reported"),
                Metric("server busy", "rate.server_busy"),
                Metric("load busy", "rate.load_busy"),
            ),
        ),
        Scenario(
            name="idle",
            title="Idle: 5,000 subscribers to whom nothing happens",
            cases=(Fan("5,000 subscribers", 5000, rest_seconds=3, hold_seconds=5),),
            servers=LIVE,
            metrics=(
                Metric("connect CPU s", "connect_cpu_s", "less", compared="judged"),
                _CONNECT,
                _RSS,
                Metric("CPU share at rest", "idle_cpu_share", compared="reported"),
            ),
        ),
        Scenario(
            name="board",
            title="Board: a day's 200 people, asked for over 16 connections",
            cases=(
                Http("nothing changes", "board"),
                Http("20 changes/s", "board", write_rate=20),
                Http("rendered anew", "board_anew"),
            ),
            servers=ASKED,
            metrics=_REQUESTS,
            note="Only memberstaff's board has a summary, and only memberstaff checks who asks.",
        ),
        Scenario(
            name="marks",
            title="Marks: updateAttendance of one day, without any subscriber",
            cases=(Http("16 at a time", "mark"), Http("one at a time", "mark", connections=1)),
            servers=("memberstaff", "resolver", "pgbench", "mercurius-pg", "strawberry", "apollo", "mercurius"),
            metrics=(*_REQUESTS, Metric("database CPU s / 1,000", "database_cpu_s_per_1k", "less", compared="judged")),
            compared_with=("mercurius-pg",),
            note=(
                "Ratios are to mercurius-pg; strawberry, apollo and mercurius store nothing, they change an object. "
                "resolver is memberstaff without HTTP, GraphQL and Redis, pgbench the statements of its marks alone."
            ),
        ),
    )
}
