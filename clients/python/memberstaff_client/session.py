"""The session: tokens that are renewed when they have expired, and kept where the next start finds them."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Protocol

from memberstaff_client.answers import data_of
from memberstaff_client.errors import LoginRefused, SessionEnded
from memberstaff_client.transport import Transport

LOGIN = """mutation ($input: LoginInput!) {
  session: login(input: $input) { accessToken refreshToken errors { message } }
}"""
REFRESH = """mutation ($input: RefreshSessionInput!) {
  session: refreshSession(input: $input) { accessToken refreshToken errors { message } }
}"""


class Storage(Protocol):
    """Where the refresh token is kept. Each renewal replaces it, and showing an older one ends the session."""

    def load(self) -> str | None:
        """The newest refresh token, if there is one."""

    def save(self, refresh_token: str) -> None:
        """Keep it instead of the last one, before this returns."""


class TokenFile:
    """A storage in a file that nobody else may read; for one program at a time."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def load(self) -> str | None:
        """None without the file."""
        try:
            return self.path.read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None

    def save(self, refresh_token: str) -> None:
        """Replace the file whole, so that a crash cannot leave half a token."""
        with NamedTemporaryFile("w", encoding="ascii", dir=self.path.parent, delete=False) as file:  # with mode 0600
            file.write(refresh_token)
            file.flush()
            os.fsync(file.fileno())
        Path(file.name).replace(self.path)


class Memory:
    """A storage that lasts as long as the program."""

    _token: str | None = None

    def load(self) -> str | None:
        """The last one saved."""
        return self._token

    def save(self, refresh_token: str) -> None:
        """Keep it."""
        self._token = refresh_token


class Session:
    """The access token of one account."""

    def __init__(
        self,
        transport: Transport,
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
        self._transport = transport
        self._credentials = None if email is None else {"email": email, "password": password}
        self._storage = storage or Memory()
        self._fetch_token = fetch_token
        self._lock = transport.lock()
        self._access_token = ""

    async def token(self) -> str:
        """The access token, renewed if it was refused. Raises LoginRefused, SessionEnded and RequestRefused."""
        async with self._lock:
            if not self._access_token:
                self._access_token = await self._renewed()
            return self._access_token

    def refused(self, access_token: str) -> None:
        """The server no longer takes this token."""
        if access_token == self._access_token:
            self._access_token = ""

    async def _renewed(self) -> str:
        if self._fetch_token is not None:
            return await self._fetch_token()
        why = "Nobody is logged in: the storage has no refresh token."
        if (refresh_token := self._storage.load()) is not None:
            access_token, why = await self._open(REFRESH, {"refreshToken": refresh_token})
            if access_token:
                return access_token
        if self._credentials is None:
            raise SessionEnded(why)
        access_token, why = await self._open(LOGIN, self._credentials)
        if not access_token:
            raise LoginRefused(why)
        return access_token

    async def _open(self, document: str, values: dict[str, str | None]) -> tuple[str, str]:
        """The access token, or "" and why there is none."""
        answer = await self._transport.post({"query": document, "variables": {"input": values}}, None)
        session = data_of(answer)["session"]
        if session["errors"]:
            return "", session["errors"][0]["message"]
        self._storage.save(session["refreshToken"])  # first: the one before it is worth nothing now
        return session["accessToken"], ""
