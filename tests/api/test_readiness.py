"""Readiness is for anybody to ask, so asking costs the database next to nothing."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from memberstaff import application
from memberstaff.db.migrate import is_current
from tests.installation import Installation


@pytest.mark.parametrize(("fresh", "times"), [(60, range(1, 2)), (0, range(3, 61))])
async def test_the_database_is_asked_once_for_all_who_ask_within_a_second(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, fresh: float, times: range
) -> None:
    asked = 0

    async def counting(engine: AsyncEngine) -> bool:
        nonlocal asked
        asked += 1
        return await is_current(engine)

    monkeypatch.setattr(application, "is_current", counting)
    monkeypatch.setattr(application, "READINESS_FRESH_SECONDS", fresh)
    for _ in range(3):
        answers = await asyncio.gather(*(installation.http.get("/health/ready") for _ in range(20)))
        assert {answer.status_code for answer in answers} == {200}
    assert asked in times
    assert answers[0].json() == {"status": "ok", "database": "well", "live": "well"}
