"""What the server delivers works in a browser under its content policy: the dashboard and the playground as built."""

from __future__ import annotations

import pytest
from playwright.async_api import expect

from memberstaff.access import Role
from tests.browser.conftest import OpenPage
from tests.browser.house import House


@pytest.mark.parametrize("path", ["/", "/login", "/graphiql"])
async def test_a_page_of_the_build_appears_without_a_complaint_of_the_browser(open_page: OpenPage, path: str) -> None:
    visitor = await open_page(Role.ADMIN)
    await visitor.page.goto(path)
    await expect(visitor.page.locator("#root")).not_to_be_empty()


async def test_a_house_comes_back_at_its_address_with_what_it_knew(open_page: OpenPage, house: House) -> None:
    home = house.home
    visitor = await open_page(Role.VIEWER)
    await house.restart()
    assert house.home == home
    await visitor.page.goto("/")
    await expect(visitor.page.locator("#root")).not_to_be_empty()
