"""The reference of the schema: found from the playground, readable for everybody, on a phone and in the dark."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.async_api import expect

from memberstaff.access import Role
from tests.browser.axe import violations
from tests.browser.conftest import OpenPage

DESK: dict[str, Any] = {"viewport": {"width": 1360, "height": 900}, "color_scheme": "light"}
PHONE: dict[str, Any] = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["at a desk", "on a phone, in the dark"])
async def test_whoever_has_no_login_reads_it_without_a_script(open_page: OpenPage, options: dict[str, Any]) -> None:
    visitor = await open_page(java_script_enabled=False, **options)
    page = visitor.page
    await page.goto("/reference#AttendanceStatus")
    await expect(page.locator("#AttendanceStatus")).to_be_in_viewport()
    await expect(page.locator("#AttendanceStatus\\.HALF_DAY")).to_contain_text("At work for half of the day.")
    await page.get_by_role("link", name="feedCursor", exact=True).first.click()
    await expect(page).to_have_url(f"{visitor.home}/reference#Attendance.feedCursor")


@pytest.mark.parametrize("options", [DESK, PHONE], ids=["at a desk", "on a phone, in the dark"])
async def test_nothing_on_it_is_in_the_way_of_anybody(open_page: OpenPage, options: dict[str, Any]) -> None:
    page = (await open_page(**options)).page
    await page.goto("/reference")
    assert await violations(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_the_playground_leads_to_it_and_it_leads_back_and_to_the_schema(open_page: OpenPage) -> None:
    visitor = await open_page(Role.ADMIN)
    page = visitor.page
    await page.goto("/graphiql")
    await page.get_by_role("link", name="Reference").click()
    await expect(page).to_have_title("memberstaff: the schema")
    await page.get_by_role("link", name="schema.graphql").click()
    await expect(page.locator("body")).to_contain_text("type AttendanceDay implements Node")
    await page.go_back()
    await page.get_by_role("link", name="Playground").click()
    await expect(page.locator(".graphiql-container")).to_be_visible()
