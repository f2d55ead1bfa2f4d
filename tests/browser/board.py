"""The board as a person sees it: rows by name, and what can be pressed."""

from __future__ import annotations

import re

from playwright.async_api import Locator, Page, expect

PRESSED = re.compile("true")


class Board:
    """The board in a tab."""

    def __init__(self, page: Page) -> None:
        self.page = page

    @property
    def rows(self) -> Locator:
        """Everybody who is drawn."""
        return self.page.locator(".row")

    @property
    def light(self) -> Locator:
        """The connection light."""
        return self.page.locator("[data-light]")

    async def open(self, path: str = "/") -> None:
        """Go there, and wait until it is live."""
        await self.page.goto(path)
        await self.is_live()

    async def is_live(self) -> None:
        """Wait until the light says so."""
        await expect(self.light).to_have_attribute("data-light", "live")

    async def names(self, status: str, count: int = 1) -> list[str]:
        """The first people with this status."""
        rows = self.rows.filter(has=self.page.locator(f'.status [data-status="{status}"]'))
        await expect(rows.nth(count - 1)).to_be_attached()
        return [await rows.nth(index).locator("strong").inner_text() for index in range(count)]

    def row(self, name: str) -> Locator:
        """Somebody's row."""
        return self.rows.filter(has=self.page.get_by_text(name, exact=True))

    async def mark(self, name: str, status: str) -> None:
        """Press the button of a status."""
        await self.row(name).get_by_role("button", name=f"{status}: {name}", exact=True).click()

    async def shows(self, name: str, status: str) -> None:
        """Wait until somebody's status is this one, in words."""
        await expect(self.row(name).locator(".status")).to_have_text(status)

    async def count(self, status: str) -> int:
        """What the filter's button says."""
        return int(await self.page.locator(f'.chip[data-status="{status}"] .count').inner_text())

    def said(self, text: str | re.Pattern[str]) -> Locator:
        """What is said at the lower edge."""
        return self.page.locator(".toast").filter(has_text=text)
