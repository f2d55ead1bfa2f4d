"""Where the command line takes a password from: a terminal, which does not show it, or stdin if told so."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sysconfig
import termios
import threading

import pytest
from sqlalchemy import select

from memberstaff.accounts.passwords import Passwords
from memberstaff.db.database import Database
from memberstaff.db.tables import account
from tests.databases import UTC_ZONE
from tests.services.command_line import SECONDS, environment, memberstaff, said

PASSWORD = "correct horse battery"
ADD = ("account", "add", "desk@school.example", "--role", "MARKER")


def at_a_terminal(*arguments: str, url: str, types: list[str]) -> tuple[int, str]:
    """Run a command in a terminal, and type a line at each prompt; the exit code and what the terminal showed."""
    script = shutil.which("memberstaff", path=sysconfig.get_path("scripts"))
    assert script is not None
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        [script, *arguments],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=environment(url),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(theirs)
    stop = threading.Timer(SECONDS, process.kill)
    stop.start()
    shown, prompts = b"", 0
    try:
        while part := _read(ours):
            shown += part
            if shown.endswith(b": ") and shown.count(b": ") > prompts and types:
                prompts = shown.count(b": ")
                os.write(ours, types.pop(0).encode() + b"\n")
        return process.wait(), shown.decode()
    finally:
        stop.cancel()
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 1_024)
    except OSError:  # how Linux says that nobody is at the other end any more
        return b""


async def stored(url: str) -> str:
    database = Database(url, zone=UTC_ZONE)
    async with database.read() as reading:
        found = str(await reading.scalar(select(account.c.password_hash)))
    await database.close()
    return found


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_at_a_terminal_a_password_is_asked_for_twice_and_not_shown(database_url: str) -> None:
    code, shown = at_a_terminal(*ADD, url=database_url, types=[PASSWORD, PASSWORD])
    assert (code, shown.split()) == (
        0,
        ["Password:", "Repeat", "for", "confirmation:", "desk@school.example", "can", "log", "in", "as", "MARKER."],
    )
    assert (await Passwords().verify(await stored(database_url), PASSWORD)).right


@pytest.mark.parametrize("engine", ["sqlite"])
async def test_without_a_terminal_stdin_is_read_only_when_told(database_url: str) -> None:
    assert said(memberstaff(*ADD, url=database_url, stdin=PASSWORD)) == (
        "Without a terminal, pass the password on stdin with --password-stdin."
    )
    assert await stored(database_url) == "None"
