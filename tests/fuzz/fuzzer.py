"""The fuzzer: it attacks a server with cases of each surface, and watches its process, its log and its memory."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import count

from graphql import build_schema
from redis.asyncio import Redis

from tests.fuzz import delivery, inspection
from tests.fuzz.cases import AnyCase, Case, Commands, Make, World, random_of
from tests.fuzz.documents import Documents
from tests.fuzz.findings import Findings
from tests.fuzz.http_cases import graphql, http
from tests.fuzz.redis_cases import redis
from tests.fuzz.report import Report
from tests.fuzz.socket_cases import pusher, websocket
from tests.fuzz.target import Target

DOCUMENTS = Documents(build_schema((inspection.ROOT / "schema.graphql").read_text(encoding="utf-8")))
SURFACES: Mapping[str, Make] = {
    "http": http,
    "graphql": graphql(DOCUMENTS),
    "websocket": websocket(DOCUMENTS),
    "pusher": pusher,
    "redis": redis,
}
TOGETHER = {"http": 12, "graphql": 8, "websocket": 8, "pusher": 6, "redis": 1}
"""Cases of each surface at a time."""

MOST_GROWTH_MIB = 48.0
"""By which resident memory may be larger in the end than after the warm-up. What is kept on purpose is set small."""
MOST_AT_ONCE_MIB = 400.0
"""The same, at any moment."""
MOST_DESCRIPTORS = 40
"""Open files and sockets more than before, once everybody has gone: ten connections to SQLite have three each."""
SETTLE_SECONDS = 60.0
"""How long that may take."""


def case_of(seed: int, name: str, world: World) -> AnyCase:
    """The case with this name, such as http:17; the same seed makes the same."""
    surface, _, number = name.partition(":")
    return SURFACES[surface](random_of(seed, surface, int(number)), world)


class Fuzzer:
    """Attacks a server, and watches it."""

    def __init__(self, target: Target, world: World, findings: Findings, redis: Redis | None = None) -> None:
        self.target = target
        self.world = world
        self.findings = findings
        self.redis = redis
        self.secrets: dict[str, str] = {}
        self.report = Report(findings.kinds, findings.folder, Counter(), Counter(), Counter())
        self._rss = 0.0
        self._next_minute = 0.0
        self._over = False

    async def one(self, name: str) -> tuple[bytes, bytes]:
        """Send a case, and look at the answer; answers both."""
        case = case_of(self.findings.seed, name, self.world)
        surface, _, number = name.partition(":")
        self.report.cases[surface] += 1
        if isinstance(case, Commands):
            sent = await delivery.command(case, self.redis) if self.redis is not None else b""
            await asyncio.sleep(0.05)  # or most of what is sent would be this
            self.findings.recent.append((name, sent))
            return sent, b""
        try:
            address = delivery.address_of(int(number))
            sent, heard = await delivery.send(case, self.world, self.target.port, address)
        except delivery.NoAnswer as error:
            self.findings.of_case("did not answer what was asked as it should be", name, error.args[0], b"")
            return error.args[0], b""
        self.findings.recent.append((name, sent))
        self._count(case, heard)
        for words in inspection.of_answer(sent, heard, self.secrets, notes_allowed=case.notes_allowed):
            self.findings.of_case(words, name, sent, heard)
        return sent, heard

    def _count(self, case: Case, heard: bytes) -> None:
        for line in re.findall(rb"^HTTP/1\.1 (\d\d\d [A-Za-z -]+)", heard, re.MULTILINE):
            self.report.answers[line.decode()] += 1
        self.report.closes.update(inspection.closes(heard))
        if not heard:
            self.report.answers["no answer"] += 1

    async def attack(self, surface: str, numbers: Iterator[int]) -> None:
        """Send one case after the other until told to stop."""
        for number in numbers:
            if self._over:
                return
            try:
                await self.one(f"{surface}:{number}")
            except OSError as error:
                if self.target.exit_code is not None:
                    return
                self.report.answers[f"refused: {type(error).__name__}"] += 1
                await asyncio.sleep(0.1)
            await asyncio.sleep(0)

    async def watch(self) -> None:
        """Look at the process and its log until it has ended, or until cancelled."""
        while True:
            self.look()
            if self.target.exit_code is not None:
                self.findings.of_server(f"died, with exit code {self.target.exit_code}")
                return
            await asyncio.sleep(0.1)

    def look(self) -> None:
        """At the log and the memory."""
        for line in self.target.new_lines():
            for words in inspection.of_log(line, self.secrets):
                self.findings.of_server(words, line.replace("\\n", "\n"))
        now, rss = time.monotonic(), self.target.rss_mib()
        self._rss = max(self._rss, rss)
        if now >= self._next_minute:
            self._next_minute = now + 60
            self.report.each_minute_mib.append(rss)

    async def run(self, seconds: float, surfaces: Mapping[str, int] = TOGETHER) -> Report:
        """Attack for so long; the first third warms the server up: caches of statements take minutes to be full."""
        before, descriptors = self.target.rss_mib(), self.target.descriptors()
        watching = asyncio.create_task(self.watch())
        numbers = {surface: count() for surface in surfaces}
        attacking = [
            asyncio.create_task(self.attack(surface, numbers[surface]))
            for surface, together in surfaces.items()
            for _ in range(together)
        ]
        try:
            await self._unless_it_ends(watching, attacking, seconds / 3)
            warm = self.target.rss_mib()
            self.findings.say(f"warm after {self.report.cases.total():,} cases: {warm:.0f} MiB")
            await self._unless_it_ends(watching, attacking, seconds * 2 / 3)
        finally:
            self._over = True  # rather than cancelled alone: redis-py on Python 3.11 swallows cancellations
            for task in (*attacking, watching):
                task.cancel()
            ended = await asyncio.gather(*attacking, watching, return_exceptions=True)
        for each in ended:
            if isinstance(each, Exception):
                raise each
        await self._settle(warm, descriptors)
        self.report.rss_mib = [before, warm, self._rss, self.target.rss_mib()]
        return self.report

    async def _unless_it_ends(
        self, watching: asyncio.Task[None], attacking: list[asyncio.Task[None]], seconds: float
    ) -> None:
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0 and not watching.done():
            await asyncio.wait({watching}, timeout=min(left, 1))
            for task in attacking:
                if task.done():
                    task.result()

    async def _settle(self, warm: float, descriptors: int) -> None:
        """Everybody has gone: so must have what they took."""
        if self.target.exit_code is not None:
            return
        deadline = time.monotonic() + SETTLE_SECONDS
        self.findings.say(f"everybody has gone, after {self.report.cases.total():,} cases")
        while True:
            self.look()
            growth, left = self.target.rss_mib() - warm, self.target.descriptors() - descriptors
            if growth <= MOST_GROWTH_MIB and left <= MOST_DESCRIPTORS:
                break
            if time.monotonic() > deadline:
                if growth > MOST_GROWTH_MIB:
                    self.findings.of_server(f"kept {growth:.0f} MiB of memory")
                if left > MOST_DESCRIPTORS:
                    self.findings.of_server(f"kept {left} descriptors open")
                break
            await asyncio.sleep(0.2)
        if self._rss - warm > MOST_AT_ONCE_MIB:
            self.findings.of_server(f"took {self._rss - warm:.0f} MiB of memory at once")
