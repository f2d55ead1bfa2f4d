"""docs/backup.md in its short form: what a backup held is there after the restore, and every board starts again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from tests.drills.backup import WAYS, Outcome
from tests.soak.site import Here, Site


@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_whatever_a_backup_held_is_there_after_its_restore(
    way: Callable[[float], Awaitable[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Site, "kind", Here)
    outcome = await way(0.2)
    assert outcome.violations == []
    assert outcome.held >= 5
    assert outcome.lost >= 5
