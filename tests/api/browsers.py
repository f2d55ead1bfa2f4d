"""Browsers of the tests: what they keep between requests is what the server tells them to."""

from __future__ import annotations

from typing import Any

import httpx2

from memberstaff.access import Role
from tests.installation import PASSWORD, Installation, email
from tests.web import web_client

SESSION = "accessToken refreshToken viewer { role } errors { code message path }"
LOGIN = f"mutation Login($input: LoginInput!) {{ login(input: $input) {{ {SESSION} }} }}"
REFRESH = f"mutation Refresh {{ refreshSession(input: {{}}) {{ {SESSION} }} }}"
LOGOUT = "mutation Logout { logout { errors { code } } }"
DAY = 86_400


class Browser:
    """A browser without scripts that cheat: what it keeps is what Set-Cookie says, whatever its page does."""

    def __init__(self, installation: Installation) -> None:
        self.cookies = httpx2.Cookies()
        self.server = self.origin = installation.address.http
        self.said: str | None = None

    @property
    def kept(self) -> str | None:
        """The refresh token in the cookie."""
        return self.cookies.get("memberstaff_refresh")

    async def ask(self, document: str, *, token: str | None = None, **variables: Any) -> dict[str, Any]:
        """A whole answer to the page; `said` is then the answer's Set-Cookie."""
        headers = {"Origin": self.origin, **({"Authorization": f"Bearer {token}"} if token else {})}
        response = await self.send({"query": document, "variables": variables}, headers)
        ours = [header for header in response.headers.get_list("set-cookie") if "_refresh=" in header]
        self.said = ours[0] if ours else None
        assert (self.kept or "no cookie") not in response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def send(self, body: dict[str, Any], headers: dict[str, str]) -> httpx2.Response:
        """A request of the page, with the cookies that the browser adds."""
        async with web_client(base_url=self.server, cookies=self.cookies) as http:
            response = await http.post("/graphql", json=body, headers=headers)
            self.cookies = http.cookies
            return response

    async def log_in(self, role: Role = Role.MARKER) -> str:
        """Log in with the cookie; the access token."""
        given = {"email": email(role), "password": PASSWORD, "cookie": True}
        payload = (await self.ask(LOGIN, input=given))["data"]["login"]
        assert (payload["refreshToken"], payload["errors"]) == (None, [])
        return str(payload["accessToken"])

    async def refresh(self) -> dict[str, Any]:
        """The payload of a refresh by the cookie."""
        payload: dict[str, Any] = (await self.ask(REFRESH))["data"]["refreshSession"]
        return payload

    async def may_come_in(self, token: str) -> bool:
        """Whether an access token is good."""
        return "errors" not in await self.ask("{ viewer { id } attendanceDay { id } }", token=token)
