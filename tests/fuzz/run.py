"""Run the fuzzer: `./dev fuzz --minutes M`, or in a short form from the tests."""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import httpx2
from redis.asyncio import Redis
from redis.exceptions import RedisError

from memberstaff.access import Role
from tests.fuzz import inspection
from tests.fuzz.bystander import Bystander
from tests.fuzz.cases import World
from tests.fuzz.findings import Findings
from tests.fuzz.fuzzer import SETTLE_SECONDS, SURFACES, TOGETHER, Fuzzer
from tests.fuzz.report import Report
from tests.fuzz.target import BYSTANDER, CHANNEL, Office, Target, memberstaff
from tests.infrastructure.postgres import PostgresServer
from tests.infrastructure.process import running
from tests.infrastructure.redis import RedisServer
from tests.installation import email
from tests.web import web_client


async def fuzz(
    database_url: str,
    redis_url: str,
    folder: Path,
    *,
    seed: int,
    kept: Path,
    seconds: float = 0,
    surfaces: Mapping[str, int] = TOGETHER,
    cases: Sequence[str] = (),
    say: Callable[[str], None] = lambda _: None,
) -> Report:
    """Attack a `memberstaff serve` for so long, or with these cases alone; findings are written to `kept`."""
    office = Office(database_url)
    target = memberstaff(database_url, redis_url, folder)
    await office.furnish()
    world = await office.world()
    findings = Findings(kept, seed, say)
    redis = Redis.from_url(redis_url, socket_timeout=5)
    bystander = Bystander(target, findings.of_server)
    fuzzer = Fuzzer(target, world, findings, redis)
    try:
        target.start()
        for role in Role:
            _, world.refresh_tokens[role] = await bystander.login(email(role))
        bystander.token, refresh_token = await bystander.login(BYSTANDER)
        helpers = [
            asyncio.create_task(bystander.run()),
            asyncio.create_task(_restore(office, target, world)),
            asyncio.create_task(_capture(redis_url, world)),
        ]
        fuzzer.secrets = office.secrets | {
            "the bystander's access token": bystander.token,
            "the bystander's refresh token": refresh_token,
        }
        try:
            for name in cases:
                sent, heard = await fuzzer.one(name)
                say(f"{name} sent {sent[:2_000]!r}\n{name} heard {heard[:2_000]!r}")
                await asyncio.sleep(0.3)  # for the log
                fuzzer.look()
            if not cases:
                await fuzzer.run(seconds, surfaces)
                await _recover(target, redis, findings)
        finally:
            for task in helpers:
                task.cancel()
            ended = await asyncio.gather(*helpers, return_exceptions=True)
        for each in ended:
            if isinstance(each, Exception) and target.exit_code is None:
                raise each
        target.stop()
        fuzzer.look()  # at what it says when it stops
    finally:
        target.stop()
        await office.close()
        await redis.aclose()
    fuzzer.report.answered, fuzzer.report.seen = bystander.answered, bystander.seen
    return fuzzer.report


WHOAMI = "{ viewer { role } }"


async def _restore(office: Office, target: Target, world: World) -> None:
    """Give the attackers' accounts back what attackers took from them: their role, and a session."""
    async with web_client(timeout=30) as client:
        while True:
            for role in Role:
                headers = {"Authorization": f"Bearer {world.tokens[role]}"}
                with suppress(httpx2.HTTPError, OSError):
                    answer = await client.post(f"{target.http}/graphql", json={"query": WHOAMI}, headers=headers)
                    if f'"role":"{role}"' not in answer.text:
                        world.tokens.update(await office.tokens())
                        break
            await asyncio.sleep(1)


async def _capture(redis_url: str, world: World) -> None:
    """Listen to what the servers tell one another, for it to be repeated and mutated."""
    while True:
        with suppress(RedisError, OSError):
            async with Redis.from_url(redis_url) as client, client.pubsub() as pubsub:
                await pubsub.subscribe(CHANNEL)
                while True:
                    message = await pubsub.get_message(ignore_subscribe_messages=True, timeout=60)
                    if message is not None and len(message["data"]) < 10_000:
                        world.captured = message["data"]
        await asyncio.sleep(0.2)


async def _recover(target: Target, redis: Redis, findings: Findings) -> None:
    """When Redis is its own again, the server must be well again."""
    with suppress(RedisError):
        await redis.flushall()
    deadline, said = time.monotonic() + SETTLE_SECONDS, ""
    async with web_client(timeout=30) as client:
        while time.monotonic() < deadline and target.exit_code is None:
            with suppress(httpx2.HTTPError):
                answer = await client.get(f"{target.http}/health/ready")
                said = f"{answer.status_code} {answer.text}"
                if answer.status_code == 200 and answer.json()["live"] == "well":
                    return
            await asyncio.sleep(0.2)
    findings.of_server(f"was not well again: {said}")


def main() -> int:
    """The long form."""
    parser = argparse.ArgumentParser(prog="./dev fuzz", description="Feed the server what nobody should send it.")
    parser.add_argument("--minutes", type=float, default=10, help="default: 10")
    parser.add_argument("--seed", type=int, default=None, help="the same seed makes the same cases")
    parser.add_argument("--surface", nargs="+", choices=SURFACES, default=list(SURFACES), help="default: all")
    parser.add_argument("--case", nargs="+", default=[], metavar="NAME", help="these alone, such as http:17")
    parser.add_argument("--sqlite", action="store_true", help="on SQLite; default: on PostgreSQL")
    parser.add_argument(
        "--findings", type=Path, default=inspection.ROOT / ".cache" / "fuzz", help="default: .cache/fuzz"
    )
    options = parser.parse_args()
    seed = options.seed if options.seed is not None else random.randrange(10**6)
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory(prefix="ms-fuzz-") as name, running(RedisServer(Path(name) / "redis")) as redis:
        folder = Path(name)

        def run(database_url: str) -> Report:
            return asyncio.run(
                fuzz(
                    database_url,
                    redis.url,
                    folder,
                    seed=seed,
                    kept=options.findings.resolve() / time.strftime("%Y-%m-%d-%H-%M-%S"),
                    seconds=60 * options.minutes,
                    surfaces={surface: TOGETHER[surface] for surface in options.surface},
                    cases=options.case,
                    say=lambda words: print(words, flush=True),
                )
            )

        if options.sqlite:
            report = run(f"sqlite+aiosqlite:///{folder / 'fuzz.db'}")
        else:
            with running(PostgresServer()) as postgres:
                report = run(postgres.create_database())
    print(report)
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
