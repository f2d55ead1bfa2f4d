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


async def test_those_who_come_meanwhile_are_answered_with_the_others_once_they_are_taken() -> None:
    begun, go = asyncio.Event(), asyncio.Event()
    batches: list[list[str]] = []

    async def answer(questions: Sequence[str]) -> Sequence[str]:
        begun.set()
        await go.wait()
        batches.append([*questions, *batcher.more()])
        if "bad" in batches[-1]:
            raise ValueError("bad")
        return batches[-1]

    batcher: Batcher[str, str] = Batcher(answer, max_batch=3)
    async with asyncio.timeout(WAIT_SECONDS):
        first = asyncio.create_task(batcher.ask("one"))
        await begun.wait()
        others = [asyncio.create_task(batcher.ask(question)) for question in ("two", "three", "four", "bad")]
        await asyncio.sleep(0)
        go.set()
        answers = await asyncio.gather(first, *others, return_exceptions=True)
    assert batches == [["one", "two", "three"], ["four", "bad"]]
    assert [str(each) for each in answers] == ["one", "two", "three", "bad", "bad"]
