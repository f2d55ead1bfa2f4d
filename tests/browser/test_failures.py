"""What fails in the dashboard itself says so, leaves the rest usable, and never reloads in a loop."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from memberstaff.access import Role
from tests.browser.axe import violations
from tests.browser.board import Board
from tests.browser.conftest import OpenPage
from tests.browser.house import MORNING
from tests.browser.visitor import Visitor

CODE = "**/assets/SummaryPage-*.js"
STYLES = "**/assets/SummaryPage-*.css"
LOGGED = "status of 404|could not be loaded|TypeError|React error #31|ERR_INTERNET_DISCONNECTED"
"""What Chromium and React write into the console about it."""


async def gone(route: Route) -> None:
    """Answer as the server does for a file of an older build."""
    await route.fulfill(status=404, content_type="text/plain", body="There is nothing here.")


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


@pytest.mark.parametrize("file", [CODE, STYLES])
async def test_a_page_whose_file_is_gone_is_reloaded_once_after_each_upgrade(open_page: OpenPage, file: str) -> None:
    visitor, loaded = await at_the_board(open_page)
    page = visitor.page

    async def gone_until_the_reload(route: Route) -> None:
        await (route.continue_() if loaded else gone(route))

    await page.route(file, gone_until_the_reload)
    for _ in range(2):
        await page.goto("/")
        loaded.clear()
        await page.get_by_role("link", name="Summary").click()
        await expect(page.locator(".chart").first).to_be_visible()
        assert loaded == [f"{visitor.home}/summary"]
    await expect(page.get_by_role("alert").filter(has_text="could not be loaded")).to_have_count(0)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_a_page_whose_file_stays_away_says_so_and_the_navigation_works(open_page: OpenPage, scheme: str) -> None:
    visitor, loaded = await at_the_board(open_page, color_scheme=scheme, reduced_motion="reduce")
    page = visitor.page
    message = page.get_by_role("alert").filter(has_text="This page could not be loaded")
    await page.route(CODE, gone)
    await page.get_by_role("link", name="Summary").click()
    await expect(message).to_be_visible()
    assert loaded == [f"{visitor.home}/summary"]
    assert await violations(page) == []
    await page.get_by_role("link", name="Board").click()
    await Board(page).is_live()
    await expect(page.locator(".row").first).to_be_visible()
    await page.get_by_role("link", name="Summary").click()
    await expect(message).to_be_visible()
    assert len(loaded) == 1
    await page.unroute(CODE)
    await page.get_by_role("button", name="Reload").click()
    await expect(page.locator(".chart").first).to_be_visible()
    assert len(loaded) == 2


async def test_a_page_that_is_opened_without_a_connection_is_not_reloaded(open_page: OpenPage) -> None:
    visitor, loaded = await at_the_board(open_page)
    page = visitor.page
    await visitor.context.set_offline(True)
    await page.get_by_role("link", name="Summary").click()
    await expect(page.get_by_role("alert").filter(has_text="This page could not be loaded")).to_be_visible()
    await page.get_by_role("link", name="Board").click()
    await expect(page.locator(".row").first).to_be_visible()
    assert loaded == []
    await visitor.context.set_offline(False)
    await page.get_by_role("link", name="Summary").click()
    await page.get_by_role("button", name="Reload").click()
    await expect(page.locator(".chart").first).to_be_visible()


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
