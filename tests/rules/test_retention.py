"""Each table has a rule for how long its rows are kept, and people can read it."""

from __future__ import annotations

from pathlib import Path

from memberstaff.db.retention import EXPIRES, KEPT, WITH_ANOTHER
from memberstaff.db.tables import audit, metadata

PAGE = Path(__file__).parents[2] / "docs" / "retention.md"


def test_each_table_is_kept_or_expires_by_one_rule_and_the_page_tells_which() -> None:
    expiring = [column.table for column in EXPIRES] + [audit]
    assert sorted(table.name for table in [*expiring, *WITH_ANOTHER, *KEPT]) == sorted(metadata.tables)
    page = PAGE.read_text(encoding="utf-8")
    assert [name for name in metadata.tables if f"`{name}`" not in page] == []
