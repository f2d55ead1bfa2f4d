"""What no answer and no line of the log may say."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]

PRIVATE_NOTE = "a private note"
"""Begins the notes that only administrators and markers may read."""

OURS = [b"AuthError", b"SubscriptionError", *re.findall(rb"\b[A-Z]\w*Error\b", (ROOT / "schema.graphql").read_bytes())]
"""Names that clients know: Pusher's, and those of the schema."""

INSIDES: Mapping[str, re.Pattern[bytes]] = {
    "a traceback": re.compile(rb'Traceback \(most recent|File \\?"[^"]+", line \d+'),
    "a path of this machine": re.compile(
        b"|".join(re.escape(path.encode()) for path in {str(ROOT), sys.prefix}) + rb"|site-packages|/usr/lib/python"
    ),
    "SQL": re.compile(rb"SELECT \w+\.|INSERT INTO |UPDATE \w+ SET |DELETE FROM |\[SQL"),
    "Python's insides": re.compile(rb"<class '|<function |<coroutine | object at 0x|NoneType|NotImplementedError"),
    "the name of a module": re.compile(
        rb"\b(?:sqlalchemy|asyncpg|aiosqlite|sqlite3|redis|uvicorn|starlette|fastapi|strawberry|httptools|msgspec|graphql"
        rb"|memberstaff|asyncio|builtins)\.[a-z_]{3,}"
    ),
    "the name of an exception": re.compile(rb"\b(?!(?:" + b"|".join(OURS) + rb")\b)[A-Z]\w*(?:Error|Exception)\b"),
    "INTERNAL": re.compile(rb'"code": ?"INTERNAL"'),
    "a failure of the server": re.compile(rb"^HTTP/1\.1 5(?!03)\d\d [^\r]*", re.MULTILINE),
}
PAGES = re.compile(rb"(?im)^content-type: (?:text/(?:html|css|markdown)|(?:text|application)/javascript|image/|font/)")
"""Files of the dashboard, which are the same for everybody; they may name exceptions of JavaScript."""
FOR_NOW = re.compile(rb"HTTP/1\.1 (429|503) [^\r]*\r\n(?:(?!retry-after: \d)[^\r]+\r\n)*\r\n", re.IGNORECASE)
"""A refusal for now without a word about when to come back."""
INTERNAL_CLOSES = {1011: "an internal error", 4500: "an internal error"}


def of_answer(sent: bytes, heard: bytes, secrets: Mapping[str, str], *, notes_allowed: bool) -> Iterator[str]:
    """What an answer says that it must not, unless it only repeats what was sent."""
    told = {name: text.encode() for name, text in secrets.items()}
    if not notes_allowed:
        told["a note, to somebody who may not read notes"] = PRIVATE_NOTE.encode()
    for name, text in told.items():
        if text in heard and text not in sent:
            yield f"said {name}"
    for found in FOR_NOW.finditer(heard):
        yield f"said {found[1].decode()} without Retry-After"
    if PAGES.search(heard):
        return
    for name, pattern in INSIDES.items():
        for found in pattern.finditer(heard):
            if found[0] not in sent:
                yield f"said {name}: {found[0].decode('latin-1')}"
                break
    for code in closes(heard):
        if code in INTERNAL_CLOSES:
            yield f"closed a socket with {code}"


def of_log(line: str, secrets: Mapping[str, str]) -> Iterator[str]:
    """What a line of the log says that it must not: errors, and secrets."""
    for name, text in {**secrets, "a note": PRIVATE_NOTE}.items():
        if text in line:
            yield f"logged {name}"
    try:
        entry = json.loads(line)
    except ValueError:
        entry = None
    if not isinstance(entry, dict):
        if re.search(r"Traceback|Error|Exception|Warning|Fatal", line):
            yield f"printed {line[:200]}"
    elif entry.get("level") in {"error", "critical"} or "exception" in entry:
        last = str(entry.get("exception", "")).strip().rpartition("\n")[2]
        yield f"logged {entry.get('event')} {last}".strip()


def closes(heard: bytes) -> Iterator[int]:
    """The codes of the close frames in what a WebSocket server has sent, after its handshake."""
    head, _, rest = heard.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 101"):
        return
    while len(rest) >= 2:
        opcode, size, start = rest[0] & 15, rest[1] & 127, 2
        if size > 125:
            start = 4 if size == 126 else 10
            size = int.from_bytes(rest[2:start], "big")
        if opcode == 8 and size >= 2 and len(rest) >= start + 2:
            yield int.from_bytes(rest[start : start + 2], "big")
        rest = rest[start + size :]
