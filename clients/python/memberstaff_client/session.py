"""The session: tokens that are renewed when they have expired, and kept where the next start finds them."""

from __future__ import annotations

import os
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Protocol

from memberstaff_client.answers import Endpoint, understood
from memberstaff_client.errors import UNAUTHENTICATED, LoginRefused, RequestRefused, SessionEnded, Unavailable

TOKEN = re.compile("[!-~]+")
LOGIN = """mutation ($input: LoginInput!) {
  session: login(input: $input) { accessToken refreshToken errors { message } }
}"""
REFRESH = """mutation ($input: RefreshSessionInput!) {
  session: refreshSession(input: $input) { accessToken refreshToken errors { message } }
}"""
LOGOUT = "mutation { logout { errors { code message } } }"


class Storage(Protocol):
    """Where the refresh token is kept. Each renewal replaces it, and showing an older one ends the session."""

    def load(self) -> str | None:
        """The newest refresh token, if there is one."""

    def save(self, refresh_token: str) -> None:
        """Keep it instead of the last one, before this returns."""

    def clear(self) -> None:
        """Keep none: the session has ended."""


class TokenFile:
    """A storage in a file that nobody else may read; for one program at a time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._newer = self.path.with_name(f"{self.path.name}.new")

    def load(self) -> str | None:
        """None without the file."""
        try:
            return self.path.read_text(encoding="ascii", errors="replace").strip() or None
        except FileNotFoundError:
            return None

    def save(self, refresh_token: str) -> None:
        """Replace the file whole, so that a crash cannot leave half a token, and no more than one file beside it."""
        content = refresh_token.encode("ascii")
        self._newer.unlink(missing_ok=True)
        try:
            with open(self._newer, "xb", opener=_for_me_alone) as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            self._newer.replace(self.path)
        except BaseException:
            self._newer.unlink(missing_ok=True)
            raise

    def clear(self) -> None:
        """Remove the file, and what a crash has left beside it."""
        self._newer.unlink(missing_ok=True)
        self.path.unlink(missing_ok=True)


def _for_me_alone(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


class Memory:
    """A storage that lasts as long as the program."""

    _token: str | None = None

    def load(self) -> str | None:
        """The last one saved."""
        return self._token

    def save(self, refresh_token: str) -> None:
        """Keep it."""
        self._token = refresh_token

    def clear(self) -> None:
        """Keep none."""
        self._token = None


class Session:
    """The access token of one account."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        email: str | None = None,
        password: str | None = None,
        storage: Storage | None = None,
        fetch_token: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        if fetch_token is not None and (email is not None or password is not None or storage is not None):
            raise ValueError("A token callback needs neither an email and a password nor a storage.")
        if (email is None) != (password is None):
            raise ValueError("An email and a password go together.")
        if fetch_token is None and email is None and storage is None:
            raise ValueError("Give an email and a password, a storage with a refresh token, or a token callback.")
        self._endpoint = endpoint
        self._credentials = None if email is None else {"email": email, "password": password}
        self._storage = storage or Memory()
        self._fetch_token = fetch_token
        self._lock = endpoint.transport.lock()
        self._access_token = ""
        self._was_refused = False
        self._refusing = Lock()  # of two threads, one has found out
        self._is_over = False
        self.left = False
        """Whether `leave` was called."""

    async def token(self) -> str:
        """The access token, renewed if it was refused. Raises LoginRefused, SessionEnded and RequestRefused."""
        async with self._lock:
            if self.left:
                raise Unavailable("This client was closed.", "UNAVAILABLE")
            if self._is_over:
                raise SessionEnded("You have logged out.")
            token = self._access_token
            if not token:
                token = self._access_token = await self._renewed()
            return token

    def taken(self) -> None:
        """The last request was not refused for its token."""
        self._was_refused = False

    def refused(self, access_token: str) -> bool:
        """The server no longer takes this token; answers whether the last request had another that was refused, too."""
        with self._refusing:
            if access_token != self._access_token:  # another request has found out
                return False
            self._access_token = ""
            before, self._was_refused = self._was_refused, True
            return before

    async def logout(self) -> None:
        """End it for good: on the server, and then here. Raises RequestRefused and SessionEnded if it may go on."""
        async with self._lock:
            if not self._is_over:
                await self._end()
                self._is_over = True

    async def leave(self) -> None:
        """End it if no later start can go on with it. Raises nothing: if it cannot be ended, it will expire."""
        self.left = True
        if isinstance(self._storage, Memory):
            with suppress(Exception):
                async with self._lock:
                    if self._storage.load() is not None:
                        await self._end()

    async def _end(self) -> None:
        if self._access_token and await self._took_logout():
            return
        self._access_token, _ = await self._gone_on()  # without it, there is none to end
        if self._access_token and not await self._took_logout():
            raise SessionEnded("The server takes no token of this session.")

    async def _took_logout(self) -> bool:
        """Whether the server has ended the session of the access token; False if it does not take the token."""
        try:
            data = await self._endpoint.ask({"query": LOGOUT}, self._access_token)
        except RequestRefused as error:
            if error.code == UNAUTHENTICATED:
                return False
            raise
        with understood():
            for refusal in data["logout"]["errors"]:
                raise RequestRefused(refusal["message"], refusal["code"])
        self._access_token = ""
        self._storage.clear()
        return True

    async def _renewed(self) -> str:
        access_token, why = await self._gone_on()
        if access_token:
            return access_token
        if self._credentials is None:
            raise SessionEnded(why)
        access_token, why = await self._open(LOGIN, self._credentials)
        if not access_token:
            raise LoginRefused(why)
        return access_token

    async def _gone_on(self) -> tuple[str, str]:
        """A new access token of the session that there is, or "" and why there is none."""
        if self._fetch_token is not None:
            token = await self._fetch_token()
            if not TOKEN.fullmatch(token):
                raise ValueError("What the token callback gave cannot be a token.")
            return token, ""
        if (refresh_token := self._storage.load()) is None:
            return "", "Nobody is logged in: the storage has no refresh token."
        return await self._open(REFRESH, {"refreshToken": refresh_token})

    async def _open(self, document: str, values: dict[str, str | None]) -> tuple[str, str]:
        """The access token, or "" and why there is none."""
        session = (await self._endpoint.ask({"query": document, "variables": {"input": values}}, None))["session"]
        with understood():
            if session["errors"]:
                return "", str(session["errors"][0]["message"])
            access_token, refresh_token = str(session["accessToken"]), str(session["refreshToken"])
        self._storage.save(refresh_token)  # first: the one before it is worth nothing now
        return access_token, ""
