"""The fuzzer in its short form, and that it finds what it is there for."""

from __future__ import annotations

import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from memberstaff.access import Role
from tests.databases import Databases, Engine
from tests.fuzz import inspection
from tests.fuzz.cases import AnyCase, World
from tests.fuzz.findings import Findings
from tests.fuzz.fuzzer import SURFACES, Fuzzer, case_of
from tests.fuzz.run import fuzz
from tests.fuzz.socket_cases import frame
from tests.fuzz.target import Target
from tests.infrastructure.redis import RedisServer

SEED = 13
WORLD = World(
    today=date(2026, 1, 12).isoformat(),
    tokens=dict.fromkeys(Role, "token"),
    refresh_tokens=dict.fromkeys(Role, "refresh"),
    ids=("one", "two"),
    cursor="cursor",
    secret="secret",
    echo_key="key",
    channel="channel",
    password="password",
    emails={role: f"{role}@school.example" for role in Role},
)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("engine", ["postgresql"])
async def test_whatever_is_sent_the_server_lives_and_serves_others(
    engine: Engine, databases: Databases, own_redis: RedisServer, tmp_path: Path
) -> None:
    async with databases.empty(engine) as url:
        report = await fuzz(url, own_redis.url, tmp_path, seed=SEED, kept=tmp_path / "findings", seconds=8, say=print)
    print(report)
    assert report.findings == {}
    assert all(report.cases[surface] for surface in SURFACES)
    assert report.answered > 10
    assert report.seen > 0


@pytest.mark.parametrize("surface", [surface for surface in SURFACES if surface != "redis"])
def test_the_same_seed_makes_the_same_cases_and_another_one_makes_others(surface: str) -> None:
    def cases(seed: int, world: World) -> list[AnyCase]:
        return [case_of(seed, f"{surface}:{number}", world) for number in range(50)]

    once = cases(1, WORLD)
    assert once == cases(1, WORLD)
    assert once != cases(2, WORLD)
    # What differs between two runs, such as the length of a token, changes nothing about what is chosen.
    elsewhere = cases(1, replace(WORLD, cursor="another, longer cursor", tokens=dict.fromkeys(Role, "a longer token")))
    assert [len(case.steps) for case in once] == [len(case.steps) for case in elsewhere]  # type: ignore[union-attr]


TOY = """
import asyncio, os, sys

kept = []

async def serve(reader, writer):
    await reader.read(65_536)
    {what}
    body = {body!r}
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\n\\r\\n" % len(body) + body)
    writer.close()

async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[sys.argv.index("--port") + 1])) as server:
        await server.serve_forever()

asyncio.run(main())
"""


@pytest.mark.parametrize(
    ("what", "body", "found"),
    [
        ("pass", b"ok", []),
        ("pass", b'Traceback (most recent call last):\n  File "x.py"', ["said a traceback: Traceback (most recent"]),
        ("kept.append(bytearray(b'x' * 2**19))", b"ok", ["kept # MiB of memory"]),
        ("kept.append((reader, writer, open('/dev/null')))", b"ok", ["kept # descriptors open"]),
        ("len(kept) < 5 or os._exit(3); kept.append(1)", b"ok", ["died, with exit code #"]),
        ("len(kept) == 5 and print('Traceback', file=sys.stderr); kept.append(1)", b"ok", ["printed Traceback"]),
    ],
    ids=["nothing", "a traceback in an answer", "memory", "descriptors", "death", "a traceback in the log"],
)
async def test_a_server_that_fails_is_found_out(
    what: str, body: bytes, found: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.fuzz.fuzzer.SETTLE_SECONDS", 1.0)
    monkeypatch.setattr(
        "tests.fuzz.fuzzer.MOST_GROWTH_MIB", 4.0
    )  # which a few requests come to, on the slowest machine
    program = tmp_path / "toy.py"
    program.write_text(TOY.format(what=what, body=body))
    target = Target([sys.executable, "-u", str(program)], tmp_path)
    findings = Findings(tmp_path / "findings", SEED)
    fuzzer = Fuzzer(target, WORLD, findings)
    target.start()
    try:
        await fuzzer.run(1.5, {"graphql": 4})
    finally:
        target.stop()
    assert sorted(findings.kinds) == found
    assert (tmp_path / "findings" / "001.txt").exists() == bool(found)


@pytest.mark.parametrize(
    ("heard", "words"),
    [
        (b'HTTP/1.1 200 OK\r\n\r\n{"data":{"viewer":null}}', []),
        (
            b"HTTP/1.1 500 Internal Server Error\r\n\r\n",
            ["said a failure of the server: HTTP/1.1 500 Internal Server Error"],
        ),
        (b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\n\r\n", []),
        (b"HTTP/1.1 503 Service Unavailable\r\nServer: x\r\n\r\n", ["said 503 without Retry-After"]),
        (b'{"extensions":{"code":"INTERNAL"}}', ['said INTERNAL: "code":"INTERNAL"']),
        (b"{'x': KeyError}", ["said the name of an exception: KeyError"]),
        (b'{"__typename":"UserError"}', []),
        (b"SELECT account.id FROM account", ["said SQL: SELECT account."]),
        (b"sqlalchemy.exc", ["said the name of a module: sqlalchemy.exc"]),
        (b"content-type: text/javascript\r\n\r\nthrow new TypeError", []),
        (b'{"note":"a private note 7"}', ["said a note, to somebody who may not read notes"]),
        (b"the key is hush", ["said the secret key"]),
        (b"HTTP/1.1 101 x\r\n\r\n" + frame(b"\x03\xf3", 8, mask=None), ["closed a socket with 1011"]),
    ],
)
def test_what_an_answer_must_not_say_is_found(heard: bytes, words: list[str]) -> None:
    def found(sent: bytes) -> list[str]:
        return list(inspection.of_answer(sent, heard, {"the secret key": "hush"}, notes_allowed=False))

    assert found(b"") == words
    if words and not words[0].startswith(("said a failure", "said 503", "closed")):
        assert found(heard) == []  # it only repeats what was sent


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"level": "warning", "event": "Redis is unreachable"}', []),
        (
            '{"level": "error", "event": "Request failed", "exception": "…\\nKeyError: 1"}',
            ["logged Request failed KeyError: 1"],
        ),
        ('{"level": "info", "event": "hush"}', ["logged the secret key"]),
        ("Exception ignored in: <x>", ["printed Exception ignored in: <x>"]),
        ("Listening", []),
    ],
)
def test_what_a_log_must_not_say_is_found(line: str, words: list[str]) -> None:
    assert list(inspection.of_log(line, {"the secret key": "hush"})) == words
