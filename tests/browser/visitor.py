"""A person in front of a browser, who notices whatever goes wrong in it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page

from memberstaff.access import Role
from tests.installation import PASSWORD, email
from tests.waiting import WAIT_SECONDS

LOGIN = """
mutation LogIn($input: LoginInput!) { login(input: $input) { accessToken errors { code message } } }
"""
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`content policy: ${event.violatedDirective} ${event.blockedURI}`));
"""


class Visitor:
    """One browser of one person, with its own cookies; `page` is its first tab.

    Everything that went wrong is in `problems`: errors in the console, errors that nothing caught, requests to another
    host, violations of the content policy. A test ends with none of them, but for those that it `expects`.
    """

    def __init__(self, context: BrowserContext, page: Page, home: str) -> None:
        self.context = context
        self.page = page
        self.home = home
        self.problems: list[str] = []
        self._expected: list[re.Pattern[str]] = []
        host = urlsplit(home).netloc

        def away(url: str) -> None:
            parts = urlsplit(url)
            if parts.scheme not in {"data", "blob", "about"} and parts.netloc != host:
                self.problems.append(f"request to another host: {url}")

        def said(message: ConsoleMessage) -> None:
            if message.type == "error":
                self.problems.append(f"console: {message.text} ({message.location.get('url')})")

        context.on("console", said)
        context.on("weberror", lambda error: self.problems.append(f"uncaught: {error.error}"))
        context.on("request", lambda request: away(request.url))
        context.on("page", lambda page: page.on("websocket", lambda socket: away(socket.url)))
        page.on("websocket", lambda socket: away(socket.url))

    def expects(self, pattern: str) -> None:
        """Problems in which this regular expression is found belong to the test, as when it stops the server."""
        self._expected.append(re.compile(pattern))

    @property
    def surprises(self) -> list[str]:
        """What went wrong, and was not expected."""
        return [text for text in self.problems if not any(pattern.search(text) for pattern in self._expected)]

    async def log_in(self, role: Role) -> None:
        """Get this account's session into the browser's cookies, as the login page does."""
        given = {"email": email(role), "password": PASSWORD, "cookie": True}
        answer = await self.context.request.post(
            "/graphql", data={"query": LOGIN, "variables": {"input": given}}, headers={"Origin": self.home}
        )
        payload: dict[str, Any] = (await answer.json())["data"]["login"]
        assert payload["errors"] == [], payload


@asynccontextmanager
async def visiting(browser: Browser, home: str, role: Role | None = None, **options: Any) -> AsyncIterator[Visitor]:
    """A visitor of the site at `home`, logged in as the account with this role; `options` go to the context.

    Fails at the end when something went wrong in the browser that the test did not expect.
    """
    context = await browser.new_context(base_url=home, **options)
    context.set_default_timeout(WAIT_SECONDS * 1000)
    try:
        await context.add_init_script(REPORT_VIOLATIONS)
        visitor = Visitor(context, await context.new_page(), home)
        if role is not None:
            await visitor.log_in(role)
        yield visitor
        assert not visitor.surprises, visitor.surprises
    finally:
        await context.close()
