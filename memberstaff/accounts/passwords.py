"""Passwords: which are acceptable, and Argon2 hashing off the event loop, a few at a time.

Hashing takes tens of milliseconds and 19 MiB. Never do it inside a unit of work: that would hold a connection,
and on SQLite the only writer.
"""

from __future__ import annotations

import asyncio
import secrets
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import NewType, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error

from memberstaff import metrics
from memberstaff.accounts.guessable import is_guessable
from memberstaff.errors import ErrorCode, RateLimited, Refusal

SHORTEST = 12
"""Characters, for a new password."""
LONGEST = 256
"""Bytes in UTF-8."""
AT_ONCE = 2
"""Hashes computed concurrently: 40 MiB, and a core is left for the live board."""
MOST_WAITING = 100
"""Hashes in progress or queued: one or two seconds' worth."""
RESERVED = 50
"""More of them, for whoever is no stranger: logged in, or at a known device."""

OURSELVES = ("memberstaff", "attendance")
"""Words that belong to every account."""
GUESSABLE = (
    "The password is easy to guess: apart from common words, patterns, and the names and address of the account or the "
    "organisation, too little is left. Use four words that have nothing to do with each other, or let a password "
    "manager make one."
)

Answer = TypeVar("Answer")
PasswordHash = NewType("PasswordHash", str)
"""An encoded Argon2 hash. Only this module creates them, so nobody stores a plain password by mistake."""


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """Whether a password was right; `rehashed` is a new hash if the stored one is weaker than today's."""

    right: bool
    rehashed: PasswordHash | None = None


class Passwords:
    """Hashes and verifies passwords. The default cost is OWASP's recommendation for Argon2id."""

    def __init__(self, *, time_cost: int = 2, memory_kib: int = 19_456) -> None:
        self._hasher = PasswordHasher(time_cost=time_cost, memory_cost=memory_kib, parallelism=1)
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")
        self._waiting = 0
        # The hash of no password. Verifying against it takes as long as against a real one.
        salt, tag = (b64encode(secrets.token_bytes(n)).rstrip(b"=").decode() for n in (16, 32))
        self._dummy = PasswordHash(f"$argon2id$v=19$m={memory_kib},t={time_cost},p=1${salt}${tag}")

    async def hash(self, password: str, about: Iterable[str] = ()) -> PasswordHash:
        """Hash a new password. Raises Refusal unless it is `acceptable`, which also says what `about` is."""
        return await self._run(partial(self._hash, password, tuple(about)), MOST_WAITING + RESERVED)

    async def verify(self, stored: str | None, password: str, *, stranger: bool = True) -> PasswordCheck:
        """Check a password. Without a stored hash it is wrong, which takes as long to find out.

        Raises RateLimited if too many are waiting already; strangers leave room for others.
        """
        most = MOST_WAITING if stranger else MOST_WAITING + RESERVED
        return await self._run(partial(self._verify, stored, _encoded(password)), most)

    def _hash(self, password: str, about: tuple[str, ...]) -> PasswordHash:
        return PasswordHash(self._hasher.hash(acceptable(password, about)))

    def _verify(self, stored: str | None, password: bytes | None) -> PasswordCheck:
        possible = stored is not None and password is not None
        against = stored if stored is not None and possible else self._dummy
        try:
            self._hasher.verify(against, password or b"")
        except (Argon2Error, ValueError):  # wrong, or what is stored is not a hash
            return PasswordCheck(right=False)
        if not possible or password is None:
            return PasswordCheck(right=False)
        stale = self._hasher.check_needs_rehash(against)
        return PasswordCheck(right=True, rehashed=PasswordHash(self._hasher.hash(password)) if stale else None)

    async def _run(self, task: Callable[[], Answer], most: int) -> Answer:
        if self._waiting >= most:
            metrics.RATE_LIMITED.labels("passwords").inc()
            raise RateLimited("Too many people are logging in right now. Try again in a few seconds.", 3)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, task)
        finally:
            self._waiting -= 1


def acceptable(password: str, about: Iterable[str] = ()) -> bytes:
    """The bytes to hash of a new password. Raises Refusal if it is too short, too long or easily guessed.

    `about`: texts that belong to its account, such as its email address, of which it must not consist.
    """
    encoded = _encoded(password)
    if encoded is None:
        message = f"The password is longer than {LONGEST} bytes or contains invalid characters."
        raise Refusal(ErrorCode.INVALID, message, "password")
    if len(unicodedata.normalize("NFC", password)) < SHORTEST:
        raise Refusal(ErrorCode.INVALID, f"The password is shorter than {SHORTEST} characters.", "password")
    if is_guessable(password, (*OURSELVES, *about)):
        raise Refusal(ErrorCode.INVALID, GUESSABLE, "password")
    return encoded


def _encoded(password: str) -> bytes | None:
    """The normalised bytes; None if it cannot be anybody's password."""
    if len(password) > LONGEST:
        return None
    try:
        # Keyboards compose accented letters differently, which nobody can see when typing.
        encoded = unicodedata.normalize("NFC", password).encode()
    except UnicodeEncodeError:
        return None
    return encoded if len(encoded) <= LONGEST else None
