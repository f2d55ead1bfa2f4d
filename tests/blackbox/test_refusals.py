"""Whoever is refused reads why, however early that is, and whatever the request goes through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.blackbox.site import Site

TIMES = 5
"""That each is tried on one connection: an answer may be lost only if it comes at a certain moment."""
JSON = {"Content-Type": "application/json"}
LONG = {"query": "x" * 9_000}
LARGE = {f"X-Filler-{number}": "x" * 8_000 for number in range(5)}


async def in_pieces(body: bytes) -> AsyncIterator[bytes]:
    """The first byte by itself."""
    for piece in (body[:1], body[1:20_000], body[20_000:]):
        yield piece
        await asyncio.sleep(0)


@pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "in pieces"])
@pytest.mark.parametrize(
    ("status", "method", "path", "parameters", "headers", "size"),
    [
        (415, "POST", "/graphql", {}, {"Content-Type": "text/plain"}, 30),
        (415, "POST", "/graphql", {}, {"Content-Type": "text/plain"}, 90_000),
        (415, "POST", "/graphql", {}, {"Content-Type": "text/plain"}, 250_000),
        (405, "PUT", "/graphql", {}, JSON, 90_000),
        (405, "POST", "/wall", {}, JSON, 90_000),
        (406, "POST", "/graphql", {}, {**JSON, "Accept": "image/png"}, 90_000),
        (414, "POST", "/graphql", LONG, JSON, 90_000),
        (431, "POST", "/graphql", {}, {**JSON, **LARGE}, 90_000),
    ],
)
async def test_a_refusal_arrives_although_the_request_is_still_being_sent(
    site: Site, status: int, method: str, path: str, parameters: dict[str, str], headers: dict[str, str], size: int,
    is_whole: bool,
) -> None:  # fmt: skip
    body = b"x" * size
    async with site.http() as http:
        for _ in range(TIMES):
            answer = await http.request(
                method, path, params=parameters, headers=headers, content=body if is_whole else in_pieces(body)
            )
            assert answer.status_code == status
            assert answer.content


async def test_a_large_upload_of_another_kind_is_refused_in_words_that_arrive(site: Site) -> None:
    async with site.http() as http:
        headers = {"Authorization": f"Bearer {await site.token(http, 'MARKER')}", "Content-Type": "text/plain"}
        for content in (b"x" * 2_000_000, in_pieces(b"x" * 2_000_000)):
            assert (await http.post("/graphql", content=content, headers=headers)).status_code == 415


async def test_a_body_that_is_too_large_is_refused_in_words_that_arrive(site: Site) -> None:
    async with site.http() as http:
        bearer = {"Authorization": f"Bearer {await site.token(http, 'MARKER')}", **JSON}
        for size in (150_000, 400_000, 3_000_000):
            for content in (b"x" * size, in_pieces(b"x" * size)):
                answer = await http.post("/graphql", content=content, headers=bearer)
                assert answer.status_code == 413
                assert answer.json()["errors"][0]["message"] == "The body is larger than 100,000 bytes."


@pytest.mark.parametrize("size", [30, 90_000])
async def test_whoever_asks_first_whether_to_send_the_body_is_refused_too(site: Site, size: int) -> None:
    headers = {"Content-Type": "text/plain", "Expect": "100-continue"}
    async with site.http() as http:
        for _ in range(TIMES):
            assert (await http.post("/graphql", content=b"x" * size, headers=headers)).status_code == 415
