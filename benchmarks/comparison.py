"""A paired comparison of two checkouts: a candidate's figures next to a baseline's, and to the baseline's own noise."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import pi, sqrt
from statistics import median
from typing import Any, NamedTuple

from benchmarks.environment import Environment
from benchmarks.load import Result, measure
from benchmarks.report import fault, markdown, number, value_of
from benchmarks.scenarios import Metric, Scenario
from benchmarks.servers import SERVERS

BOUND = 1.05
"""A ratio to the baseline up to which a figure passes, whatever the noise."""

WITHIN_BOUND = f"within {BOUND}"
WITHIN_NOISE = "within the baseline's own noise"
REGRESSED = "regressed"
NOT_MEASURED = "not measured"


class Pair(NamedTuple):
    """Three runs in a row: the candidate between two of the baseline, so that a linear drift cancels out."""

    before: Result
    candidate: Result
    after: Result


@dataclass(frozen=True)
class Row:
    """One figure of one case."""

    scenario: str
    case: str
    metric: Metric
    pairs: list[Pair]

    @property
    def values(self) -> list[tuple[float, float, float]]:
        """Of all pairs whose three runs are good."""
        found = [[value_of(run, self.metric) for run in pair] for pair in self.pairs if all(run["ok"] for run in pair)]
        return [(before, candidate, after) for before, candidate, after in found if before and candidate and after]

    @property
    def ratios(self) -> list[float]:
        """Candidate to baseline."""
        return [candidate / ((before + after) / 2) for before, candidate, after in self.values]

    @property
    def baseline_ratios(self) -> list[float]:
        """Baseline to baseline: they would all be 1 on a machine without noise."""
        return [after / before for before, _, after in self.values]

    @property
    def noise(self) -> float:
        """Twice the standard error of a median of as many ratios of the baseline to itself."""
        ratios = self.baseline_ratios
        deviation = sqrt(sum((ratio - 1) ** 2 for ratio in ratios) / len(ratios))
        return 2 * deviation * sqrt(pi / 2 / len(ratios))

    @property
    def verdict(self) -> str:
        """In words; a figure that is only reported has none."""
        if self.metric.compared != "judged":
            return ""
        if not self.values:
            return NOT_MEASURED
        ratio = median(self.ratios)
        if ratio <= BOUND:
            return WITHIN_BOUND
        return WITHIN_NOISE if ratio <= 1 + self.noise else REGRESSED

    def cells(self) -> list[str]:
        """A line of the table."""
        names = [self.scenario, self.case, self.metric.title]
        if not self.values:
            return [*names, *["-"] * 5, self.verdict]
        baseline = median((before + after) / 2 for before, _, after in self.values)
        candidate = median(candidate for _, candidate, _ in self.values)
        noise = f"±{self.noise:.1%}" if self.verdict else ""
        ratios = [_spread(self.ratios), _spread(self.baseline_ratios)]
        return [*names, number(baseline), number(candidate), *ratios, noise, self.verdict]

    def as_json(self) -> dict[str, Any]:
        """With the ratios of all pairs."""
        row: dict[str, Any] = {"scenario": self.scenario, "case": self.case, "figure": self.metric.title}
        if not self.values:
            return row
        return {
            **row,
            "ratio": round(median(self.ratios), 4),
            "ratios": [round(ratio, 4) for ratio in self.ratios],
            "baseline_ratios": [round(ratio, 4) for ratio in self.baseline_ratios],
            "noise": round(self.noise, 4),
            "verdict": self.verdict,
        }


@dataclass
class Comparison:
    """All cases that were measured with both."""

    candidate: Environment
    baseline: Environment
    rows: list[Row] = field(default_factory=list)
    pairs: dict[tuple[str, str], list[Pair]] = field(default_factory=dict)
    """By scenario and case."""

    def measure(self, scenario: Scenario, count: int) -> None:
        """Measure so many pairs of each case."""
        for case in scenario.cases:
            pairs = self.pairs[scenario.name, case.label] = []
            for index in range(count):
                name = f"{scenario.name}, {case.label}, {index + 1} of {count}"
                turns = [("baseline", self.baseline), ("candidate", self.candidate), ("baseline", self.baseline)]
                runs = (measure(f"{name}: {who}", case, SERVERS["memberstaff"], where) for who, where in turns)
                pairs.append(Pair(*runs))
            self.rows += [Row(scenario.name, case.label, metric, pairs) for metric in scenario.compared(case.label)]

    @property
    def failures(self) -> list[str]:
        """In which case, whose, how many, and why the first one."""
        found = []
        for (scenario, case), pairs in self.pairs.items():
            baseline = [run for pair in pairs for run in (pair.before, pair.after)]
            for who, runs in (("baseline", baseline), ("candidate", [pair.candidate for pair in pairs])):
                if bad := [run for run in runs if not run["ok"]]:
                    count = f"{len(bad)} of {len(runs)} runs failed, and their pairs do not count"
                    found.append(f"{scenario}, {case}, {who}: {count}: {fault(bad[0])}")
        return found

    @property
    def passed(self) -> bool:
        """Whether no run failed and no figure regressed."""
        return not self.failures and not any(row.verdict in {REGRESSED, NOT_MEASURED} for row in self.rows)

    def table(self) -> str:
        """As Markdown that is readable as it is."""
        names = ["scenario", "case", "figure", "baseline", "candidate"]
        head = [*names, "candidate / baseline", "baseline / baseline", "noise", "verdict"]
        return "\n".join([markdown([head, *(row.cells() for row in self.rows)]), *self.failures])

    def as_json(self) -> dict[str, Any]:
        """Everything, with all runs."""
        runs = [
            {"scenario": scenario, "case": case, "pairs": [pair._asdict() for pair in pairs]}
            for (scenario, case), pairs in self.pairs.items()
        ]
        return {"bound": BOUND, "rows": [row.as_json() for row in self.rows], "runs": runs}


def _spread(ratios: list[float]) -> str:
    return f"{median(ratios):.3f} ({min(ratios):.2f}–{max(ratios):.2f})"
