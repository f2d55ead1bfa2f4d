"""A real Chromium in front of a real server.

async def test_…(open_page: OpenPage) -> None:
    front_desk = await open_page(Role.MARKER)
    await front_desk.page.goto("/")
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol
from uuid import uuid4

import pytest
from playwright.async_api import Browser, async_playwright, expect

from memberstaff.access import Role
from tests.browser.house import MORNING, House, furnish_school
from tests.browser.visitor import Visitor, visiting
from tests.clock import TurnedClock
from tests.databases import Databases, Engine
from tests.infrastructure.browser import Chromium, find
from tests.infrastructure.redis import Redis
from tests.waiting import WAIT_SECONDS

expect.set_options(timeout=WAIT_SECONDS * 1000)


class OpenPage(Protocol):
    """Opens a browser of its own for an account with this role, or for nobody."""

    def __call__(self, role: Role | None = None, **options: Any) -> Awaitable[Visitor]:
        """Options are those of Playwright's `new_context`, such as `viewport` and `color_scheme`."""


@pytest.fixture(scope="session")
def chromium() -> Chromium:
    """The browser that pytest's header names."""
    return find()


@pytest.fixture(scope="session")
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """A running one, that all tests share; each opens contexts of its own."""
    async with async_playwright() as playwright:
        browser = await chromium.launch(playwright)
        yield browser
        await browser.close()


@pytest.fixture
def engine() -> Engine:
    """Browser tests run once, on the database that installations have."""
    return "postgresql"


@pytest.fixture
def clock() -> TurnedClock:
    """The server's: it stands still at MORNING until a test turns it. The browser's own is today's."""
    return TurnedClock(MORNING)


@pytest.fixture
async def school_url(engine: Engine, databases: Databases) -> AsyncIterator[str]:
    """The address of the school's database, in which it is MORNING."""
    async with databases.fresh(engine, furnish_school) as url:
        yield url


@pytest.fixture
async def house(school_url: str, redis_server: Redis, clock: TurnedClock) -> AsyncIterator[House]:
    """A school with 60 people, three accounts and the playground, whose day is half marked."""
    house = House(
        school_url,
        clock,
        broadcast_url=redis_server.url,
        broadcast_channel=uuid4().hex,
        demo=True,
        organisation="Hill",
    )
    await house.start()
    yield house
    await house.stop()


@pytest.fixture
async def open_page(browser: Browser, house: House) -> AsyncIterator[Callable[..., Awaitable[Visitor]]]:
    """Opens browsers on the house, closes them, and fails the test when something went wrong in one of them."""
    async with AsyncExitStack() as visitors:

        async def open_one(role: Role | None = None, **options: Any) -> Visitor:
            return await visitors.enter_async_context(visiting(browser, house.home, role, **options))

        yield open_one
