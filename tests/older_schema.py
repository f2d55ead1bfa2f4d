"""The schema as it was before AttendanceStatus had HALF_DAY: what older clients were built with."""

from __future__ import annotations

from pathlib import Path

SDL = (Path(__file__).parents[1] / "schema.graphql").read_text(encoding="utf-8")
OLDER = SDL.replace('  """At work for half of the day."""\n  HALF_DAY\n', "")
assert "\n  HALF_DAY\n" not in OLDER
