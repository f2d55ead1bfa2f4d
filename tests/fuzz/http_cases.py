"""Cases over HTTP: requests whose every byte may be wrong, and GraphQL operations in requests that are well-formed."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from random import Random
from typing import Any
from urllib.parse import quote

from memberstaff.access import Role
from tests.fuzz.cases import Case, Step, World, ending, pieces, who
from tests.fuzz.documents import Documents, Operation, extreme, spoil
from tests.fuzz.mutation import BYTES, TEXTS, any_value, mutate_bytes, mutate_value, one_of

JSON = "application/json"
ACCEPTS = (JSON, "application/graphql-response+json", "*/*", f"{JSON};q=0.5, text/html", f"{JSON}, text/event-stream")
STREAMS = ("text/event-stream", "multipart/mixed;subscriptionSpec=1.0, application/json")

Header = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Request:
    """A request, before it becomes bytes."""

    method: str = "GET"
    target: str = "/"
    version: str = "HTTP/1.1"
    headers: tuple[Header, ...] = (("Host", "127.0.0.1"),)
    body: bytes = b""
    chunks: tuple[int, ...] = field(default=())
    """Sizes of the chunks that the body is sent in; with a Content-Length if there are none."""

    def encode(self) -> bytes:
        """As it is sent."""
        headers, body = list(self.headers), self.body
        names = {name.lower() for name, _ in headers}
        if self.chunks:
            headers.append(("Transfer-Encoding", "chunked"))
            at, parts = 0, []
            for size in self.chunks:
                part, at = body[at : at + size], at + size
                parts += [b"%x\r\n%b\r\n" % (len(part), part)] if part else []
            rest = body[at:]
            parts += [b"%x\r\n%b\r\n" % (len(rest), rest)] if rest else []
            body = b"".join([*parts, b"0\r\n\r\n"])
        elif body and "content-length" not in names:
            headers.append(("Content-Length", str(len(body))))
        lines = [
            f"{self.method} {self.target} {self.version}",
            *(f"{name}: {value}" for name, value in headers),
            "",
            "",
        ]
        return "\r\n".join(lines).encode("utf-8", "surrogatepass") + body

    def more(self, *headers: Header) -> Request:
        """With these headers too."""
        return replace(self, headers=(*self.headers, *headers))


def bearer(random: Random, world: World, role: Role | None) -> tuple[Header, ...]:
    """The headers of somebody, sometimes not quite as they should be."""
    how, other, cookie = random.random(), one_of(random, list(Role)), random.random()
    token = world.tokens[role] if role is not None else ""
    spoilt = mutate_bytes(random, (token or world.refresh_tokens[other]).encode())
    text = spoilt.decode("latin-1").replace("\r", "").replace("\n", "")
    found: list[Header] = []
    if how < 0.08:
        found.append(("Authorization", one_of(random, (f"Bearer {text}", "Bearer", f"Basic {text}", text, "Bearer  "))))
    elif token:
        found.append(("Authorization", f"Bearer {token}"))
    if cookie < 0.1:
        found.append(("Cookie", f"memberstaff_refresh={world.refresh_tokens[other] if cookie < 0.05 else text}"))
    return tuple(found)


def post(operation: Any, *headers: Header) -> Request:
    """An operation by POST."""
    body = json.dumps(operation).encode()
    base = (("Host", "127.0.0.1"), ("Content-Type", JSON), *headers)
    return Request("POST", "/graphql", headers=base, body=body)


VIEWER = "{ viewer { id displayName role today organisation timeZone } }"
BOARD = "query ($date: Date) { attendanceDay(date: $date) { state records(first: 50) { edges { node { note } } } } }"
EVENTS = "subscription ($date: Date!) { attendanceUpdated(date: $date) { staffName note status } }"


def samples(world: World) -> tuple[Request, ...]:
    """Requests as clients send them."""
    query = quote(VIEWER)
    form = (("Host", "127.0.0.1"), ("Content-Type", "application/x-www-form-urlencoded"))
    channel = b"socket_id=12.34&channel_name=private-attendance"
    upgrade = (("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13"))
    key = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
    login = {"query": "mutation ($i: LoginInput!) { login(input: $i) { accessToken errors { message code } } }"}
    refresh = {"query": 'mutation { refreshSession(input: { refreshToken: "x.y" }) { accessToken errors { code } } }'}
    return (
        Request(),
        Request(target="/health/live"),
        Request(target="/health/ready"),
        Request(target="/metrics"),
        Request(target="/graphiql"),
        Request(target="/avatars/amina.svg"),
        Request(target="/assets/index.js"),
        Request(target="/manifest.webmanifest"),
        Request(target=f"/graphql?query={query}"),
        Request(target=f"/graphql?query={query}&variables=%7B%7D&operationName=&extensions=%7B%7D"),
        Request("HEAD", "/"),
        Request("OPTIONS", "/graphql").more(("Origin", "https://x.example"), ("Access-Control-Request-Method", "POST")),
        post({"query": VIEWER}),
        post({"query": BOARD, "variables": {"date": world.today}}),
        post({"query": EVENTS, "variables": {"date": world.today}}, ("Accept", STREAMS[0])),
        post({"query": EVENTS, "variables": {"date": world.today}}, ("Accept", STREAMS[1])),
        post({**login, "variables": {"i": {"email": "nobody@school.example", "password": "wrong"}}}),
        post({**login, "variables": {"i": {"email": world.emails[Role.VIEWER], "password": "x", "cookie": True}}}),
        post(refresh),
        Request("POST", "/broadcasting/auth", headers=form, body=channel),
        Request(
            "POST", "/broadcasting/auth", body=b'{"socket_id":"1.2","channel_name":"private-attendance.2026-01-05"}'
        ),
        Request(target="/graphql").more(*upgrade, key, ("Sec-WebSocket-Protocol", "graphql-transport-ws")),
        Request(target=f"/app/{world.echo_key}?protocol=7").more(*upgrade, key),
    )


METHODS = ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "CONNECT", "PRI", "get", "G" * 300, "")
TARGETS = (
    *(
        "*",
        "//",
        "/..",
        "/../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/assets/..%2f..%2fsettings.py",
        "/\0",
        "/%00",
    ),
    *(
        "http://other.example/graphql",
        "/graphql/",
        "/GRAPHQL",
        "/graphql?" + "a=b&" * 500,
        "/" + "x" * 9_000,
        "/é",
        "/%ff",
    ),
    *(
        "/graphql?query=%ff",
        "/graphql?query=" + "%7B" * 1_000,
        "/graphql?variables=%5B%5D&query={a}",
        "/avatars/%0a.svg",
    ),
    *("/avatars/" + "a" * 3_000 + ".svg", "/app/", "/app/%00", "/app/x?protocol=abc", "/health/", "/static/../app.py"),
)
VERSIONS = ("HTTP/1.0", "HTTP/1.1", "HTTP/0.9", "HTTP/2.0", "HTTP/9.9", "http/1.1", "HTTP/1.1 x", "", "FTP/1.1")
LENGTHS = (
    "0",
    "1",
    "-1",
    "+5",
    "5, 5",
    "5, 6",
    "0x10",
    "1e3",
    "99999999999999999999",
    "",
    " ",
    "abc",
    "100001",
    "\u0662",
)
NAMES = (
    *("Host", "Origin", "Cookie", "Authorization", "Content-Type", "Content-Encoding", "Accept", "Expect", "Range"),
    *(
        "Connection",
        "Upgrade",
        "Transfer-Encoding",
        "X-Request-ID",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "Forwarded",
    ),
    *(
        "Accept-Encoding",
        "Last-Event-ID",
        "If-None-Match",
        "If-Modified-Since",
        "Sec-WebSocket-Key",
        "Sec-WebSocket-Protocol",
        "Referer",
    ),
    *("Sec-WebSocket-Extensions", "Sec-WebSocket-Version", "X-" + "y" * 3_000, " X", "X ", "X\t", "é", "X:Y", "\0", ""),
)
VALUES = (
    *("", " ", "a", "127.0.0.1", "evil.example", "http://evil.example", "null", "chunked", "gzip, chunked", "xchunked"),
    *("websocket", "h2c", "100-continue", "bytes=0-,5-", "identity;q=0", "gzip", "close", "keep-alive, Upgrade", "*"),
    *("application/json; charset=utf-16", "application/json;charset=", "multipart/form-data; boundary=x", "text/plain"),
    *(
        "permessage-deflate; client_max_window_bits=99",
        "13",
        "8",
        "a,b",
        "\t",
        "\x7f",
        "é",
        "\x01",
        "z" * 40_000,
        ",;" * 2_000,
    ),
)


def http(random: Random, world: World) -> Case:
    """A request, or several on one connection, with wrong lines, headers, lengths, chunks and bytes."""
    role = who(random)
    number = (1, 1, 1, 2, 5)[random.randrange(5)]
    every = samples(world)
    requests = [_spoilt(random, one_of(random, every).more(*bearer(random, world, role))) for _ in range(number)]
    data = b"".join(requests)
    changed, cut, more = random.random(), random.random(), one_of(random, BYTES)
    data = mutate_bytes(random, data, times=(1, 1, 2, 8)[random.randrange(4)]) if changed < 0.4 else data
    if cut < 0.15:
        data = data[: int(len(data) * cut / 0.15)]
    elif cut > 0.97:
        data += more * 50
    return Case(pieces(random, data), **ending(random), notes_allowed=role in {Role.MARKER, Role.ADMIN})


def _spoilt(random: Random, request: Request) -> bytes:
    times = random.randrange(4)
    for _ in range(times):
        how = random.randrange(12)
        name, value, text = one_of(random, NAMES), one_of(random, VALUES), one_of(random, TEXTS)
        headers, many, at = request.headers, int(10 ** (1 + 2 * random.random())), random.random()
        length = one_of(random, LENGTHS)
        request = (
            replace(request, method=one_of(random, METHODS)),
            replace(request, target=one_of(random, TARGETS)),
            replace(request, version=one_of(random, VERSIONS)),
            request.more((name, value)),
            request.more((name, text.replace("\r", "").replace("\n", ""))),
            request.more(*[(name, value[:200])] * min(many, 150)),
            request.more(("Content-Length", length)),
            request.more(("Content-Length", length), ("Transfer-Encoding", "chunked")),
            replace(request, headers=headers[: int(at * len(headers))]),
            replace(request, chunks=(1, 2, many, 0)),
            request.more(("X", "a\r\n b"), ("Y", "c\n d")),
            replace(request, body=request.body * 3 + b"x" * many),
        )[how]
    data = request.encode()
    return data.replace(b"\r\n", b"\n", 1 + int(at * 3)) if (at := random.random()) < 0.03 else data


def graphql(documents: Documents) -> Any:
    """Cases of GraphQL: documents and variables, in requests that are well-formed."""

    def make(random: Random, world: World) -> Case:
        role, accept = who(random), one_of(random, ACCEPTS)
        body = message(random, world, documents)
        text = json.dumps(body).encode()
        changed, by_get = random.random(), random.random()
        text = mutate_bytes(random, text, times=2) if changed < 0.1 else text
        headers = [("Host", "127.0.0.1"), ("Accept", accept), ("Connection", "close"), *bearer(random, world, role)]
        streams = random.random()
        if by_get < 0.06 and isinstance(body, dict):
            pairs = [(name, each if isinstance(each, str) else json.dumps(each)) for name, each in body.items()]
            target = "&".join("=".join(quote(text.encode("utf-8", "replace")) for text in pair) for pair in pairs)
            request = Request(target=f"/graphql?{target}", headers=tuple(headers))
        else:
            headers.append(("Content-Type", JSON))
            request = Request("POST", "/graphql", headers=tuple(headers), body=text)
        if streams < 0.1:
            request = replace(request, headers=(*request.headers, ("Accept", STREAMS[streams < 0.05])))
        steps: tuple[Step, ...] = pieces(random, request.encode())
        allowed = role in {Role.MARKER, Role.ADMIN}
        end = ending(random)
        if "text/event-stream" in accept or streams < 0.1:
            return Case(steps, **end, notes_allowed=allowed)
        return Case(steps, answer_due=True, notes_allowed=allowed)

    return make


def message(random: Random, world: World, documents: Documents) -> Any:
    """What stands in a request's body, or in a `subscribe`."""
    document, variables = operation(random, world, documents)
    body: Any = {"query": document, "variables": variables}
    name, wrong, extension = random.random(), random.random(), any_value(random)
    other = one_of(random, ("Q", "Q1", *TEXTS))
    if name < 0.1:
        body["operationName"] = other
    if name > 0.95:
        body["extensions"] = extension
    changed = mutate_value(random, body)
    variables_changed = mutate_value(random, body["variables"])
    if wrong < 0.1:
        return changed
    if wrong < 0.3:
        body["variables"] = variables_changed
    return [body] * 3 if wrong > 0.98 else body


def operation(random: Random, world: World, documents: Documents) -> Operation:
    """Mostly one that is valid, sometimes one that is not quite, or not at all."""
    how = random.random()
    if how < 0.15:
        return extreme(random)
    document, variables = documents.operation(random, world)
    return (spoil(random, document) if how < 0.35 else document), variables
