"""What administrators do here, the login, the wall, the summary and the playground."""

from __future__ import annotations

import re

from playwright.async_api import expect

from memberstaff.access import Role
from tests.browser.board import Board
from tests.browser.conftest import OpenPage
from tests.browser.house import House
from tests.installation import PASSWORD, email

ROSTER = "name;category;external_ref\nAda Lovelace;Teaching;X1\nGrace Hopper;Teaching;X2\n"


async def test_a_wrong_password_says_so_and_a_right_one_shows_the_board(open_page: OpenPage) -> None:
    page = (await open_page()).page
    await page.goto("/day/2026-01-09")
    await page.get_by_label("Email").fill(email(Role.VIEWER))
    await page.get_by_label("Password").fill("not the password")
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_text("The email or the password is wrong.")).to_be_visible()
    await page.get_by_label("Password").fill(PASSWORD)
    await page.get_by_role("button", name="Log in").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Friday 9 January")
    await expect(page.locator(".row").first).to_be_visible()
    cookies = await page.context.cookies()
    assert {(cookie.get("name"), cookie.get("httpOnly"), cookie.get("sameSite")) for cookie in cookies} == {
        (name, True, "Strict") for name in ("memberstaff_refresh", "memberstaff_device")
    }
    assert await page.evaluate("() => [document.cookie, JSON.stringify(localStorage)]") == ["", "{}"]


async def test_a_roster_is_previewed_before_it_is_imported(open_page: OpenPage) -> None:
    admin = (await open_page(Role.ADMIN)).page
    desk = Board((await open_page(Role.MARKER)).page)
    await desk.open("/?q=Lovelace")
    await admin.goto("/import")
    roster = {"name": "roster.csv", "mimeType": "text/csv", "buffer": ROSTER.encode()}
    await admin.locator("input[type=file]").set_input_files(roster)  # type: ignore[arg-type]  # a TypedDict
    await expect(admin.get_by_text("2 new, 0 changed, 0 unchanged.")).to_be_visible()
    await expect(admin.get_by_role("row", name=re.compile("2 New Ada Lovelace"))).to_be_visible()
    await expect(desk.page.get_by_text("No matches.")).to_be_visible()
    await admin.get_by_role("button", name="Import", exact=True).click()
    await expect(admin.get_by_text("Import complete: 2 people added, 0 people updated.")).to_be_visible()
    await expect(desk.row("Ada Lovelace")).to_be_visible()

    bad = {**roster, "buffer": b"name,starts_on\nAda,yesterday\n"}
    await admin.locator("input[type=file]").set_input_files(bad)  # type: ignore[arg-type]
    await expect(admin.get_by_text("Line 2: “yesterday” is not a valid date")).to_be_visible()


async def test_staff_and_accounts_are_managed_here(open_page: OpenPage, house: House) -> None:
    page = (await open_page(Role.ADMIN)).page
    await page.goto("/staff")
    await page.get_by_role("button", name="Add person").click()
    await page.get_by_label("Name").fill("Ada Lovelace")
    await page.get_by_label("Category").fill("Teaching")
    await page.get_by_role("button", name="Save").click()
    await page.get_by_label("Search staff").fill("lovelace")
    await page.get_by_role("button", name="Edit Ada Lovelace").click()
    await page.get_by_label("Category").fill("Leadership")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row", name=re.compile("Ada Lovelace Leadership"))).to_be_visible()

    await page.get_by_role("link", name="Accounts").click()
    await page.get_by_role("button", name="Add account").click()
    await page.get_by_label("Email").fill("desk@school.example")
    await page.get_by_label("Name").fill("Second desk")
    await page.get_by_label("Password").fill("a long password")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row", name=re.compile("Second desk"))).to_contain_text("Marks attendance")
    await page.get_by_role("button", name="Edit account: Second desk").click()
    await page.get_by_label("Disabled").check()
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_role("row", name=re.compile("Second desk"))).to_contain_text("Disabled")


async def test_who_changes_the_password_goes_on_in_every_tab_and_is_logged_out_elsewhere(
    open_page: OpenPage,
) -> None:
    visitor, elsewhere = await open_page(Role.MARKER), await open_page(Role.MARKER)
    one, other, away = visitor.page, await visitor.context.new_page(), elsewhere.page
    for page in (one, other, away):
        await page.goto("/")
        await Board(page).is_live()
    await one.locator(".account summary").click()
    await one.get_by_role("button", name="Change password").click()
    await one.get_by_label("Current password").fill(PASSWORD)
    await one.get_by_label("New password").fill("another long password")
    await one.get_by_role("dialog").get_by_role("button", name="Change password").click()
    await expect(one.get_by_text("Password changed.")).to_be_visible()
    await expect(away.get_by_role("heading", name="Log in")).to_be_visible()
    await expect(away.get_by_text("The session has ended")).to_be_visible()
    for page in (one, other):
        await Board(page).is_live()
    [name] = await Board(one).names("UNMARKED")
    await Board(one).mark(name, "Absent")
    await Board(other).shows(name, "Absent")
    await other.reload()
    await Board(other).is_live()


async def test_who_is_no_administrator_is_told_so(open_page: OpenPage) -> None:
    page = (await open_page(Role.MARKER)).page
    await page.goto("/accounts")
    await expect(page.get_by_role("heading", name="Administrators only")).to_be_visible()
    await expect(page.get_by_role("link", name="Accounts")).to_have_count(0)


async def test_the_wall_shows_who_is_missing_and_follows_the_day(open_page: OpenPage) -> None:
    wall = (await open_page(Role.VIEWER, viewport={"width": 1920, "height": 1080})).page
    desk = Board((await open_page(Role.MARKER)).page)
    await desk.open()
    await wall.goto("/wall")
    await expect(wall.locator("[data-light]")).to_have_attribute("data-light", "live")
    [name] = await desk.names("UNMARKED")
    await desk.mark(name, "Absent")
    await expect(wall.locator(".tile").filter(has_text=name).locator(".pill")).to_have_text("Absent")
    await desk.mark(name, "Present")
    await expect(wall.locator(".tile").filter(has_text=name)).to_have_count(0)
    await expect(wall.get_by_role("button")).to_have_count(0)


async def test_the_summary_shows_each_category_and_has_the_numbers(open_page: OpenPage) -> None:
    page = (await open_page(Role.VIEWER)).page
    await page.goto("/summary")
    await page.get_by_label("Period").select_option("2")
    card = page.get_by_role("region", name="Everybody", exact=True)
    await card.get_by_text("Show as table").click()
    today = card.get_by_role("row").nth(1)
    await expect(today).to_contain_text("Mon 12 Jan")
    cells = [int(text) for text in (await today.locator("td.end").all_inner_texts())[:7]]
    assert sum(cells) == 60
    await today.get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Monday 12 January")


async def test_without_a_playground_the_menu_has_no_link_to_it(open_page: OpenPage, house: House) -> None:
    await house.restart(playground=False)
    page = (await open_page(Role.ADMIN)).page
    await Board(page).open()
    await page.locator(".account summary").click()
    await expect(page.get_by_role("link", name="Wall display")).to_be_visible()
    await expect(page.get_by_role("link", name="API playground")).to_have_count(0)


async def test_the_playground_is_logged_in_already_and_hears_changes(open_page: OpenPage) -> None:
    page = (await open_page(Role.ADMIN)).page
    editor = page.locator(".graphiql-query-editor .view-lines")
    await Board(page).open()
    await page.locator(".account summary").click()
    await page.get_by_role("link", name="API playground").click()
    await expect(editor).to_contain_text("Today")  # the editor is three megabytes of script
    await page.get_by_role("button", name=re.compile("Execute")).click()
    await expect(page.locator(".result-window")).to_contain_text('"attendanceDay"')
    await page.get_by_role("tab", name="Changes").click()
    await expect(editor).to_contain_text("subscription")
    await page.get_by_role("button", name=re.compile("Execute")).click()
    await expect(page.get_by_role("button", name=re.compile("Stop"))).to_be_visible()
    desk = Board((await open_page(Role.MARKER)).page)
    await desk.open()
    [name] = await desk.names("UNMARKED")
    await desk.mark(name, "Late")
    await expect(page.locator(".result-window")).to_contain_text('"LATE"')
