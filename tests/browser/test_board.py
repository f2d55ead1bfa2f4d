"""What the front desk does all morning, in a real browser."""

from __future__ import annotations

import json
import re

from playwright.async_api import WebSocketRoute, expect

from memberstaff.access import Role
from tests.browser.axe import violations
from tests.browser.board import Board
from tests.browser.conftest import OpenPage
from tests.browser.house import House
from tests.clock import TODAY


async def test_a_mark_in_one_browser_shows_in_another_within_a_second(open_page: OpenPage) -> None:
    desk, office = Board((await open_page(Role.MARKER)).page), Board((await open_page(Role.ADMIN)).page)
    await desk.open()
    await office.open()
    [name] = await desk.names("UNMARKED")
    before = await office.count("LATE")
    await desk.mark(name, "Late")
    await office.shows(name, "Late")
    await expect(office.row(name).locator(".flash")).to_be_attached()
    await expect(office.row(name).locator(".by")).to_contain_text("Marker")
    await expect(office.page.get_by_role("status").filter(has_text=f"{name}: Late, by Marker.")).to_be_attached()
    assert await office.count("LATE") == before + 1
    await expect(desk.row(name).locator(".flash")).not_to_be_attached()


async def test_a_mark_can_be_undone_and_so_can_the_rest_of_them(open_page: OpenPage) -> None:
    board = Board((await open_page(Role.MARKER)).page)
    await board.open()
    unmarked, present = await board.count("UNMARKED"), await board.count("PRESENT")
    [name] = await board.names("UNMARKED")
    await board.mark(name, "Absent")
    await board.said(f"{name}: Absent.").get_by_role("button", name="Undo").click()
    await board.shows(name, "Unmarked")

    await board.page.get_by_role("button", name="Mark the rest present").click()
    await board.page.get_by_role("button", name="Mark present").click()
    await expect(board.said(f"{unmarked} people marked present.")).to_be_visible()
    await expect(board.page.locator('.chip[data-status="UNMARKED"] .count')).to_have_text("0")
    assert await board.count("PRESENT") == present + unmarked
    await board.page.keyboard.press("Control+z")
    await expect(board.said(f"Undone: {unmarked} people unmarked.")).to_be_visible()
    await expect(board.page.locator('.chip[data-status="UNMARKED"] .count')).to_have_text(str(unmarked))


async def test_the_rest_of_one_category_is_marked_alone(open_page: OpenPage) -> None:
    board = Board((await open_page(Role.MARKER)).page)
    await board.open()
    await board.page.get_by_label("Category").select_option("Teaching")
    await expect(board.page).to_have_url(re.compile("category=Teaching"))
    teachers = await board.count("UNMARKED")
    await board.page.get_by_role("button", name="Mark the rest present").click()
    await expect(board.page.get_by_role("dialog")).to_contain_text("Everybody in Teaching")
    await board.page.get_by_role("button", name="Mark present").click()
    await expect(board.said(f"{teachers} people marked present.")).to_be_visible()
    await expect(board.page.locator('.chip[data-status="UNMARKED"] .count')).to_have_text("0")
    await board.page.get_by_label("Category").select_option("")
    assert await board.count("UNMARKED") > 0


async def test_a_refused_mark_is_taken_back_and_says_why(open_page: OpenPage) -> None:
    visitor = await open_page(Role.MARKER)
    visitor.expects("ERR_INTERNET_DISCONNECTED")
    board = Board(visitor.page)
    await board.open()
    [name] = await board.names("UNMARKED")
    await visitor.context.set_offline(True)
    await board.mark(name, "Present")
    await expect(board.said(f"{name} was not marked: The server cannot be reached.")).to_be_visible()
    await board.shows(name, "Unmarked")
    await visitor.context.set_offline(False)
    await board.said(name).get_by_role("button", name="Try again").click()
    await board.shows(name, "Present")
    await expect(board.said(f"{name}: Present.")).to_be_visible()


async def test_who_was_slower_sees_what_is_stored_and_chooses(open_page: OpenPage) -> None:
    desk, office = Board((await open_page(Role.MARKER)).page), Board((await open_page(Role.ADMIN)).page)
    withheld: list[str] = []

    def late(route: WebSocketRoute) -> None:
        server = route.connect_to_server()
        route.on_message(server.send)

        def from_server(message: str | bytes) -> None:
            data = (json.loads(message).get("payload") or {}).get("data") or {}
            if "attendanceUpdated" in data:
                withheld.append(str(message))
            else:
                route.send(message)

        server.on_message(from_server)

    await desk.page.route_web_socket("**/graphql", late)
    await desk.open()
    await office.open()
    [name] = await office.names("UNMARKED")
    await office.mark(name, "Late")
    await expect(office.said(f"{name}: Late.")).to_be_visible()

    await desk.mark(name, "Absent")
    dialog = desk.page.get_by_role("dialog", name=f"Somebody else has changed {name}")
    await expect(dialog).to_contain_text("Theirs")
    await expect(dialog.locator("[data-status=LATE]")).to_be_visible()
    await expect(dialog.locator("[data-status=ABSENT]")).to_be_visible()
    assert await violations(desk.page) == []
    await dialog.get_by_role("button", name="Keep theirs").click()
    await desk.shows(name, "Late")
    await office.shows(name, "Late")

    await office.mark(name, "Remote")
    await expect(office.said(f"{name}: Remote.")).to_be_visible()
    await desk.mark(name, "Absent")
    await dialog.get_by_role("button", name="Use mine").click()
    await office.shows(name, "Absent")
    assert withheld != []


async def test_a_note_is_written_and_the_history_tells_who_did_what(open_page: OpenPage) -> None:
    board = Board((await open_page(Role.MARKER)).page)
    wall = Board((await open_page(Role.VIEWER)).page)
    await board.open()
    await wall.open()
    [name] = await board.names("UNMARKED")
    await board.mark(name, "Late")
    await board.row(name).get_by_role("button", name="Note for").click()
    await board.page.get_by_role("textbox", name="Note").fill("Train delayed")
    await board.page.get_by_role("button", name="Save note").click()
    await expect(board.row(name).locator(".remark")).to_contain_text("Train delayed")
    await board.row(name).get_by_role("button", name="History for").click()
    changes = board.page.get_by_role("dialog").locator(".changes li")
    await expect(changes).to_have_count(2)
    await expect(changes.nth(0)).to_contain_text("Train delayed")
    await expect(changes.nth(0)).to_contain_text("Marker, 12 Jan 2026, 09:30")
    await wall.shows(name, "Late")
    await expect(wall.page.get_by_text("Train delayed")).to_have_count(0)
    await expect(wall.page.locator(".mark")).to_have_count(0)


async def test_a_locked_day_says_so_and_takes_no_marks_until_it_is_opened(open_page: OpenPage) -> None:
    desk, office = Board((await open_page(Role.MARKER)).page), Board((await open_page(Role.ADMIN)).page)
    await desk.open()
    await office.open()
    await office.page.get_by_role("button", name="Day settings").click()
    await office.page.get_by_role("button", name="Lock this day").click()
    banner = desk.page.get_by_text("This day is locked.")
    await expect(banner).to_be_visible()
    await expect(desk.rows.first.locator(".mark").first).to_be_disabled()
    await expect(desk.page.get_by_role("button", name="Mark the rest present")).to_be_disabled()
    await office.page.get_by_role("button", name="Unlock").click()
    await expect(banner).not_to_be_attached()
    await expect(desk.rows.first.locator(".mark").first).to_be_enabled()


async def test_search_and_filters_stand_in_the_address(open_page: OpenPage) -> None:
    board = Board((await open_page(Role.MARKER)).page)
    await board.open("/?status=LATE")
    late = await board.count("LATE")
    await expect(board.rows).to_have_count(late)
    [name] = await board.names("LATE")
    await board.page.get_by_role("button", name="Late").first.click()
    await expect(board.page).to_have_url(re.compile(r"/$"))
    await board.page.keyboard.press("/")
    await board.page.keyboard.type(name.upper())
    await expect(board.rows).to_have_count(1)
    await expect(board.rows).to_contain_text(name)
    await board.page.reload()
    await expect(board.rows).to_have_count(1)


async def test_another_day_is_one_press_away_and_its_marks_are_an_administrators(open_page: OpenPage) -> None:
    board = Board((await open_page(Role.MARKER)).page)
    await board.open()
    await expect(board.page.get_by_role("heading", level=1)).to_have_text("Monday 12 January")
    await board.page.get_by_label("Previous day").click()
    await expect(board.page.get_by_role("heading", level=1)).to_have_text("Sunday 11 January")
    await expect(board.page.get_by_text("You can only mark attendance for today")).to_be_visible()
    await board.page.get_by_label("Date", exact=True).fill("2026-01-09")
    await expect(board.page).to_have_url(re.compile(r"/day/2026-01-09$"))
    await expect(board.rows.first.locator(".mark").first).to_be_disabled()
    await board.page.get_by_role("link", name="Today").click()
    await expect(board.page).to_have_url(re.compile(r"/$"))
    await board.is_live()


async def test_a_thousand_people_are_a_windowed_list_that_grows_without_a_reload(
    open_page: OpenPage, house: House
) -> None:
    board = Board((await open_page(Role.MARKER)).page)
    await board.open()
    await expect(board.page.locator("li[aria-setsize='60']").first).to_be_attached()
    rows = [{"name": f"Zed {number:04}", "startsOn": TODAY} for number in range(1_000)]
    document = "mutation I($input: ImportStaffInput!) { importStaff(input: $input) { created } }"
    assert await house.installation.admin.ask(document, input={"rows": rows}) == {"importStaff": {"created": 1_000}}
    await expect(board.page.locator("li[aria-setsize='1060']").first).to_be_attached()
    assert await board.rows.count() < 60
    await board.rows.first.focus()
    await board.page.keyboard.press("End")
    last = board.row("Людмила Зайцева")
    await expect(board.page.locator("li[aria-posinset='1060']")).to_be_visible()
    assert await last.count() <= 1
    assert await board.rows.count() < 60
