"""Every metric is named and explained in one place, and used."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memberstaff import metrics

ROOT = Path(__file__).parents[2]
SOURCES = [
    file.read_text(encoding="utf-8")
    for folder in ("memberstaff", "schema")
    for file in (ROOT / folder).rglob("*.py")
    if file != ROOT / "memberstaff" / "metrics.py"
]


def test_the_page_of_metrics_is_current() -> None:
    assert (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8") == metrics.page()


@pytest.mark.parametrize("entry", metrics.ENTRIES, ids=lambda entry: entry.name)
def test_names_follow_the_conventions_of_prometheus(entry: metrics.Entry) -> None:
    assert re.fullmatch(r"memberstaff_[a-z_]+", entry.name)
    assert entry.name.endswith("_total") == (entry.kind == "counter")
    assert entry.name.endswith("_seconds") == (entry.kind == "histogram")
    assert entry.help_text.endswith(".")


def test_each_metric_is_used_and_so_is_each_limit() -> None:
    names = re.findall(
        r"^([A-Z_]+) = _(?:counter|gauge|histogram)\(", (ROOT / "memberstaff/metrics.py").read_text(), re.MULTILINE
    )
    code = "\n".join(SOURCES)
    assert len(names) == len(metrics.ENTRIES)
    assert [name for name in names if f"metrics.{name}" not in code] == []
    [limits] = [entry.labels["limit"] for entry in metrics.ENTRIES if "limit" in entry.labels]
    assert [limit for limit in limits if f'"{limit}"' not in code] == []


def test_whatever_is_refused_since_it_is_too_much_is_counted() -> None:
    lines = "\n".join(SOURCES).splitlines()
    raised = [index for index, line in enumerate(lines) if "raise RateLimited(" in line]
    assert len(raised) == 6
    uncounted = [lines[at] for at in raised if not any("metrics.RATE_LIMITED" in line for line in lines[at - 3 : at])]
    assert len(uncounted) == 1
    assert "Too many connections from" in uncounted[0]  # which `acquire` has counted
