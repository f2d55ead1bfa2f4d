"""Whatever happens to the connection: nothing is missed, and nobody reloads."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from playwright.async_api import Page, Route, WebSocket, expect

from memberstaff.access import COMMAND_LINE, Role
from memberstaff.db.installation import new_epoch
from tests.browser.board import Board
from tests.browser.conftest import OpenPage
from tests.browser.house import MORNING, House
from tests.clock import TODAY, TurnedClock
from tests.front_ends import BOARD
from tests.infrastructure.redis import RedisServer
from tests.installation import PASSWORD, email, renew_tokens

GONE = "WebSocket|ERR_CONNECTION|ERR_EMPTY_RESPONSE|ERR_INTERNET"
"""What Chromium itself writes into the console while a server is away."""


async def mark(house: House, name: str, status: str) -> None:
    """Mark somebody from elsewhere."""
    board = await house.installation.admin.ask(BOARD, date=TODAY, first=100)
    nodes = [edge["node"] for edge in board["attendanceDay"]["records"]["edges"]]
    [person] = [node for node in nodes if node["staffName"] == name]
    payload = await house.installation.admin.mark(person["staffId"], TODAY, status=status)
    assert payload["errors"] == []


async def remember(page: Page) -> None:
    """Leave something in the page that a reload would take away."""
    await page.evaluate("document.documentElement.dataset.loaded = 'once'")


async def was_not_reloaded(page: Page) -> None:
    await expect(page.locator("html")).to_have_attribute("data-loaded", "once")


async def test_a_server_that_restarts_costs_no_change_and_no_reload(open_page: OpenPage, house: House) -> None:
    visitor = await open_page(Role.MARKER)
    visitor.expects(GONE)
    board = Board(visitor.page)
    await board.open()
    await remember(visitor.page)
    first, second = await board.names("UNMARKED", 2)
    await house.stop()
    await expect(board.light).to_have_attribute("data-light", "offline")
    await board.shows(first, "Unmarked")  # the last state stays
    await house.start()
    await mark(house, first, "LATE")
    await board.is_live()
    await board.shows(first, "Late")
    await mark(house, second, "ABSENT")
    await board.shows(second, "Absent")
    await was_not_reloaded(visitor.page)


async def test_without_redis_changes_come_later_and_with_it_again_at_once(
    open_page: OpenPage, house: House, own_redis: RedisServer
) -> None:
    await house.restart(broadcast_url=own_redis.url)
    board = Board((await open_page(Role.MARKER)).page)
    await board.open()
    await remember(board.page)
    first, second = await board.names("UNMARKED", 2)
    own_redis.kill()
    await mark(house, first, "LATE")
    await board.shows(first, "Late")
    await board.is_live()
    own_redis.start()
    await mark(house, second, "ABSENT")
    await board.shows(second, "Absent")
    await was_not_reloaded(board.page)


async def test_a_token_that_expires_is_renewed_and_the_board_goes_on_where_it_was(
    open_page: OpenPage, house: House, clock: TurnedClock
) -> None:
    visitor = await open_page(Role.MARKER)
    board = Board(visitor.page)
    sockets: list[WebSocket] = []
    visitor.page.on("websocket", lambda socket: sockets.append(socket))
    await visitor.page.clock.install(time=clock.instant)
    await board.open()
    await remember(visitor.page)
    [name] = await board.names("UNMARKED")
    async with visitor.page.expect_websocket():  # the old one is closed with 4403; this one has a new token
        clock.turn(minutes=16)
        await renew_tokens(house.installation)  # its own tokens have expired, too
        await mark(house, name, "LATE")
    await board.shows(name, "Late")
    await board.is_live()
    await board.mark(name, "Present")
    await expect(board.said(f"{name}: Present.")).to_be_visible()
    assert sockets[0].is_closed()
    await was_not_reloaded(visitor.page)


async def test_two_tabs_share_a_login_and_a_logout(open_page: OpenPage) -> None:
    visitor = await open_page(Role.MARKER)
    one, other = Board(visitor.page), Board(await visitor.context.new_page())
    await one.open()
    await other.open()
    [name] = await one.names("UNMARKED")
    await one.mark(name, "Late")
    await other.shows(name, "Late")
    await one.page.locator(".account summary").click()
    await one.page.get_by_role("button", name="Log out").click()
    for page in (one.page, other.page):
        await expect(page.get_by_role("heading", name="Log in")).to_be_visible()
        await expect(page.get_by_text("You have logged out.")).to_be_visible()
    await one.page.reload()
    await expect(one.page.get_by_role("heading", name="Log in")).to_be_visible()
    await expect(one.page.get_by_text("Log in again")).to_have_count(0)


async def test_two_tabs_renew_their_login_once(open_page: OpenPage) -> None:
    visitor = await open_page(Role.MARKER)
    await visitor.context.clock.install(time=MORNING)
    one, other = Board(visitor.page), Board(await visitor.context.new_page())
    await one.open()
    await other.open()
    renewals: list[str] = []
    visitor.context.on(
        "request",
        lambda request: renewals.append(request.url) if "refreshSession" in (request.post_data or "") else None,
    )
    async with visitor.context.expect_event("request", lambda request: "refreshSession" in (request.post_data or "")):
        # A token is good for 15 minutes, and renewed one before. The clock leaps, as after sleep: minutes that ran by
        # in an instant would leave the server no time for its pongs.
        await visitor.context.clock.fast_forward("14:30")
    for tab in (one, other):  # behind whoever waits for the lock
        await tab.page.evaluate("navigator.locks.request(`memberstaff ${location.origin}`, () => null)")
        await tab.is_live()
    assert len(renewals) == 1


async def test_a_login_waits_for_the_refresh_of_another_tab(open_page: OpenPage) -> None:
    """The refresh's answer may clear the cookie, and must not come after the login's."""
    visitor = await open_page()
    one, other = visitor.page, await visitor.context.new_page()
    held: asyncio.Future[Route] = asyncio.get_running_loop().create_future()
    await one.goto("/")
    await expect(one.get_by_role("heading", name="Log in")).to_be_visible()
    await other.route("**/graphql", lambda route: held.set_result(route), times=1)
    await other.goto("/")
    refresh = await held
    await one.get_by_label("Email").fill(email(Role.MARKER))
    await one.get_by_label("Password").fill(PASSWORD)
    await one.get_by_role("button", name="Log in").click()
    await one.wait_for_function("async () => (await navigator.locks.query()).pending.length === 1")
    await refresh.continue_()
    for page in (one, other):
        await Board(page).is_live()
    await one.reload()
    await Board(one).is_live()


async def test_whoever_is_renamed_goes_on_with_the_same_board(open_page: OpenPage, house: House) -> None:
    update = "mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { errors { message } } }"
    visitor = await open_page(Role.MARKER)
    await visitor.context.clock.install(time=MORNING)
    board = Board(visitor.page)
    await board.open()
    await board.rows.first.evaluate("row => { row.dataset.kept = 'yes'; }")
    admin = house.installation.admin
    accounts = (await admin.ask("{ accounts { edges { node { id role } } } }"))["accounts"]["edges"]
    [marker] = [edge["node"]["id"] for edge in accounts if edge["node"]["role"] == "MARKER"]
    await admin.ask(update, input={"id": marker, "displayName": "Grace Hopper"})
    await visitor.context.clock.fast_forward("14:30")  # the login is renewed
    await expect(visitor.page.get_by_label("Account: Grace Hopper")).to_be_visible()
    await expect(board.rows.first).to_have_attribute("data-kept", "yes")


async def test_a_role_that_changes_shows_without_a_reload(open_page: OpenPage, house: House) -> None:
    update = "mutation ($input: UpdateAccountInput!) { updateAccount(input: $input) { errors { message } } }"
    board = Board((await open_page(Role.MARKER)).page)
    await board.open()
    await remember(board.page)
    fill = board.page.get_by_role("button", name="Mark the rest present")
    await expect(fill).to_be_visible()
    admin = house.installation.admin
    accounts = (await admin.ask("{ accounts { edges { node { id role } } } }"))["accounts"]["edges"]
    [marker] = [edge["node"]["id"] for edge in accounts if edge["node"]["role"] == "MARKER"]
    await admin.ask(update, input={"id": marker, "role": "VIEWER"})
    await expect(fill).to_have_count(0)
    await board.is_live()
    await was_not_reloaded(board.page)


async def test_after_a_restored_backup_the_board_begins_anew_by_itself(open_page: OpenPage, house: House) -> None:
    board = Board((await open_page(Role.MARKER)).page)
    await board.open()
    await remember(board.page)
    first, second = await board.names("UNMARKED", 2)
    async with house.installation.application.database.write() as work:
        work.caller = COMMAND_LINE
        await new_epoch(work)  # what comes after may have the position of a change that is gone
    await mark(house, first, "LATE")
    await board.shows(first, "Late")
    await mark(house, second, "ABSENT")
    await board.shows(second, "Absent")
    await board.is_live()
    await was_not_reloaded(board.page)


HIDE = """(state) => {
  Object.defineProperty(document, "visibilityState", { value: state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


async def test_a_board_out_of_view_has_no_socket_and_misses_nothing(open_page: OpenPage, house: House) -> None:
    visitor = await open_page(Role.MARKER)
    board = Board(visitor.page)
    opened: list[WebSocket] = []
    visitor.page.on("websocket", lambda socket: opened.append(socket))
    await visitor.page.clock.install(time=MORNING)
    await board.open()
    [name] = await board.names("UNMARKED")
    [socket] = opened
    async with socket.expect_event("close"):
        await visitor.page.evaluate(HIDE, "hidden")
        await visitor.page.clock.run_for("00:10")
    await mark(house, name, "LATE")
    await board.shows(name, "Unmarked")
    await visitor.page.evaluate(HIDE, "visible")
    await board.shows(name, "Late")
    await board.is_live()
    assert len(opened) == 2


async def test_a_page_that_needs_nothing_live_opens_no_socket(open_page: OpenPage) -> None:
    visitor = await open_page(Role.ADMIN)
    opened: list[WebSocket] = []
    visitor.page.on("websocket", lambda socket: opened.append(socket))
    await visitor.page.goto("/staff")
    await expect(visitor.page.locator("tbody tr").nth(20)).to_be_attached()
    assert opened == []


async def test_today_moves_on_at_midnight(open_page: OpenPage, clock: TurnedClock) -> None:
    visitor = await open_page(Role.VIEWER)
    night = MORNING.replace(hour=23, minute=59)
    clock.instant = night
    await visitor.log_in(Role.VIEWER)
    await visitor.page.clock.install(time=night)
    board = Board(visitor.page)
    await board.open("/wall")
    heading = visitor.page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Monday 12 January")
    clock.instant = night + timedelta(minutes=2)
    await visitor.page.clock.fast_forward("02:00")
    await expect(heading).to_have_text("Tuesday 13 January")
    await board.is_live()
