"""The servers and databases that tests ask for by name."""

from __future__ import annotations

import gc
import os
import platform
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Generator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from sqlalchemy import make_url
from structlog import dev

from schema.asgi import tune_collector
from tests.clock import TurnedClock
from tests.compiled import share
from tests.databases import Databases, Engine
from tests.infrastructure import browser, postgres, redis
from tests.infrastructure.postgres import Postgres, PostgresServer
from tests.infrastructure.process import NotFound, running
from tests.infrastructure.redis import Redis, RedisServer
from tests.infrastructure.replication import ReplicatedPostgres
from tests.installation import Installation, furnish, install

# As in the program's own log: with all variables and in colours, a traceback takes seconds.
dev.ConsoleRenderer.get_active().exception_formatter = dev.plain_traceback

share()

settings.register_profile("memberstaff", deadline=None, suppress_health_check=[HealthCheck.too_slow])  # no stopwatch
settings.load_profile("memberstaff")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect garbage as a server does: without looking through what was imported again and again."""
    gc.disable()
    collected = yield
    tune_collector()
    gc.enable()
    return collected


def pytest_report_header() -> list[str]:
    """Say what the tests run against; a missing server stops them here, with what to install."""
    try:
        return [redis.describe(), postgres.describe(), browser.describe(), f"python: {platform.python_version()}"]
    except NotFound as missing:
        raise pytest.UsageError(str(missing)) from None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how long each folder's tests took, all workers together."""
    took: dict[str, float] = defaultdict(float)
    tests: Counter[str] = Counter()
    for report in (each for kind in terminalreporter.stats.values() for each in kind):
        if isinstance(report, pytest.TestReport):
            folder = report.nodeid.removeprefix("tests/").partition("/")[0]
            took[folder] += report.duration
            tests[folder] += report.when == "call"
    for folder, seconds in sorted(took.items(), key=lambda each: -each[1]):
        terminalreporter.write_line(f"tests/{folder}: {tests[folder]} tests in {seconds:.0f} s")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The server runs on asyncio only."""
    return "asyncio"


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    """A Redis that all tests share; each uses a channel of its own, and none breaks it."""
    if url := os.environ.get(redis.ADDRESS):
        yield Redis(url)
        return
    with running(RedisServer(tmp_path_factory.mktemp("redis"))) as server:
        yield server


@pytest.fixture
def own_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A Redis of this test's own, to be killed, paused and restarted."""
    with running(RedisServer(tmp_path_factory.mktemp("own-redis"))) as server:
        yield server


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """A PostgreSQL that all tests share; each makes a database of its own."""
    if url := os.environ.get(postgres.ADDRESS):
        yield postgres.Server(make_url(url))
        return
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
def own_postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL of this test's own, to be restarted."""
    with running(PostgresServer()) as server:
        yield server


@pytest.fixture
def own_replicated_postgres() -> Iterator[ReplicatedPostgres]:
    """A PostgreSQL of this test's own with a standby, to be failed over."""
    with running(ReplicatedPostgres()) as server:
        yield server


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory, postgres_server: Postgres) -> Iterator[Databases]:
    """Where tests get migrated databases from."""
    made = Databases(tmp_path_factory.mktemp("databases"), postgres_server)
    yield made
    made.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """Which kind of database; a test that asks for one runs once for each."""
    return request.param  # type: ignore[no-any-return]


@pytest.fixture
async def database_url(engine: Engine, databases: Databases) -> AsyncIterator[str]:
    """The address of a migrated, empty database of this test's own."""
    async with databases.fresh(engine) as url:
        yield url


@pytest.fixture
async def furnished_url(engine: Engine, databases: Databases) -> AsyncIterator[str]:
    """The address of a database in which there are an account for each role and four people: `install` takes less."""
    async with databases.fresh(engine, furnish) as url:
        yield url


@pytest.fixture
def clock() -> TurnedClock:
    """Monday 12 January 2026, 08:00 UTC, until a test turns it."""
    return TurnedClock()


@pytest.fixture
def installation_settings() -> dict[str, Any]:
    """The settings of `installation`, for folders and modules to choose; the defaults."""
    return {}


@pytest.fixture
async def installation(
    furnished_url: str, clock: TurnedClock, installation_settings: dict[str, Any]
) -> AsyncIterator[Installation]:
    """One server on one database, with an administrator, a marker, a viewer and four people."""
    async with install(furnished_url, clock=clock, **installation_settings) as installed:
        yield installed
