"""What is sent: a case is what one connection, or one visitor of Redis, does from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal

from memberstaff.access import Role

Ending = Literal["close", "half-close", "reset"]


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so long."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Heard:
    """Wait until the server has said something more, or a moment has gone by."""


@dataclass(frozen=True, slots=True)
class Authorised:
    """Join a Pusher channel as a client does: /broadcasting/auth signs for the socket's id, which the server chose."""

    channel: str
    role: Role
    fields: dict[str, str] = field(default_factory=dict)
    spoilt: bool = False


Step = bytes | Pause | Heard | Authorised


@dataclass(frozen=True, slots=True)
class Case:
    """One connection. `answer_due` says that it asks as it should, so that the server must answer and close."""

    steps: tuple[Step, ...]
    ending: Ending = "close"
    answer_due: bool = False
    notes_allowed: bool = False
    """Whether whoever sends it may read notes."""
    linger: float = 0.05
    """Seconds of silence that it waits for before it ends."""


@dataclass(frozen=True, slots=True)
class Commands:
    """What one visitor of Redis does: commands, as words."""

    commands: tuple[tuple[str | bytes | int, ...], ...]


AnyCase = Case | Commands
Make = Callable[[Random, "World"], AnyCase]


@dataclass(slots=True)
class World:
    """What differs between two runs, for cases to be filled with: the choices in a case never depend on it."""

    today: str
    tokens: dict[Role, str]
    refresh_tokens: dict[Role, str]
    ids: tuple[str, ...]
    """Of people, records, accounts and whatever else has one; always as many, in the same order."""
    cursor: str
    secret: str
    echo_key: str
    channel: str
    """Of Redis."""
    password: str
    emails: dict[Role, str]
    captured: bytes = b"nothing was heard yet"
    """The last message of the server's own on Redis."""

    @property
    def dates(self) -> tuple[str, ...]:
        """Days that may be marked."""
        return self.today, "2026-01-05", "2026-01-06", "2031-06-01"


def who(random: Random) -> Role | None:
    """Whose case it is; None: a stranger's."""
    roles: tuple[Role | None, ...] = (None, Role.VIEWER, Role.MARKER, Role.MARKER, Role.ADMIN, Role.ADMIN)
    return roles[random.randrange(len(roles))]


def random_of(seed: int, surface: str, number: int) -> Random:
    """The generator that decides everything about a case."""
    return Random(f"{seed} {surface} {number}")


def pieces(random: Random, data: bytes) -> tuple[Step, ...]:
    """The data as it may arrive: at once, or in pieces with pauses."""
    number = (1, 1, 1, 2, 4, 8)[random.randrange(6)]
    cuts = sorted(int(random.random() * len(data)) for _ in range(number - 1))
    steps: list[Step] = []
    for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        steps.append(data[start:end])
        pause = random.random()
        if number > 1:
            steps.append(Pause(pause / 20))
    return tuple(steps)


def ending(random: Random) -> dict[str, Any]:
    """How a connection ends that asks nothing in particular."""
    how: tuple[Ending, ...] = ("close", "close", "reset", "half-close")
    lingers = (0.05, 0.1, 0.2, 3.0) if random.random() < 0.1 else (0.05, 0.1)
    return {"ending": how[random.randrange(4)], "linger": lingers[random.randrange(len(lingers))]}
