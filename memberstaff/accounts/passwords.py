"""Passwords: what may be one, and Argon2 away from the event loop, a few at a time.

Hashing takes tens of milliseconds and 19 MiB. Never do it inside a unit of work: it would hold a connection,
and on SQLite the only writer there is.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NewType, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from memberstaff.errors import ErrorCode, RateLimited, Refusal

SHORTEST = 12
"""Characters, when a password is set."""
LONGEST = 256
"""Bytes in UTF-8."""
AT_ONCE = 2
"""Hashes computed at the same time: 40 MiB, and a core is left for the live board."""
MOST_WAITING = 100
"""Hashes that may be under way or queued: one or two seconds' worth."""

Answer = TypeVar("Answer")
PasswordHash = NewType("PasswordHash", str)
"""An encoded Argon2 hash. Only this module makes them, so nobody stores a password by mistake."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a password was right; `rehashed` is its hash of today's strength when the old one is not."""

    right: bool
    rehashed: PasswordHash | None = None


class Passwords:
    """Hashes and verifies. The default strength is OWASP's recommendation for Argon2id."""

    def __init__(self, *, time_cost: int = 2, memory_kib: int = 19_456) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._under_way = 0
        # No password has this hash. Verifying against it costs what verifying against a real one does.
        salt, tag = (b64encode(secrets.token_bytes(n)).rstrip(b"=").decode() for n in (16, 32))
        self.nobodys = PasswordHash(f"$argon2id$v=19$m={memory_kib},t={time_cost},p=1${salt}${tag}")

    async def hash(self, password: str) -> PasswordHash:
        """The hash of a new password. Raises Refusal when it is too short or too long."""
        usable = acceptable(password)
        return PasswordHash(await self._run(partial(self._hasher.hash, usable)))

    async def verify(self, stored: str | None, password: str) -> Verdict:
        """Whether this is the password. Without a stored hash the answer is no, and takes as long.

        Raises RateLimited when more wait for their turn than can be served in a moment.
        """
        return await self._run(partial(self._verify, stored, _encoded(password)))

    def _verify(self, stored: str | None, password: bytes | None) -> Verdict:
        possible = stored is not None and password is not None
        against = stored if stored is not None and possible else self.nobodys
        try:
            self._hasher.verify(against, password or b"")
        except (Argon2Error, ValueError):  # wrong, or what is stored is no hash
            return Verdict(right=False)
        if not possible or password is None:
            return Verdict(right=False)
        stale = self._hasher.check_needs_rehash(against)
        return Verdict(right=True, rehashed=PasswordHash(self._hasher.hash(password)) if stale else None)

    async def _run(self, task: Callable[[], Answer]) -> Answer:
        if self._under_way >= MOST_WAITING:
            raise RateLimited("Too many people are logging in at this moment. Try again in a few seconds.", 3)
        self._under_way += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, task)
        finally:
            self._under_way -= 1


def acceptable(password: str) -> bytes:
    """The bytes of a password that may be set. Raises Refusal."""
    encoded = _encoded(password)
    if encoded is None:
        message = f"The password is longer than {LONGEST} bytes, or holds characters that are none."
        raise Refusal(ErrorCode.INVALID, message, "password")
    if len(unicodedata.normalize("NFC", password)) < SHORTEST:
        raise Refusal(ErrorCode.INVALID, f"The password is shorter than {SHORTEST} characters.", "password")
    return encoded


def _encoded(password: str) -> bytes | None:
    """Its bytes, or None when it can be nobody's password."""
    if len(password) > LONGEST:
        return None
    try:
        # Keyboards differ in how they compose an accented letter; people do not see which one they typed.
        encoded = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return encoded if len(encoded) <= LONGEST else None
