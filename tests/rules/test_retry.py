"""Trying again: only what is unavailable, less and less often, and never in step."""

from __future__ import annotations

import asyncio

import pytest

from memberstaff.errors import RestartRequired, Unavailable
from memberstaff.fanout import retry
from memberstaff.fanout.retry import Backoff, until_available

AWAY = Unavailable("The database does not answer.")


class Paused:
    """What was waited for, in seconds; nothing is waited for in truth."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


@pytest.fixture
def paused(monkeypatch: pytest.MonkeyPatch) -> Paused:
    paused = Paused()
    monkeypatch.setattr(asyncio, "sleep", paused.sleep)
    return paused


async def test_each_pause_is_up_to_twice_as_long_as_the_one_before_until_four_seconds(paused: Paused) -> None:
    backoff = Backoff()
    assert backoff.is_first
    for _ in range(40):
        await backoff.pause()
        assert not backoff.is_first
    longest = [0.25, 0.5, 1.0, 2.0, *[4.0] * 36]
    assert all(most / 2 <= seconds <= most for seconds, most in zip(paused.seconds, longest, strict=True))


async def test_thousands_who_wait_for_the_same_thing_do_not_come_back_in_step(paused: Paused) -> None:
    for _ in range(1_000):
        await Backoff().pause()
    assert len(set(paused.seconds)) > 990
    assert min(paused.seconds) < 0.15
    assert max(paused.seconds) > 0.22


async def test_what_is_unavailable_is_asked_again_until_it_answers(paused: Paused) -> None:
    answers: list[Exception | str] = [AWAY, AWAY, AWAY, "here"]

    async def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await until_available(call) == "here"
    assert len(paused.seconds) == 3
    assert answers == []


async def test_what_answers_at_once_is_not_waited_for(paused: Paused) -> None:
    async def call() -> int:
        return 7

    assert await until_available(call) == 7
    assert paused.seconds == []


@pytest.mark.parametrize("error", [RestartRequired("The history was restored."), ValueError("no such relation")])
async def test_another_error_is_raised_at_once(paused: Paused, error: Exception) -> None:
    async def call() -> None:
        raise error

    with pytest.raises(type(error)):
        await until_available(call)
    assert paused.seconds == []


async def test_one_that_waits_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "FIRST_SECONDS", 3_600.0)
    monkeypatch.setattr(retry, "LONGEST_SECONDS", 3_600.0)
    tried = asyncio.Event()

    async def call() -> None:
        tried.set()
        raise AWAY

    waiting = asyncio.create_task(until_available(call))
    await tried.wait()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
