"""What is cached is rendered for a scope, never for whoever asked first."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from dataclasses import dataclass, field
from typing import Any

import pytest
import strawberry

from memberstaff.engine.limits import Limits
from memberstaff.engine.request import OperationRequest
from memberstaff.engine.response_cache import CachePolicy, ResponseCache
from memberstaff.engine.schema import Schema, build_schema
from memberstaff.errors import Forbidden
from memberstaff.fanout.byte_lru import OVERHEAD, ByteLRU


@dataclass
class Context:
    """A caller's context, or with a name of None that of anybody with the scope."""

    name: str | None
    scope: str = "MARKER"
    current: int = 1
    shown: int | None = 1
    renderings: list[str] = field(default_factory=list)
    gate: asyncio.Event | None = None

    async def version(self, argument: str | None) -> tuple[str, str | None, int]:
        return self.scope, self.name, self.current

    def as_scope(self, scope: str) -> Context:
        return Context(None, scope, self.current, self.shown, self.renderings, self.gate)

    async def rendered_version(self, version: int, argument: str | None) -> int | None:
        return self.shown

    async def close(self) -> None:
        self.renderings.append(self.scope)


@strawberry.type
class Board:
    @strawberry.field
    async def title(self, info: strawberry.Info[Context, None]) -> str:
        if info.context.gate is not None:
            await info.context.gate.wait()
        return "Board"

    @strawberry.field
    async def asked_by(self, info: strawberry.Info[Context, None]) -> str:
        if info.context.gate is not None:
            await info.context.gate.wait()
        if info.context.name is None:
            raise RuntimeError("There is no caller in a shared rendering.")
        return info.context.name

    @strawberry.field
    def secret(self) -> str | None:
        raise Forbidden("Not for you.")


@strawberry.type
class Query:
    @strawberry.field
    def board(self, date: str | None = None) -> Board:
        return Board()


POLICY = CachePolicy(field="board", argument="date", types=frozenset({"Board"}), excluded=frozenset())


@pytest.fixture
def cache() -> ResponseCache:
    schema: Schema = build_schema(Query, limits=Limits())
    return ResponseCache(schema, ByteLRU(100_000), POLICY)


async def ask(cache: ResponseCache, context: Context, query: str = "{ board { title } }", **variables: Any) -> Any:
    answer = await cache.response(context, OperationRequest(query, variables or None, None, None))
    return None if answer is None else json.loads(answer.body)


async def test_equal_questions_are_rendered_once_for_everybody_with_the_scope(cache: ResponseCache) -> None:
    amina, victor = Context("Amina"), Context("Victor")
    assert await ask(cache, amina) == await ask(cache, victor) == {"data": {"board": {"title": "Board"}}}
    assert (amina.renderings, victor.renderings) == (["MARKER"], [])


async def test_a_field_that_looks_at_its_caller_is_refused_and_nothing_is_cached(cache: ResponseCache) -> None:
    """So its query is executed for each caller alone: nobody is shown another's name."""
    query = "{ board { title askedBy } }"
    for name in ("Amina", "Victor"):
        assert await ask(cache, Context(name), query) is None
    assert len(cache.cache) == 0


async def test_those_who_wait_for_a_rendering_that_is_refused_go_on_in_parallel(cache: ResponseCache) -> None:
    gate = asyncio.Event()
    contexts = [Context(name, gate=gate) for name in ("Amina", "Victor", "Björn")]
    asking = [asyncio.ensure_future(ask(cache, context, "{ board { title askedBy } }")) for context in contexts]
    for _ in range(10):
        await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*asking) == [None, None, None]
    assert [context.renderings for context in contexts] == [["MARKER"], [], []]


async def test_those_who_ask_while_it_is_rendered_wait_for_it(cache: ResponseCache) -> None:
    gate = asyncio.Event()
    contexts = [Context(name, gate=gate) for name in ("Amina", "Victor")]
    asking = [asyncio.ensure_future(ask(cache, context)) for context in contexts]
    for _ in range(10):
        await asyncio.sleep(0)
    gate.set()
    assert await asyncio.gather(*asking) == [{"data": {"board": {"title": "Board"}}}] * 2
    assert [context.renderings for context in contexts] == [["MARKER"], []]


async def test_what_is_wrong_with_the_document_is_answered_and_not_cached(cache: ResponseCache) -> None:
    answer = await ask(cache, Context("Amina"), "{ board { secret } }")
    assert answer["errors"][0]["extensions"] == {"code": "FORBIDDEN"}
    assert len(cache.cache) == 0


async def test_what_a_client_sends_is_not_kept(cache: ResponseCache) -> None:
    """The cache counts the bytes of its answers, so its keys must be small, and an unknown name leaves nothing."""
    query = "{ board { title } }"
    await cache.response(Context("Amina"), OperationRequest(query, {"unused": "x" * 90_000}, None, None))
    for number in range(3):
        request = OperationRequest(query, None, f"{number}" * 90_000, None)
        assert await cache.response(Context("Amina"), request) is None
    assert cache.cache.bytes < 1_000
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        await cache.response(Context("Amina"), OperationRequest(query, {"unused": "y" * 90_000}, None, None))
        await cache.response(Context("Amina"), OperationRequest(query, None, "z" * 90_000, None))
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()


async def test_another_scope_or_version_is_another_answer(cache: ResponseCache) -> None:
    for context in (Context("Amina"), Context("Amina", scope="VIEWER"), Context("Amina", current=2, shown=2)):
        await ask(cache, context)
        assert context.renderings == [context.scope]


async def test_an_answer_is_cached_under_the_version_that_it_shows(cache: ResponseCache) -> None:
    await ask(cache, Context("Amina", current=1, shown=2))
    later = Context("Victor", current=2, shown=2)
    await ask(cache, later)
    assert later.renderings == []


async def test_an_answer_that_shows_another_thing_than_was_asked_for_is_neither_cached_nor_given(
    cache: ResponseCache,
) -> None:
    """Midnight came while today was being rendered."""
    assert await ask(cache, Context("Amina", shown=None)) is None
    assert len(cache.cache) == 0


@pytest.mark.parametrize(
    "query",
    [
        "{ board { title } again: board { title } }",
        "{ __typename board { title } }",
        "query ($d: String) { ... { board(date: $d) { title } } }",
        'query ($d: String = "2026-01-12") { board(date: $d) { title } }',
        "{ __schema { queryType { name } } }",
        "{ nothing }",
    ],
)
async def test_other_queries_are_executed(cache: ResponseCache, query: str) -> None:
    assert await ask(cache, Context("Amina"), query) is None


@dataclass
class Reversing:
    """A content coding that tests can hold up; it encodes nothing when it is `full`."""

    name: str = "reversed"
    full: bool = False
    encoded: int = 0
    gate: asyncio.Event = field(default_factory=asyncio.Event)

    async def encode(self, body: bytes, owner: object) -> bytes | None:
        if self.full:
            return None
        self.encoded += 1
        await self.gate.wait()
        return body[::-1]


def board() -> OperationRequest:
    return OperationRequest("{ board { title } }")


PLAIN = b'{"data":{"board":{"title":"Board"}}}'


async def test_equal_questions_are_encoded_once_for_each_coding(cache: ResponseCache) -> None:
    coding, other = Reversing(), Reversing("other")
    asking = [asyncio.ensure_future(cache.response(Context("Amina"), board(), coding)) for _ in range(50)]
    asking.append(asyncio.ensure_future(cache.response(Context("Amina"), board(), other)))
    asking.append(asyncio.ensure_future(cache.response(Context("Amina"), board())))
    for _ in range(20):
        await asyncio.sleep(0)
    coding.gate.set()
    other.gate.set()
    *answers, last, plain = await asyncio.gather(*asking)
    assert answers == [(PLAIN[::-1], "reversed")] * 50
    assert (last, plain) == ((PLAIN[::-1], "other"), (PLAIN, None))
    assert await cache.response(Context("Victor"), board(), coding) == (PLAIN[::-1], "reversed")
    assert (coding.encoded, other.encoded) == (1, 1)


async def test_encoded_answers_count_in_the_caches_bytes_and_are_those_of_their_version(cache: ResponseCache) -> None:
    coding = Reversing()
    coding.gate.set()
    await cache.response(Context("Amina", current=1, shown=2), board(), coding)
    assert (len(cache.cache), cache.cache.bytes) == (2, 2 * (len(PLAIN) + OVERHEAD))
    await cache.response(Context("Amina", current=1, shown=1), board(), coding)
    assert coding.encoded == 2  # what showed version 2 is not given to whoever must be shown version 1
    await cache.response(Context("Amina", current=2, shown=2), board(), coding)
    assert coding.encoded == 2


async def test_what_cannot_be_encoded_now_is_sent_as_it_is_and_encoded_later(cache: ResponseCache) -> None:
    coding = Reversing(full=True)
    coding.gate.set()
    assert await cache.response(Context("Amina"), board(), coding) == (PLAIN, None)
    coding.full = False
    assert await cache.response(Context("Amina"), board(), coding) == (PLAIN[::-1], "reversed")


async def test_an_answer_with_errors_is_encoded_and_not_cached(cache: ResponseCache) -> None:
    coding = Reversing()
    coding.gate.set()
    request = OperationRequest("{ board { secret } }", None, None, None)
    answer = await cache.response(Context("Amina"), request, coding)
    assert answer is not None
    assert answer.coding == "reversed"
    assert len(cache.cache) == 0


async def test_who_waits_for_an_encoding_that_breaks_off_is_sent_the_answer_as_it_is(cache: ResponseCache) -> None:
    coding = Reversing()
    first = asyncio.ensure_future(cache.response(Context("Amina"), board(), coding))
    second = asyncio.ensure_future(cache.response(Context("Victor"), board(), coding))
    while not coding.encoded:
        await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    first.cancel()
    assert await second == (PLAIN, None)
