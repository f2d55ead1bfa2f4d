"""Where what is happening was asked for: for the audit log, which must not depend on who passes it on.

Set once for each request, socket and command; whatever runs for it finds it here.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from contextvars import ContextVar, Token
from dataclasses import dataclass

LONGEST_USER_AGENT = 200
"""Characters; browsers send about 120."""
LONGEST_OPERATOR = 100


@dataclass(frozen=True, slots=True)
class Origin:
    """A client, or somebody at the command line."""

    address: str | None = None
    """The client's address."""
    user_agent: str | None = None
    """What the client says of itself."""
    operator: str | None = None
    """The operating system's user, at the command line."""


_NOBODY = Origin()
_current: ContextVar[Origin] = ContextVar("origin", default=_NOBODY)


def current() -> Origin:
    """Where what is happening was asked for; all None for what the server does by itself."""
    return _current.get()


class _ComingFrom:
    """No generator: it lasts as long as a socket, and there are thousands."""

    __slots__ = ("_origin", "_token")

    def __init__(self, origin: Origin) -> None:
        self._origin = origin
        self._token: Token[Origin] | None = None

    def __enter__(self) -> None:
        self._token = _current.set(self._origin)

    def __exit__(self, *_: object) -> None:
        if self._token is not None:
            _current.reset(self._token)


def coming_from(origin: Origin) -> AbstractContextManager[None]:
    """Everything in the block was asked for from there."""
    return _ComingFrom(origin)


def user_agent(header: str | None) -> str | None:
    """A User-Agent as the audit log stores it: printable, and cut."""
    return "".join(char for char in header or "" if char.isprintable())[:LONGEST_USER_AGENT].strip() or None
