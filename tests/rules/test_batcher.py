"""A batcher answers whoever asks, whatever happens to the one who answers."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from memberstaff.db.batcher import Batcher
from tests.waiting import WAIT_SECONDS


async def test_an_answer_that_is_cancelled_from_within_fails_its_own_questions_and_no_later_ones() -> None:
    async def answer(questions: Sequence[str]) -> Sequence[str]:
        if "bad" in questions:
            raise asyncio.CancelledError
        return questions

    batcher = Batcher(answer, max_batch=2)
    async with asyncio.timeout(WAIT_SECONDS):
        answers = await asyncio.gather(
            batcher.ask("bad"), batcher.ask("one"), batcher.ask("two"), return_exceptions=True
        )
        assert [str(each) for each in answers] == ["The answer was cancelled."] * 2 + ["two"]
        assert await batcher.ask("three") == "three"
        assert batcher.idle
