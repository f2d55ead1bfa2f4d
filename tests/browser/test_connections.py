"""How many subscriptions a browser holds at once: what docs/clients.md says of tabs."""

from __future__ import annotations

import asyncio

from playwright.async_api import Page

from memberstaff.access import Role
from tests.browser.conftest import OpenPage
from tests.browser.house import House
from tests.browser.visitor import LOGIN
from tests.installation import PASSWORD, email
from tests.waiting import WAIT_SECONDS

OPEN_STREAM = """(token) => {
  globalThis.begun ??= 0;
  globalThis.leave ??= [];
  const leaving = new AbortController();
  leave.push(() => leaving.abort());
  const query = "subscription { attendanceUpdated { id } }";
  const headers = {"content-type": "application/json", accept: "text/event-stream", authorization: `Bearer ${token}`};
  fetch("/graphql", {method: "POST", headers, body: JSON.stringify({query}), signal: leaving.signal})
    .then((answer) => { if (answer.ok) begun += 1; }, () => {});
}"""
OPEN_SOCKET = """(token) => new Promise((resolve) => {
  const socket = new WebSocket(`${location.origin.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  const payload = {authorization: `Bearer ${token}`};
  socket.onopen = () => socket.send(JSON.stringify({type: "connection_init", payload}));
  socket.onmessage = ({data}) => { socket.close(); resolve(JSON.parse(data).type); };
})"""


async def test_a_browser_holds_six_event_streams_over_http_1_and_sockets_besides(
    open_page: OpenPage, house: House
) -> None:
    tabs: list[Page] = []
    visitor = await open_page()
    for _ in range(2):
        tabs.append(await visitor.context.new_page())
        await tabs[-1].goto("/login")
    given = {"email": email(Role.MARKER), "password": PASSWORD}
    answer = await visitor.context.request.post("/graphql", data={"query": LOGIN, "variables": {"input": given}})
    token = (await answer.json())["data"]["login"]["accessToken"]

    async def begun() -> int:
        return sum([await tab.evaluate("globalThis.begun ?? 0") for tab in tabs])

    async def until_begun(streams: int) -> None:
        async with asyncio.timeout(WAIT_SECONDS):
            while await begun() != streams:
                await asyncio.sleep(0.02)

    for tab in (*tabs, *tabs, *tabs, tabs[0]):
        await tab.evaluate(OPEN_STREAM, token)
    await until_begun(6)
    assert await tabs[1].evaluate(OPEN_SOCKET, token) == "connection_ack"
    assert await begun() == 6
    await tabs[1].evaluate("leave[0]()")
    await until_begun(7)
