"""The README's pictures: taken by each run, and kept when MEMBERSTAFF_PICTURES=true says so."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import expect

from memberstaff.access import Role
from tests.browser.board import Board
from tests.browser.conftest import OpenPage
from tests.clock import TurnedClock

IMAGES = Path(__file__).resolve().parents[2] / "docs" / "images"
LARGEST = 400_000
"""Bytes of a picture: they are part of every checkout."""

LAPTOP = {"width": 1280, "height": 800}
PICTURES: dict[str, tuple[Role, str, dict[str, Any]]] = {
    "board-light": (Role.MARKER, "/", {"viewport": LAPTOP, "color_scheme": "light"}),
    "board-dark": (Role.MARKER, "/", {"viewport": LAPTOP, "color_scheme": "dark"}),
    "board-phone": (Role.MARKER, "/", {"viewport": {"width": 390, "height": 844}, "has_touch": True}),
    "wall": (Role.VIEWER, "/wall", {"viewport": {"width": 1600, "height": 900}, "color_scheme": "dark"}),
    "summary": (Role.ADMIN, "/summary", {"viewport": LAPTOP, "color_scheme": "light"}),
}


@pytest.mark.parametrize("name", PICTURES)
async def test_a_picture_shows_what_is_there(
    open_page: OpenPage, clock: TurnedClock, tmp_path: Path, name: str
) -> None:
    role, path, options = PICTURES[name]
    visitor = await open_page(role, reduced_motion="reduce", **options)
    page = visitor.page
    await page.clock.set_fixed_time(clock.instant)
    await page.goto(path)
    if path == "/summary":
        await expect(page.locator(".chart").nth(2)).to_be_visible()
    else:
        await Board(page).is_live()
        await expect(page.locator(".row, .tile").nth(5)).to_be_visible()
    folder = IMAGES if os.environ.get("MEMBERSTAFF_PICTURES") == "true" else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=folder / f"{name}.png")
    assert 10_000 < (folder / f"{name}.png").stat().st_size < LARGEST
