"""What is compressed, how, and how much of it at once."""

from __future__ import annotations

import asyncio
import threading
import zlib

import brotli
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.server import compression
from memberstaff.server.compression import CODINGS, LEAST_BYTES, SHARE, WAITING_BYTES, Compressor
from memberstaff.server.negotiate import GRAPHQL, JSON, Accepted, is_json, negotiate, negotiate_coding
from tests.calls import at_most

BODY = b"Amina PRESENT " * 1_000


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        ([], None),
        ([""], None),
        (["identity"], None),
        (["deflate, zstd"], None),
        (["gzip"], "gzip"),
        (["x-gzip"], "gzip"),
        (["br"], "br"),
        (["GZIP, BR"], "br"),
        (["gzip, deflate, br, zstd"], "br"),
        (["gzip", "br"], "br"),
        (["gzip;q=1.0, br;q=0.9"], "gzip"),
        (["gzip ; q=0.5 , br ; q=0.5"], "br"),
        (["br;q=0, gzip;q=0.001"], "gzip"),
        (["br;q=0, gzip;q=0"], None),
        (["*"], "br"),
        (["*;q=0"], None),
        (["*, br;q=0"], "gzip"),
        (["*;q=0.1, gzip;q=0.2"], "gzip"),
        (["*;q=0, gzip"], "gzip"),
        (["identity, br;q=0.5"], None),
        (["identity, br"], "br"),
        (["identity;q=0.5, br;q=0.6"], "br"),
        (["*;q=0.5, br;q=0.1, gzip;q=0.1"], None),
        (["identity;q=0, br"], "br"),
        (["identity;q=0"], None),
        (["br;q=nonsense"], None),
        (["br;q=nan, gzip;q=-1"], None),
        (["brotli, gzipped, b r"], None),
        ([",,;q=1,"], None),
    ],
)
def test_the_coding_is_the_one_that_the_client_prefers(accepted: list[str], coding: str | None) -> None:
    assert negotiate_coding(accepted, CODINGS) == coding


@pytest.mark.parametrize("long", [["br," * 10_000], ["br"] * 10_000, ["br;" * 10_000], ["br" + " " * 30_000]])
def test_a_header_that_is_longer_than_any_clients_is_as_good_as_none(long: list[str]) -> None:
    with at_most(calls=40):
        assert negotiate_coding(long, CODINGS) is None
        assert negotiate([GRAPHQL, *long]) == Accepted(JSON, None)
        assert not is_json(JSON + " " * 1_000)
    assert negotiate_coding(["br" + " " * 998], CODINGS) == "br"
    assert negotiate([GRAPHQL + " " * (1_000 - len(GRAPHQL))]) == Accepted(GRAPHQL, None)


@given(st.lists(st.text(max_size=40), max_size=3))
def test_no_header_is_too_odd(accepted: list[str]) -> None:
    assert negotiate_coding(accepted, CODINGS) in {None, *CODINGS}


@given(st.binary(max_size=2_000))
def test_what_is_compressed_can_be_read_again(body: bytes) -> None:
    assert brotli.decompress(CODINGS["br"](body)) == body
    assert zlib.decompress(CODINGS["gzip"](body), wbits=31) == body


async def test_small_answers_are_not_compressed() -> None:
    compressor = Compressor()
    assert await compressor.compress(b"x" * (LEAST_BYTES - 1), "br", 1) is None
    assert brotli.decompress(await compressor.compress(b"x" * LEAST_BYTES, "br", 1) or b"") == b"x" * LEAST_BYTES


async def test_one_answer_is_compressed_at_a_time_and_never_on_the_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[str] = []
    most: list[int] = []

    def slowly(body: bytes) -> bytes:
        running.append(threading.current_thread().name)
        most.append(len(running))
        compressed = zlib.compress(body)
        running.pop()
        return compressed

    monkeypatch.setattr(compression, "CODINGS", {"br": slowly})
    compressor = Compressor()
    compressed = await asyncio.gather(*(compressor.compress(BODY, "br", owner) for owner in range(20)))
    assert compressed == [zlib.compress(BODY)] * 20
    assert most == [1] * 20


async def test_what_waits_is_bounded_for_each_account_and_together(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = threading.Event()

    def held(body: bytes) -> bytes:
        assert gate.wait(30)
        return b"compressed"

    monkeypatch.setattr(compression, "CODINGS", {"br": held})
    compressor = Compressor()
    quarter = bytes(WAITING_BYTES // SHARE)
    waiting = [asyncio.ensure_future(compressor.compress(quarter, "br", owner)) for owner in range(SHARE - 1)]
    await asyncio.sleep(0)
    assert await compressor.compress(BODY, "br", 0) is None  # its share is used up
    waiting.append(asyncio.ensure_future(compressor.compress(BODY, "br", "another")))
    await asyncio.sleep(0)
    assert await compressor.compress(quarter, "br", "yet another") is None  # too much for all together
    gate.set()
    assert await asyncio.gather(*waiting) == [b"compressed"] * SHARE
    assert await compressor.compress(quarter, "br", 0) == b"compressed"  # there is room again


async def test_an_answer_larger_than_a_share_is_sent_as_it_is() -> None:
    assert await Compressor().compress(bytes(WAITING_BYTES // SHARE + 1), "br", 1) is None
