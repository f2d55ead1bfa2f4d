"""Cases over WebSocket: wrong frames, and right ones in the wrong order, of graphql-transport-ws and Pusher."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from memberstaff.access import Role
from tests.fuzz.cases import Authorised, Case, Heard, Pause, Step, World, ending, who
from tests.fuzz.documents import Documents
from tests.fuzz.http_cases import EVENTS, VIEWER, Request, message
from tests.fuzz.mutation import BYTES, TEXTS, any_value, mutate_bytes, mutate_value, one_of

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
CODES = (0, 999, 1000, 1001, 1004, 1005, 1006, 1015, 1016, 2999, 3000, 4400, 4499, 5000, 65535)


def frame(payload: bytes, opcode: int = TEXT, *, first: int = 0x80, mask: bytes | None = b"\0\0\0\0") -> bytes:
    """A frame as a client sends it; `first` has the bits FIN and RSV1 to 3."""
    size = len(payload)
    masked = 0 if mask is None else 0x80
    if size < 126:
        length = bytes([masked | size])
    else:
        wide = size >= 65_536
        length = bytes([masked | (127 if wide else 126)]) + size.to_bytes(8 if wide else 2, "big")
    key = mask or b""
    if any(key):
        payload = bytes(each ^ key[at % 4] for at, each in enumerate(payload))
    return bytes([first | opcode]) + length + key + payload


def handshake(target: str, protocol: str | None, *more: tuple[str, str]) -> bytes:
    """The request that opens a socket."""
    headers = [("Host", "127.0.0.1"), ("Upgrade", "websocket"), ("Connection", "Upgrade")]
    headers += [("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="), ("Sec-WebSocket-Version", "13")]
    headers += [("Sec-WebSocket-Protocol", protocol)] if protocol else []
    return Request(target=target, headers=(*headers, *more)).encode()


def _frames(random: Random, texts: list[Any]) -> list[Step]:
    """Messages as frames, some of which are wrong."""
    steps: list[Step] = []
    for text in texts:
        if not isinstance(text, bytes):
            steps.append(text)
            continue
        how, code, junk = random.random(), one_of(random, CODES), one_of(random, BYTES)
        mask, opcode, split = random.randbytes(4), random.randrange(16), random.random()
        first, size = random.randrange(16) << 4, int(10 ** (5 * random.random()))
        whole = frame(text, mask=mask)
        changed = mutate_bytes(random, whole)
        if how < 0.75:
            steps.append(whole)
        elif how < 0.79:
            middle = int(split * len(text))
            steps += [frame(text[:middle], first=0), frame(junk[:100], PING), frame(text[middle:], 0)]
        else:
            steps.append(
                (
                    changed,
                    frame(text, opcode, first=first, mask=mask),
                    frame(text, mask=None),
                    frame(text[:100], PING),
                    frame(junk, PING),
                    frame(junk, PONG),
                    frame(junk, BINARY),
                    frame(junk, CLOSE),
                    frame(code.to_bytes(2, "big") + junk[:200], CLOSE),
                    frame(b"\x03", CLOSE),
                    frame(junk, TEXT),
                    frame(b"x" * size),
                    frame(text, first=0) * min(size, 200),
                    b"\x81\xff" + b"\xff" * 8 + text,
                    b"\x81\xfe\x00\x01" + text,
                )[int(opcode * 15 / 16)]
            )
    return steps


def websocket(documents: Documents) -> Callable[[Random, World], Case]:
    """Cases of graphql-transport-ws."""

    def make(random: Random, world: World) -> Case:
        role = who(random)
        token = world.tokens[role] if role else ""
        plain: list[Any] = [
            {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"} if role else None}
        ]
        for _ in range(random.randrange(1, 12)):
            identity = one_of(random, ("1", "1", "2", "3", *TEXTS))
            watch = {"query": EVENTS, "variables": {"date": one_of(random, world.dates)}}
            body = message(random, world, documents)
            resumed = {**watch, "query": EVENTS.replace("$date:", "$after: String, $date:")}
            resumed["variables"] = {"date": world.today, "after": world.cursor}
            plain.append(
                one_of(
                    random,
                    (
                        *[{"id": identity, "type": "subscribe", "payload": body}] * 5,
                        *[{"id": identity, "type": "subscribe", "payload": watch}] * 2,
                        {"id": identity, "type": "subscribe", "payload": {"query": VIEWER}},
                        {"id": identity, "type": "subscribe", "payload": resumed},
                        *[{"id": identity, "type": "complete"}] * 2,
                        {"type": "ping"},
                        {"type": "ping", "payload": body},
                        {"type": "pong"},
                        {"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}},
                        {"id": identity, "type": "next", "payload": {"data": None}},
                        {"id": identity, "type": "error", "payload": []},
                        {"type": "connection_ack"},
                        {"type": identity},
                    ),
                )
            )
        protocol = one_of(
            random, (*["graphql-transport-ws"] * 12, "graphql-ws", None, "mqtt", "graphql-transport-ws, x")
        )
        origin = one_of(random, (*[None] * 10, "http://evil.example", "null", "http://127.0.0.1"))
        more = [("Origin", origin)] if origin else []
        opening = handshake("/graphql", protocol, *more)
        return _case(random, opening, plain, role)

    return make


def pusher(random: Random, world: World) -> Case:
    """A case of the Pusher protocol."""
    role = who(random)
    channels = ("attendance", "private-attendance", "presence-attendance", f"private-attendance.{world.today}")
    plain: list[Any] = []
    for _ in range(random.randrange(1, 10)):
        channel = one_of(random, (*channels, *channels, *TEXTS, "private-attendance.2026-02-30", "presence-x"))
        auth = one_of(random, ("", "x", f"{world.echo_key}:{'0' * 64}", f"{world.echo_key}:é"))
        data: Any = {"channel": channel, "auth": auth, "channel_data": one_of(random, ("", "{}", '{"user_id":1}', "["))}
        text, spoilt, cursor = one_of(random, TEXTS), random.random() < 0.2, random.random()
        joined: Any = {"event": "pusher:subscribe", "data": {"channel": channels[0]}}
        if role is not None:
            fields = {"cursor": world.cursor} if cursor < 0.3 else {"cursor": text} if cursor < 0.4 else {}
            joined = Authorised(channel if spoilt else one_of(random, channels[1:]), role, fields, spoilt)
        plain.append(
            one_of(
                random,
                (
                    *[joined] * 5,
                    *[{"event": "pusher:subscribe", "data": data}] * 3,
                    {"event": "pusher:subscribe", "data": json.dumps(data)},
                    {"event": "pusher:unsubscribe", "data": {"channel": channel}},
                    {"event": "pusher:ping", "data": {}},
                    {"event": "pusher:ping"},
                    {"event": "pusher:pong", "data": text},
                    {"event": "client-typing", "channel": channel, "data": {}},
                    {"event": "pusher_internal:subscription_succeeded", "channel": channel, "data": "{}"},
                    {"event": "pusher:signin", "data": {"auth": auth, "user_data": text}},
                    {"event": text, "data": data},
                ),
            )
        )
    key = one_of(random, (*[world.echo_key] * 12, "other", "%00", "", f"{world.echo_key}/x"))
    query = one_of(
        random, (*["protocol=7&client=js&version=8.4.0"] * 8, "protocol=4", "protocol=x", "", "protocol=7&" * 99)
    )
    return _case(random, handshake(f"/app/{key}?{query}", None), plain, role)


def _case(random: Random, opening: bytes, plain: list[Any], role: Role | None) -> Case:
    """A connection with these messages, of which some are left out, changed, moved or not JSON at all."""
    texts: list[Any] = []
    for each in plain:
        how, changed, other = random.random(), mutate_value(random, each), one_of(random, TEXTS)
        if isinstance(each, Authorised):
            texts += [Heard(), each]
            continue
        value = changed if how < 0.12 else any_value(random) if how < 0.15 else each
        text = json.dumps(value).encode() if how < 0.98 else other.encode("utf-8", "surrogatepass")
        texts.append(mutate_bytes(random, text) if how > 0.96 else text)
        if how < 0.5:
            texts.append(Heard() if how < 0.4 else Pause(how / 20))
    order, at, until = random.random(), random.random(), random.random()
    if order < 0.1 and texts:
        texts.insert(int(at * len(texts)), texts.pop(int(until * len(texts))))
    elif order < 0.15:
        texts = texts[1:]
    elif order < 0.18:
        texts *= 8
    steps = _frames(random, texts)
    first, changed, waits = random.random(), mutate_bytes(random, opening), random.random()
    opened: list[Step] = [changed if first < 0.03 else opening, *([Heard()] if waits < 0.85 else [])]
    return Case((*opened, *steps), **ending(random), notes_allowed=role in {Role.MARKER, Role.ADMIN})
