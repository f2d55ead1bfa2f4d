"""The demo's secrets: a signing key and one login per role, created once and stored in the demo's own folder."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from memberstaff.access import Role
from memberstaff.deployment import PREFIX

NAMES = {Role.ADMIN: "Robin Admin", Role.MARKER: "Front desk", Role.VIEWER: "Wall display"}


@dataclass(frozen=True, slots=True)
class Login:
    """A login to the demo."""

    role: Role
    email: str
    password: str

    @property
    def name(self) -> str:
        """Shown beside the account's marks."""
        return NAMES[self.role]


def prepare(folder: Path) -> list[Login]:
    """Create the folder, key and passwords if they are missing, and point the settings to them.

    Variables that are already set win. Other users of this machine can neither read the folder nor, of those that lead
    to it, put another in the place of one that is made here.
    """
    folder = folder.resolve()
    for each in (*reversed(folder.parents), folder):
        each.mkdir(mode=0o700, exist_ok=True)  # `parents=True` would make those as the umask says
    folder.chmod(0o700)
    key = _read_or_create(folder / "secret-key", lambda: secrets.token_urlsafe(48))
    passwords = _read_or_create(folder / "logins.json", _passwords)
    os.environ[f"{PREFIX}DEMO"] = "true"
    os.environ.setdefault(f"{PREFIX}SECRET_KEY", key)
    os.environ.setdefault(f"{PREFIX}DATABASE_URL", f"sqlite+aiosqlite:///{folder / 'memberstaff.db'}")
    os.environ.setdefault(f"{PREFIX}DRAIN_SECONDS", "0")  # no thousand boards to close gently
    password_of = json.loads(passwords)
    return [
        Login(role, f"{role.lower()}@demo.example", password_of[role])
        for role in (Role.ADMIN, Role.MARKER, Role.VIEWER)
    ]


def _passwords() -> str:
    return json.dumps({role: secrets.token_urlsafe(12) for role in Role}, indent=1)


def _read_or_create(file: Path, make: Callable[[], str]) -> str:
    """The file's text; if it is missing, it is created first, readable by its owner only."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as new:
            new.write(make())
    except FileExistsError:
        pass
    return file.read_text(encoding="utf-8")
