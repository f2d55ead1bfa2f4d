"""Questions that are asked at the same time, answered by one reading of the database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Batcher(Generic[Question, Answer]):
    """Collects questions while the ones before are being answered.

    An answer rests on a reading that began after its question was asked. `answer_all` gets several questions and gives
    an answer, or the exception to raise, for each; what it raises itself is raised to all of them. `most` are answered
    at a time. One that `rests` lets questions gather after an answer for as long as that took: answers that cost this
    process more than the database are then shared by twice as many.
    """

    def __init__(
        self,
        answer_all: Callable[[Sequence[Question]], Awaitable[Sequence[Answer | Exception]]],
        *,
        most: int = 1_000,
        rests: bool = False,
    ) -> None:
        self._answer_all = answer_all
        self._most = most
        self._rests = rests
        self._asking: list[tuple[Question, asyncio.Future[Answer]]] = []
        self._answering: asyncio.Task[None] | None = None

    async def ask(self, question: Question) -> Answer:
        """The answer to one question."""
        future: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._asking.append((question, future))
        if self._answering is None:
            self._answering = asyncio.create_task(self._answer())
        return await future

    @property
    def idle(self) -> bool:
        """Whether nobody is waiting for an answer."""
        return self._answering is None

    async def _answer(self) -> None:
        loop = asyncio.get_running_loop()
        while self._asking:
            began = loop.time()
            asking, self._asking = self._asking[: self._most], self._asking[self._most :]
            answers: Sequence[Answer | Exception]
            try:
                answers = await self._answer_all([question for question, _ in asking])
            except Exception as error:
                answers = [error] * len(asking)
            for (_, future), answer in zip(asking, answers, strict=True):
                if future.done():  # whoever asked has gone
                    continue
                if isinstance(answer, Exception):
                    future.set_exception(answer)
                else:
                    future.set_result(answer)
            if self._rests:
                await asyncio.sleep(loop.time() - began)
        self._answering = None
