"""Medians, spreads and ratios of what was measured; as a table for people, and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from benchmarks.load import Result
from benchmarks.scenarios import Metric, Scenario
from benchmarks.servers import SERVERS

BOTTLENECK = 0.9
"""Share of the wall time that a load generator may compute before it is the one that is measured."""

LATE_MS = 100
"""By how much a change may be sent too late, since all connections were still waiting, before it is said."""


@dataclass
class Row:
    """One server on one case."""

    case: str
    server: str
    runs: list[Result] = field(default_factory=list)

    @property
    def good(self) -> list[Result]:
        """Runs in which everything arrived as it should; only they count."""
        return [run for run in self.runs if run.get("ok")]

    def values(self, metric: Metric) -> list[float]:
        """Of all good runs."""
        found = (value_of(run, metric) for run in self.good)
        return [value for value in found if value is not None]

    def median(self, metric: Metric) -> float | None:
        """Of all good runs."""
        values = self.values(metric)
        return median(values) if values else None


@dataclass
class Report:
    """All rows of one scenario."""

    scenario: Scenario
    rows: list[Row]

    def row(self, case: str, server: str) -> Row:
        """The row of a server on a case; made if it is new."""
        for row in self.rows:
            if (row.case, row.server) == (case, server):
                return row
        self.rows.append(Row(case, server))
        return self.rows[-1]

    def best_peer(self, case: str, metric: Metric) -> float | None:
        """The best median among the servers that memberstaff is compared with."""
        compared = self.scenario.compared_with
        medians = [
            value
            for row in self.rows
            if row.case == case and (row.server in compared if compared else SERVERS[row.server].is_peer)
            if (value := row.median(metric)) is not None
        ]
        if not medians or metric.better is None:
            return None
        return min(medians) if metric.better == "less" else max(medians)

    def ratio(self, row: Row, metric: Metric) -> float | None:
        """How many times better than the best peer; below 1 it is worse."""
        own, best = row.median(metric), self.best_peer(row.case, metric)
        if not own or not best:
            return None
        return best / own if metric.better == "less" else own / best

    @property
    def failures(self) -> int:
        """Runs in which something was lost, doubled, wrong, or did not start."""
        return sum(len(row.runs) - len(row.good) for row in self.rows)

    def table(self) -> str:
        """As Markdown that is readable as it is."""
        metrics = self.scenario.metrics
        lines = [["case", "server", "runs", *(metric.title for metric in metrics)]]
        for row in self.rows:
            cells = [self._cell(row, metric) for metric in metrics]
            lines.append([row.case, row.server, f"{len(row.good)}/{len(row.runs)}", *cells])
        return "\n".join([f"{self.scenario.title}\n", markdown(lines), *self._notes()])

    def _cell(self, row: Row, metric: Metric) -> str:
        value = row.median(metric)
        if value is None or metric.only not in {None, row.case}:
            return "-"
        values = row.values(metric)
        text = number(value)
        if metric.better and len(values) > 1 and value:
            text += f" ±{(max(values) - min(values)) / 2 / value:.0%}"
        ratio = self.ratio(row, metric)
        return text if ratio is None else f"{text} (×{ratio:.2f})"

    def _notes(self) -> list[str]:
        notes = [self.scenario.note] if self.scenario.note else []
        for row in self.rows:
            where = f"{row.case}, {row.server}"
            if any(load > BOTTLENECK for run in row.good for load in load_shares(run)):
                notes.append(f"{where}: the load generator was the bottleneck; trust the CPU figure only.")
            late = max((run.get("rate", {}).get("sent_late_ms", 0) for run in row.good), default=0)
            if late > LATE_MS:
                notes.append(f"{where}: it was too slow for this; changes were sent up to {late:,.0f} ms late.")
            bad = [run for run in row.runs if not run.get("ok")]
            if bad:
                notes.append(f"{where}: {len(bad)} of {len(row.runs)} runs failed and do not count: {fault(bad[0])}")
        return notes

    def as_json(self) -> dict[str, Any]:
        """Everything, with all repetitions."""
        metrics = self.scenario.metrics
        return {
            "benchmark": self.scenario.name,
            "title": self.scenario.title,
            "rows": [
                {
                    "case": row.case,
                    "server": row.server,
                    "medians": {metric.title: row.median(metric) for metric in metrics},
                    "times_better_than_best_peer": {
                        metric.title: round(ratio, 3)
                        for metric in metrics
                        if metric.only in {None, row.case} and (ratio := self.ratio(row, metric)) is not None
                    },
                    "runs": row.runs,
                }
                for row in self.rows
            ],
        }


def number(value: float) -> str:
    """With three digits that say something, or all those before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def load_shares(run: Result) -> Sequence[float]:
    """How busy the load generator was in each phase of a run."""
    phases = [run, run.get("saturation", {}), run.get("rate", {})]
    return [phase["load_busy"] for phase in phases if "load_busy" in phase]


def markdown(lines: list[list[str]]) -> str:
    """A table that is readable as it is; the first line is its head."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    ruled = [lines[0], ["-" * width for width in widths], *lines[1:]]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in ruled)


def fault(run: Result) -> str:
    """Why a run does not count."""
    return str(run.get("error") or run.get("said") or _counted(run))[:600]


def _counted(run: Result) -> str:
    names = ("wrong_content", "wrong_id", "duplicates", "unexpected", "out_of_order", "protocol_errors")
    more = ("lost_connections", "mutation_errors", "bad_answers", "stale_answers")
    return ", ".join(f"{name}: {run[name]}" for name in (*names, *more) if run.get(name)) or "events are missing"


def value_of(run: Result, metric: Metric) -> float | None:
    """A figure of a run, if it has it."""
    value: Any = run
    for name in metric.path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return None if value is None else float(value)
