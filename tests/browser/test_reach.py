"""For everybody: by keyboard, by screen reader, on a phone, in light and dark, under a strict policy."""

from __future__ import annotations

from typing import Literal

import pytest
from playwright.async_api import expect

from memberstaff.access import Role
from tests.browser.axe import violations
from tests.browser.board import Board
from tests.browser.conftest import OpenPage
from tests.installation import PASSWORD, email

Scheme = Literal["light", "dark"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_on_any_page(open_page: OpenPage, scheme: Scheme) -> None:
    page = (await open_page(Role.ADMIN, color_scheme=scheme, reduced_motion="reduce")).page
    pages = {
        "/": ".row",
        "/day/2026-01-09": ".row",
        "/?q=nobody": ".empty",
        "/summary": ".chart",
        "/staff": ".person",
        "/accounts": "td strong",
        "/import": ".drop",
        "/nowhere": ".empty",
        "/wall": ".tile",
    }
    for path, ready in pages.items():
        await page.goto(path)
        await expect(page.locator(ready).first).to_be_visible()
        assert (path, await violations(page)) == (path, [])


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_in_dialogs_nor_at_the_login(open_page: OpenPage, scheme: Scheme) -> None:
    board = Board((await open_page(Role.ADMIN, color_scheme=scheme, reduced_motion="reduce")).page)
    page = board.page
    await board.open()
    [name] = await board.names("UNMARKED")
    await board.mark(name, "Late")
    await expect(board.said(name)).to_be_visible()
    assert await violations(page) == []
    for opener in (
        f"Note for {name}",
        f"History for {name}",
        "Keyboard shortcuts",
        "Day settings",
        "Mark the rest present",
    ):
        await page.get_by_role("button", name=opener, exact=True).first.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert (opener, await violations(page)) == (opener, [])
        await page.keyboard.press("Escape")
        await expect(page.get_by_role("dialog")).to_have_count(0)
    await page.locator(".account summary").click()
    assert await violations(page) == []
    await page.get_by_role("button", name="Change password").click()
    await expect(page.get_by_role("dialog")).to_be_visible()
    assert await violations(page) == []
    forms = (
        ("/staff", "Add person"),
        ("/staff", "Edit "),
        ("/accounts", "Add account"),
        ("/accounts", "Edit "),
    )
    for path, opener in forms:
        await page.goto(path)
        await page.get_by_role("button", name=opener).first.click()
        await expect(page.get_by_role("dialog")).to_be_visible()
        assert (path, opener, await violations(page)) == (path, opener, [])
    login = (await open_page(color_scheme=scheme)).page
    await login.goto("/")
    await expect(login.get_by_role("heading", name="Log in")).to_be_visible()
    assert await violations(login) == []


async def test_a_morning_by_keyboard_alone(open_page: OpenPage) -> None:
    page = (await open_page()).page
    await page.goto("/")
    await expect(page.get_by_label("Email")).to_be_focused()
    await page.keyboard.type(email(Role.MARKER))
    await page.keyboard.press("Tab")
    await page.keyboard.type(PASSWORD)
    await page.keyboard.press("Enter")
    board = Board(page)
    await board.is_live()
    [name] = await board.names("UNMARKED")
    await page.keyboard.press("/")
    await page.keyboard.type(name)
    await expect(board.rows).to_have_count(1)
    for _ in range(4):
        await page.keyboard.press("Tab")
    await expect(board.row(name)).to_be_focused()
    await page.keyboard.press("2")
    await board.shows(name, "Late")
    await page.keyboard.press("n")
    await page.keyboard.type("Train delayed")
    await page.keyboard.press("Control+Enter")
    await expect(board.row(name).locator(".remark")).to_contain_text("Train delayed")
    await expect(board.row(name)).to_be_focused()  # a dialog gives the focus back
    await page.keyboard.press("Control+z")
    await expect(board.row(name).locator(".remark")).not_to_contain_text("Train delayed")
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("0")
    await board.shows(name, "Unmarked")


async def test_arrow_keys_go_from_person_to_person(open_page: OpenPage) -> None:
    board = Board((await open_page(Role.MARKER)).page)
    await board.open("/?status=UNMARKED")
    await board.rows.first.focus()
    await board.page.keyboard.press("ArrowDown")
    await expect(board.rows.nth(1)).to_be_focused()
    second, third = board.rows.nth(1), await board.rows.nth(2).get_attribute("data-id")
    before = await second.get_attribute("data-id")
    await board.page.keyboard.press("1")  # whoever is marked leaves the filtered list; the next one has the focus
    await expect(board.page.locator(f'[data-id="{before}"]')).to_have_count(0)
    await expect(board.page.locator(f'[data-id="{third}"]')).to_be_focused()
    await board.page.keyboard.press("End")
    await expect(board.rows.last).to_be_focused()
    await board.page.keyboard.press("Home")
    await expect(board.rows.first).to_be_focused()


@pytest.mark.parametrize("width", [360, 768, 1280, 1920])
async def test_nothing_is_wider_than_the_screen(open_page: OpenPage, width: int) -> None:
    page = (await open_page(Role.ADMIN, viewport={"width": width, "height": 740})).page
    for path, ready in {"/": ".row", "/wall": ".tile", "/summary": ".chart", "/staff": ".person"}.items():
        await page.goto(path)
        await expect(page.locator(ready).first).to_be_visible()
        wide: int = await page.evaluate("() => document.documentElement.scrollWidth")
        assert (path, wide) == (path, width)


async def test_on_a_phone_a_thumb_finds_every_button(open_page: OpenPage) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "has_touch": True, "is_mobile": True}
    board = Board((await open_page(Role.MARKER, **phone)).page)
    await board.open()
    [name] = [await board.rows.first.locator("strong").inner_text()]
    for button in await board.rows.first.get_by_role("button").all():
        box = await button.bounding_box()
        assert box is not None
        assert (box["width"] >= 40, box["height"] >= 44) == (True, True), box
    await board.row(name).get_by_role("button", name=f"On leave: {name}").tap()
    await expect(board.said(f"{name}: On leave.")).to_be_visible()


async def test_the_page_runs_under_the_policy_and_without_inline_anything(open_page: OpenPage) -> None:
    visitor = await open_page(Role.MARKER)
    response = await visitor.page.goto("/")
    assert response is not None
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "unsafe" not in policy
    await Board(visitor.page).is_live()
    await visitor.page.evaluate("() => { document.body.insertAdjacentHTML('beforeend', '<p style=color:red>') }")
    await expect(visitor.page.locator("body > p")).not_to_have_css("color", "rgb(255, 0, 0)")
    visitor.expects("style-src-attr|Content Security Policy")
    assert [problem for problem in visitor.problems if "content policy: style-src-attr" in problem] != []
