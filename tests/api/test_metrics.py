"""What Prometheus is told, and only when that is wanted."""

from __future__ import annotations

from typing import Any

from tests.clock import TurnedClock
from tests.databases import Engine
from tests.front_ends import WATCH
from tests.installation import install


async def test_metrics_are_off_unless_they_are_set(database_url: str, clock: TurnedClock) -> None:
    async with install(database_url, clock=clock) as office:
        assert (await office.http.get("/metrics")).status_code == 404


async def test_metrics_tell_how_the_live_path_does(database_url: str, engine: Engine, clock: TurnedClock) -> None:
    own_schema: dict[str, Any] = {
        "max_tokens": 999
    }  # with limits that no other test has, and therefore no document of theirs
    async with install(database_url, clock=clock, metrics=True, **own_schema) as office:
        async with office.watching("2026-01-12"):
            text = (await office.http.get("/metrics")).text
    values = dict(line.split() for line in text.splitlines() if not line.startswith("#"))
    assert values == {
        "memberstaff_document_cache_bytes": f"{270.0 * len(WATCH)}",
        "memberstaff_live_hearing": "1.0",
        "memberstaff_live_reading": "1.0",
        "memberstaff_notifications_refused_total": "0.0",
        "memberstaff_notifications_repeated_total": "0.0",
        "memberstaff_listener_restarts_total": "0.0",
        "memberstaff_timeline_followed": "1.0" if engine == "postgresql" else "0.0",
        "memberstaff_epochs_begun_total": "0.0",
        "memberstaff_changes_lost_total": "0.0",
        "memberstaff_notifications_unsent": "0.0",
        "memberstaff_days_watched": "1.0",
        "memberstaff_subscriptions": "1.0",
        "memberstaff_groups": "1.0",
        "memberstaff_rendering_cache_bytes": "0.0",
        "memberstaff_response_cache_bytes": "0.0",
        "memberstaff_response_cache_hits": "0.0",
        "memberstaff_connections_watched": "1.0",
        "memberstaff_connections_open": "2.0",
        "memberstaff_connections_refused_total": "0.0",
        "memberstaff_log_lines_dropped_total": "0.0",
    }
