"""The alerts, the dashboard and the runbook speak of metrics that exist. `promtool` tries the alerts themselves:
`promtool test rules deploy/prometheus/alerts.test.yaml`."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from memberstaff import metrics
from tests.drills.alerts import impatient
from tests.soak.alert_faults import FAULTS, STANDING, page

ROOT = Path(__file__).parents[2]
ALERTS = (ROOT / "deploy" / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
TESTS = (ROOT / "deploy" / "prometheus" / "alerts.test.yaml").read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "memberstaff.json").read_text(encoding="utf-8"))
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")

ENTRIES = {entry.name: entry for entry in metrics.ENTRIES}
OF_PROMETHEUS = {"instance", "job", "le"}
SHOWN = "\n".join(target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ()))


def entry_of(name: str) -> metrics.Entry | None:
    """The metric with this name, or the histogram that has such a series."""
    histogram = ENTRIES.get(re.sub("_(bucket|count|sum)$", "", name))
    return ENTRIES.get(name) or (histogram if histogram is not None and histogram.kind == "histogram" else None)


@pytest.mark.parametrize("text", [ALERTS, TESTS, SHOWN, RUNBOOK], ids=["alerts", "tests", "dashboard", "runbook"])
def test_every_metric_that_is_named_exists_with_its_labels(text: str) -> None:
    used = re.findall(r"\b(memberstaff_[a-z_]+)\b(?:\{([^}]*)\})?", text)
    assert used
    assert {name for name, _ in used if entry_of(name) is None} == set()
    for name, selector in used:
        entry = entry_of(name)
        assert entry is not None
        for label, values in re.findall(r'(\w+)=~?"([^"]*)"', selector.replace("\\", "")):
            if label in OF_PROMETHEUS:
                if label == "le" and values != "+Inf":
                    assert float(values) in metrics.BUCKETS
                continue
            assert set(values.split("|")) <= set(entry.labels[label]), (name, label, values)


def test_the_dashboard_shows_every_metric_and_groups_by_labels_that_exist() -> None:
    shown = {entry.name for name in re.findall(r"\bmemberstaff_[a-z_]+\b", SHOWN) if (entry := entry_of(name))}
    assert shown == set(ENTRIES)
    for labels, name in re.findall(r"sum by \(([^)]*)\) \((?:rate|increase)\((memberstaff_[a-z_]+)", SHOWN + ALERTS):
        entry = entry_of(name)
        assert entry is not None
        assert set(labels.split(", ")) <= OF_PROMETHEUS | entry.labels.keys(), name


def test_each_alert_has_a_test_and_a_line_of_the_runbook() -> None:
    alerts = re.findall(r"- alert: (\w+)", ALERTS)
    assert len(alerts) == len(set(alerts)) > 0
    assert re.findall(r"runbook: docs/runbook.md#(\w+)", ALERTS) == [name.lower() for name in alerts]
    assert [*dict.fromkeys(re.findall(r"- name: (\w+)", TESTS))] == alerts
    assert re.findall(r"^## (\w+)$", RUNBOOK, re.MULTILINE) == alerts
    assert set(re.findall(r"severity: (\w+)", ALERTS)) == {"page", "ticket"}


def test_each_alert_fires_at_a_fault_of_the_drill_which_the_runbook_lists() -> None:
    fired = [alert for fault in (*STANDING, *FAULTS) for alert in fault.alerts]
    assert sorted(fired) == sorted(re.findall(r"- alert: (\w+)", ALERTS))
    assert RUNBOOK.endswith(f"\n## What fires each of them\n\n{page()}")


def test_the_drill_changes_nothing_of_the_rules_but_how_long_they_wait() -> None:
    changed = [
        (before, after)
        for before, after in zip(ALERTS.splitlines(), impatient(ALERTS).splitlines(), strict=True)
        if before != after
    ]
    assert changed
    assert {before.split(":")[0].strip() for before, _ in changed} == {"for"}
    assert {after for _, after in changed} == {"        for: 0s"}
