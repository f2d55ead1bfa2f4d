"""Every metric of memberstaff, named and explained in one place; /metrics shows them, docs/metrics.md lists them.

Labels have the values that stand here and no others: nothing that anybody sends becomes one. Counters of what is
refused, dropped or tried again are always counted, since it is rare. What is observed of each request, statement and
event is so only while `observed` is set, which a process with `MEMBERSTAFF_METRICS` does.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from time import perf_counter
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.metrics import MetricWrapperBase

from memberstaff.errors import ErrorCode, RequestErrorCode

disable_created_metrics()  # type: ignore[no-untyped-call]

REGISTRY = CollectorRegistry(auto_describe=False)
"""Of this process. Workers that share `SHARED_FOLDER` are summed up instead: memberstaff/server/metrics.py."""
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable with the folder in which the workers of a server keep their values; prometheus_client reads it when it
is imported."""
PREFIX = "memberstaff_"

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds, about the aims: 5 ms to 100 ms in ordinary operation, 2 s by polling, 10 s is given up."""

observed = 0
"""How many applications of this process want histograms; one at the most, but for tests."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A metric in docs/metrics.md."""

    name: str
    kind: str
    labels: Mapping[str, Collection[str]]
    """The values of each label; none where they are numbers."""
    help_text: str


ENTRIES: list[Entry] = []


@contextmanager
def observing() -> Iterator[None]:
    """Fill the histograms for as long as the block lasts."""
    global observed
    observed += 1
    try:
        yield
    finally:
        observed -= 1


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Observe how long the block takes, however it ends."""
    if not observed:
        yield
        return
    began = perf_counter()
    try:
        yield
    finally:
        histogram.observe(perf_counter() - began)


def _made(kind: type[Any], name: str, help_text: str, labels: Mapping[str, Collection[str]], **more: Any) -> Any:
    """A metric with each combination of its labels, so that it is 0 rather than missing until something happens."""
    metric: MetricWrapperBase = kind(PREFIX + name, help_text, tuple(labels), registry=REGISTRY, **more)
    if all(labels.values()):
        for values in product(*labels.values()) if labels else ():
            metric.labels(*values)
    full_name = f"{PREFIX}{name}_total" if kind is Counter else PREFIX + name
    ENTRIES.append(Entry(full_name, kind.__name__.lower(), labels, help_text))
    return metric


def _counter(name: str, help_text: str, **labels: Collection[str]) -> Counter:
    metric: Counter = _made(Counter, name, help_text, labels)
    return metric


def _gauge(name: str, help_text: str, mode: str = "livesum") -> Gauge:
    """`mode` is how those of several workers become one; those of ended ones no longer count."""
    metric: Gauge = _made(Gauge, name, help_text, {}, multiprocess_mode=mode)
    return metric


def _histogram(name: str, help_text: str, **labels: Collection[str]) -> Histogram:
    metric: Histogram = _made(Histogram, name, help_text, labels, buckets=BUCKETS)
    return metric


# How long things take

DELIVERY = _histogram(
    "delivery_seconds",
    "From the instant of a mark, which its transaction has taken before it waits for the day's lock, until the first "
    "group of subscribers has been sent it: once for each transaction, day and process, however many people an import "
    "or a bulk mark has changed. It compares the clock of the server that took the mark with that of the one that "
    "sends it, so it is as right as both agree; less than nothing counts as 0.",
)
REDIS_LAG = _histogram(
    "redis_lag_seconds",
    "From publishing a message until the process that published it hears it, by its own monotonic clock.",
)
ADMISSION_WAIT = _histogram(
    "admission_wait_seconds",
    "For a turn: to be let in or to have a board rendered, as after a restart (admission), to render events "
    "(subscription), to run a query beside others of the account (query), to prepare a document (document).",
    queue=("admission", "subscription", "query", "document"),
)
LOCK_WAIT = _histogram(
    "lock_wait_seconds",
    "For the lock of a day, its statement included; on SQLite for the turn to write.",
)
REQUEST_DURATION = _histogram(
    "request_duration_seconds",
    "Of an HTTP request, until its answer begins, or of a socket, until it is accepted. Outcome: answered (status "
    "below 400), refused (4xx), failed (5xx, or none). Errors of GraphQL in a 200 are in memberstaff_errors_total.",
    route=("graphql", "socket", "echo", "health", "metrics", "avatar", "schema", "page"),
    outcome=("answered", "refused", "failed"),
)
STATEMENT_DURATION = _histogram(
    "statement_duration_seconds",
    "Of a statement, until its rows are here, the wait for row locks included; and of a COMMIT or ROLLBACK (end).",
    kind=("read", "write", "end"),
)

# What is refused

ERRORS = _counter(
    "errors",
    "Errors in answers and on sockets, of GraphQL and of Echo, by their code.",
    code=tuple(RequestErrorCode),
)
REFUSALS = _counter(
    "refusals",
    "Entries in the `errors` of mutations, by their code; a conflict is VERSION_CONFLICT.",
    code=tuple(ErrorCode),
)
RATE_LIMITED = _counter(
    "rate_limited",
    "What was refused since there was too much of it, by the limit; of admission: since the queue was too long.",
    limit=(
        "admission",
        "logins",
        "passwords",
        "refreshes",
        "strangers",
        "address_connections",
        "account_connections",
        "operations",
        "messages",
        "subscriptions",
        "event_cost",
    ),
)
LOGINS_REFUSED = _counter(
    "logins_refused",
    "Attempts with a password, or to refresh, that were refused; as in the audit log.",
    action=("login_failed", "password_change_failed", "rate_limited"),
)
REFRESH_TOKENS_REUSED = _counter(
    "refresh_tokens_reused", "Refresh tokens that came again after their successor: their sessions were ended."
)
CONNECTIONS_REFUSED = _counter(
    "connections_refused", "TCP connections closed at once, since there were too many, or no file could be opened."
)
TLS_FAILED = _counter(
    "tls_failed",
    "TLS handshakes that failed, or were not completed in time (timeout); whoever connects and says nothing is among "
    "them.",
    reason=("failed", "timeout"),
)
NOTIFICATIONS_REFUSED = _counter(
    "notifications_refused", "Messages on our channels of Redis that others have written, or with another secret."
)
NOTIFICATIONS_REPEATED = _counter("notifications_repeated", "Messages of ours that were published again.")
NOTIFICATIONS_MISUNDERSTOOD = _counter(
    "notifications_misunderstood", "Messages of ours that this version does not understand; the database was asked."
)

# What is dropped

CONNECTIONS_CUT = _counter(
    "connections_cut",
    "Connections of clients that were cut: they read nothing (not_reading), their request's headers did not come in "
    "time (slow_headers), or too much of theirs waited to be parsed (held).",
    reason=("not_reading", "slow_headers", "held"),
)
SOCKETS_CLOSED = _counter("sockets_closed", "WebSockets that the server has closed, by the code of the close.", code=())
SUBSCRIBERS_BEHIND = _counter(
    "subscribers_behind", "Times that a subscriber did not keep up, and was left to read the log at its own pace."
)
GROUPS_FAILED = _counter("groups_failed", "Groups of subscribers that ended with an internal error.")
NOTIFICATIONS_DROPPED = _counter(
    "notifications_dropped",
    "Notifications that were not published: too many waited (queue_full), or Redis did not take them (unsent). Boards "
    "learn by polling.",
    reason=("queue_full", "unsent"),
)
CHANGES_LOST = _counter(
    "changes_lost",
    "Changes that were acknowledged or shown, and that a failover has lost; in each process that had heard of them.",
)
EPOCHS_BEGUN = _counter(
    "epochs_begun", "Times that every board began again, after a failover or a restored backup; in each process."
)
RELAY_FAILURES = _counter(
    "relay_failures", "Times that laravel-echo-server's changes, or the lease to send them, did not reach Redis."
)
PRESENCE_FAILURES = _counter(
    "presence_failures",
    "Presence that was not told (unsent) or not believed: too old (old), or of too many processes (too_many).",
    reason=("unsent", "old", "too_many"),
)
LOG_LINES_DROPPED = _counter("log_lines_dropped", "Lines of the log that could not be written.")

# What is tried again

SERVICE_RESTARTS = _counter(
    "service_restarts",
    "Times that a background service failed and was started again.",
    service=("notifier", "feed", "all_days", "access_watcher", "retention", "relay", "presence", "lost_changes"),
)
LISTENER_RESTARTS = _counter("listener_restarts", "Times that listening to a channel of Redis began again.")
REDIS_DEAF = _counter(
    "redis_deaf",
    "Times that Redis answered, and changes came that it had not announced: listening began anew, at another node if "
    "there is one. Commands and imports announce nothing either.",
)
READS = _counter(
    "reads",
    "Readings of the log by a background service: of the watched days (feed), of all days (all_days), of changes of "
    "access (access). A quiet process reads every MEMBERSTAFF_POLL_SECONDS.",
    reader=("feed", "all_days", "access"),
    outcome=("done", "failed"),
)
RENDERING_RETRIES = _counter(
    "rendering_retries",
    "Renderings that were tried again, since the database did not answer (unavailable) or they failed (error).",
    reason=("unavailable", "error"),
)
DATABASE_UNAVAILABLE = _counter(
    "database_unavailable", "Statements and transactions that failed since the database did not answer, or was busy."
)
DATABASE_CONNECTIONS_CUT = _counter(
    "database_connections_cut", "Connections to PostgreSQL that were cut, since it did not answer in time."
)
DATABASE_CONNECTIONS_REFUSED = _counter(
    "database_connections_refused",
    "Connections to PostgreSQL that were not used: they led to a standby, or to a history whose end this process has "
    "seen, or that could not be told.",
)
STALLED_TRANSACTIONS_ENDED = _counter(
    "stalled_transactions_ended", "Transactions of stopped processes that were ended, since others waited for them."
)
RESPONSE_CACHE = _counter(
    "response_cache_lookups",
    "Boards asked of the response cache: found there (hit), rendered (miss), or being rendered for another (shared).",
    outcome=("hit", "miss", "shared"),
)

# What is so now

READY = _gauge(
    "ready",
    "1 if requests can be served, as GET /health/ready says; the database is asked, also when nobody else asks it.",
    "livemostrecent",
)
LIVE_HEARING = _gauge(
    "live_hearing", "1 while notifications of other processes are received, as far as the log shows.", "livemin"
)
LIVE_READING = _gauge(
    "live_reading", "1 while the feed can read the database, which it does for as long as a day is watched.", "livemin"
)
TIMELINE_FOLLOWED = _gauge(
    "timeline_followed",
    "1 while a failover of PostgreSQL begins another epoch by itself; also on SQLite, which has none.",
    "livemin",
)
NOTIFICATIONS_UNSENT = _gauge("notifications_unsent", "Notifications that are not published yet.")
DATES_WATCHED = _gauge("dates_watched", "Days with subscriptions.")
SUBSCRIPTIONS = _gauge("subscriptions", "Subscriptions to a day.")
GROUPS = _gauge("groups", "Groups of equal subscriptions, each rendered once.")
CONNECTIONS_OPEN = _gauge("connections_open", "TCP connections, whatever they say.")
CONNECTIONS_MOST = _gauge("connections_most", "TCP connections that may be open, as descriptors allow.")
CONNECTIONS_WATCHED = _gauge("connections_watched", "Sockets and streams whose access is checked.")
DATABASE_CONNECTIONS_USED = _gauge("database_connections_used", "Connections to the database that are in use.")
DATABASE_CONNECTIONS_MOST = _gauge("database_connections_most", "Connections to the database that may be opened.")
RENDERING_CACHE_BYTES = _gauge("rendering_cache_bytes", "Size of the rendering caches.")
RESPONSE_CACHE_BYTES = _gauge("response_cache_bytes", "Size of the response caches.")
DOCUMENT_CACHE_BYTES = _gauge("document_cache_bytes", "Upper bound of the size of the document caches.")
PROCESSES = _gauge("processes", "Server processes whose values these are.")


def is_shared() -> bool:
    """Whether the values of this process are in a folder that it shares with other workers."""
    return SHARED_FOLDER in os.environ


def page() -> str:
    """The text of docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "What `GET /metrics` tells Prometheus, with `MEMBERSTAFF_METRICS=true`. With several workers it is the sum",
        "of all of them (of `memberstaff_live_…`: the least), whichever answers; your queries sum up servers.",
        f"Histograms are in seconds, with the buckets {', '.join(f'{bound:g}' for bound in BUCKETS)}.",
        "What to do when one is not as it should be: [runbook.md](runbook.md). `memberstaff metrics` prints this page.",
        "",
        "| metric | type | labels | meaning |",
        "|---|---|---|---|",
    ]
    for entry in ENTRIES:
        labels = "; ".join(
            f"`{name}`: {', '.join(f'`{value}`' for value in values) or 'a number'}"
            for name, values in entry.labels.items()
        )
        lines.append(f"| `{entry.name}` | {entry.kind} | {labels} | {entry.help_text} |")
    return "\n".join(lines) + "\n"
