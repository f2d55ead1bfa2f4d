"""What a run of the fuzzer did, and found."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Report:
    """What was sent, and what was found."""

    findings: Counter[str]
    folder: Path
    cases: Counter[str]
    answers: Counter[str]
    """By the first line of HTTP."""
    closes: Counter[int]
    """By the code of the WebSocket's close."""
    answered: int = 0
    seen: int = 0
    rss_mib: list[float] = field(default_factory=list)
    """Before, after the warm-up, at most, and in the end."""
    each_minute_mib: list[float] = field(default_factory=list)

    def __str__(self) -> str:
        def listed(of: Counter[str] | Counter[int]) -> str:
            return ", ".join(f"{number:,} × {name}" for name, number in of.most_common(20)) or "none"

        def mib(values: list[float]) -> str:
            return ", ".join(f"{value:.0f}" for value in values) or "none"

        return (
            f"{self.cases.total():,} cases: {listed(self.cases)}\n"
            f"answers: {listed(self.answers)}\n"
            f"closes: {listed(self.closes)}\n"
            f"the bystander: {self.answered:,} requests answered, {self.seen:,} events seen\n"
            f"MiB of memory before, warm, at most, in the end: {mib(self.rss_mib)}\n"
            f"and after each minute: {mib(self.each_minute_mib)}\n"
            f"{len(self.findings)} kinds of findings"
            + "".join(f"\n  {number} × {words}" for words, number in self.findings.most_common())
            + (f"\nin {self.folder}" if self.findings else "")
        )
