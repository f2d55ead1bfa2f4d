"""What /metrics says, as numbers."""

from __future__ import annotations

import httpx2
from prometheus_client.parser import text_string_to_metric_families

Values = dict[str, float]
"""By name, with the labels behind it as in `memberstaff_errors_total{code=INTERNAL}`."""


def values_in(text: str) -> Values:
    """Every sample; of histograms only the count and the sum."""
    found: Values = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if "le" not in sample.labels:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def scrape(http: httpx2.AsyncClient, address: str = "") -> Values:
    """What a server says now."""
    answer = await http.get(f"{address}/metrics")
    assert answer.status_code == 200
    return values_in(answer.text)


def risen(before: Values, after: Values, *names: str) -> Values:
    """By how much each value has changed that has, of the metrics with these names."""
    changed = {name: round(value - before.get(name, 0), 6) for name, value in after.items()}
    return {name: by for name, by in changed.items() if by and name.startswith(names)}
