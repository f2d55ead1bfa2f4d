"""Rules need no server and no database: what they share is time that does not pass."""

from __future__ import annotations

import pytest

from memberstaff.fanout import retry, subscriber_group


@pytest.fixture
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """No send takes long, however slow this machine is, and nothing is waited for before it is tried again."""
    monkeypatch.setattr(subscriber_group, "SHORT_SECONDS", 3_600.0)
    monkeypatch.setattr(retry, "FIRST_SECONDS", 0.0)
