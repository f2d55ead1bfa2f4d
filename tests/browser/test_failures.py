"""What fails in the dashboard itself says so, leaves the rest usable, and never reloads in a loop."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from playwright.async_api import Page, Route, expect

from memberstaff.access import Role
from tests.browser.axe import violations
from tests.browser.board import Board
from tests.browser.conftest import MORNING, OpenPage
from tests.browser.visitor import Visitor

LOGGED = "TypeError|React error #31"
"""What Chromium and React write into the console about it."""


def broken(operation: str, breaks: Callable[[Any], None]) -> Callable[[Route], Awaitable[None]]:
    """Let an operation's answer break the page that renders it."""

    async def answer(route: Route) -> None:
        if json.loads(route.request.post_data or "{}").get("operationName") != operation:
            await route.fallback()
            return
        response = await route.fetch()
        body = await response.json()
        breaks(body["data"])
        await route.fulfill(response=response, json=body)

    return answer


def without_days(data: Any) -> None:
    """A report that the summary cannot show."""
    for category in data["attendanceReport"]["categories"]:
        category["days"] = None


def with_an_odd_label(data: Any) -> None:
    """A day that the wall cannot show."""
    data["attendanceDay"]["label"] = {"en": "Sports day"}


def documents(page: Page) -> list[str]:
    """Grows with each load of the whole page."""
    loaded: list[str] = []
    page.on("request", lambda request: loaded.append(request.url) if request.resource_type == "document" else None)
    return loaded


async def at_the_board(open_page: OpenPage, **options: Any) -> tuple[Visitor, list[str]]:
    """Somebody whose board is live, and the documents that are loaded from here on."""
    visitor = await open_page(Role.ADMIN, **options)
    visitor.expects(LOGGED)
    await Board(visitor.page).open()
    return visitor, documents(visitor.page)


async def test_a_page_that_throws_leaves_the_others_usable(open_page: OpenPage) -> None:
    visitor, loaded = await at_the_board(open_page)
    page = visitor.page
    await page.route("**/graphql", broken("Report", without_days))
    await page.get_by_role("link", name="Summary").click()
    message = page.get_by_role("alert").filter(has_text="Something went wrong")
    await expect(message).to_be_visible()
    await page.get_by_role("link", name="Staff").click()
    await expect(page.locator(".person").first).to_be_visible()
    await expect(message).to_have_count(0)
    assert loaded == []
    await page.unroute("**/graphql")
    await page.get_by_role("link", name="Summary").click()
    await page.get_by_role("button", name="Reload").click()
    await expect(page.locator(".chart").first).to_be_visible()


async def test_a_wall_display_recovers_by_itself_and_takes_its_time(open_page: OpenPage) -> None:
    visitor = await open_page(Role.VIEWER, viewport={"width": 1920, "height": 1080})
    visitor.expects(LOGGED)
    page, loaded = visitor.page, documents(visitor.page)
    message = page.get_by_role("alert").filter(has_text="This display will reload automatically")
    await page.clock.install(time=MORNING)
    await page.route("**/graphql", broken("DayBoard", with_an_odd_label))
    await page.goto("/wall")
    await expect(message).to_be_visible()
    assert await violations(page) == []
    await page.clock.fast_forward("00:09")
    assert len(loaded) == 1
    async with page.expect_event("load"):
        await page.clock.fast_forward("00:06")  # ten seconds, and up to half as many again
    await expect(message).to_be_visible()
    await page.clock.fast_forward("00:19")  # the second time it is twenty
    assert len(loaded) == 2
    await page.unroute("**/graphql")
    await page.clock.fast_forward("00:11")
    await expect(page.locator(".tile").first).to_be_visible()
    await Board(page).is_live()
    assert len(loaded) == 3
