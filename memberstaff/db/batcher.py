"""A batcher: questions asked at the same time are answered with one read of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batcher(Generic[Question, Answer]):
    """Collects questions while the batch before is being answered: a DataLoader without a cache.

    An answer comes from a read that began after its question was asked. `answer_all` takes a batch of at most
    `max_batch` questions and returns an answer, or the exception to raise, for each, those of `more` included; an
    exception that it raises itself goes to all of them. With `pauses`, the batcher pauses after each batch for as long
    as the batch took: answers that cost this process more than the database are then shared by twice as many.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[Question]], Awaitable[Sequence[Answer | Exception]]],
        *,
        max_batch: int = 1_000,
        pauses: bool = False,
    ) -> None:
        self._answer_all = answer_all
        self._max_batch = max_batch
        self._pauses = pauses
        self._waiting: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._batch: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._task: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer; raises the exception that `answer_all` returned or raised instead."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((question, future))
        if self._task is None:
            self._task = asyncio.create_task(self._answer())
        return await future

    def more(self) -> list[Question]:
        """Those that have come since `answer_all` was called, for it to answer as well, after the others."""
        room = self._max_batch - len(self._batch)
        late, self._waiting = self._waiting[:room], self._waiting[room:]
        self._batch += late
        return [question for question, _ in late]

    @property
    def idle(self) -> bool:
        """Whether no question is waiting for an answer."""
        return self._task is None

    async def _answer(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            began = loop.time()
            self._batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            answers: Sequence[Answer | Exception]
            try:
                answers = await self._answer_all([question for question, _ in self._batch])
            except asyncio.CancelledError:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise
                # Cancelled from within: whoever asks, now or later, would wait for ever.
                answers = [RuntimeError("The answer was cancelled.")] * len(self._batch)
            except Exception as error:
                answers = [error] * len(self._batch)
            for (_, future), answer in zip(self._batch, answers, strict=True):
                if future.done():  # its caller was cancelled
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
            self._batch = []
            if self._pauses:
                await asyncio.sleep(loop.time() - began)
        self._task = None
