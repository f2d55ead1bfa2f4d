"""The dashboard's pages and files: served strictly, cached for as long as they are good, and nothing else with them."""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psutil import Process
from starlette.datastructures import Headers

from memberstaff.server.app import create_app
from memberstaff.server.web import Site
from memberstaff.settings import Settings
from tests.api.toy import ToyHost, toy_schema
from tests.installation import Installation
from tests.serving import serving
from tests.web import web_client

POLICY = (
    "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'; img-src 'self'"
)
SCRIPT = "console.log('hello')" * 100
DASHBOARD = Path(__file__).parents[2] / "dashboard"
SETTINGS = Settings()
SECRET = "a file beside the build"


@pytest.fixture
def built(tmp_path: Path) -> Path:
    """What a build leaves behind, in small, next to a file that is nobody's business."""
    folder = tmp_path / "web"
    for name, text in {
        "index.html": "<!doctype html><title>board</title>",
        "graphiql/index.html": "<!doctype html><title>playground</title>",
        "reference/index.html": "<!doctype html><title>reference</title>",
        "icon.svg": "<svg xmlns='http://www.w3.org/2000/svg'/>",
        "assets/dashboard-C4f3.js": SCRIPT,
        "assets/dashboard-C4f3.css": "body { margin: 0 }",
    }.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "assets" / "dashboard-C4f3.js.gz").write_bytes(gzip.compress(SCRIPT.encode(), mtime=0))
    (tmp_path / "secret.txt").write_text(SECRET)
    return folder


@asynccontextmanager
async def visiting(built: Path, **changes: object) -> AsyncIterator[httpx.AsyncClient]:
    host = ToyHost(Settings.model_validate(changes))
    async with (
        serving(create_app(toy_schema(), host, built), host.settings) as address,
        web_client(base_url=address.http, headers={"accept-encoding": "identity"}) as client,
    ):
        yield client


async def test_every_route_of_the_dashboard_is_its_page_under_a_strict_policy(built: Path) -> None:
    async with visiting(built) as client:
        pages = [await client.get(path) for path in ("/", "/login", "/staff", "/day/2026-11-23", "/wall?dark=1")]
    for page in pages:
        assert (page.status_code, page.text) == (200, "<!doctype html><title>board</title>")
        assert page.headers["content-type"] == "text/html; charset=utf-8"
        assert page.headers["content-security-policy"] == POLICY
        assert page.headers["x-content-type-options"] == "nosniff"
        assert page.headers["referrer-policy"] == "no-referrer"
        assert page.headers["cross-origin-opener-policy"] == "same-origin"
        assert "camera=()" in page.headers["permissions-policy"]
        assert page.headers["cache-control"] == "no-cache"


async def test_photos_may_come_from_the_origins_of_the_settings(built: Path) -> None:
    async with visiting(built, image_origins="https://photos.example.org, https://cdn.example.com") as client:
        page = await client.get("/")
    assert page.headers["content-security-policy"] == f"{POLICY} https://photos.example.org https://cdn.example.com"


async def test_a_page_that_has_not_changed_is_not_sent_again_and_keeps_its_policy(built: Path) -> None:
    async with visiting(built) as client:
        first = await client.get("/")
        again = await client.get("/", headers={"if-none-match": first.headers["etag"]})
        (built / "index.html").write_text("<!doctype html><title>new board</title>")
        changed = await client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["content-security-policy"] == POLICY
    assert (changed.status_code, changed.text) == (200, "<!doctype html><title>new board</title>")


async def test_an_asset_is_kept_for_ever_and_a_file_without_a_hash_is_not(built: Path) -> None:
    async with visiting(built) as client:
        style = await client.get("/assets/dashboard-C4f3.css")
        icon = await client.get("/icon.svg")
        known = await client.get("/icon.svg", headers={"if-none-match": icon.headers["etag"]})
    assert (style.status_code, style.text) == (200, "body { margin: 0 }")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert style.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert style.headers["content-security-policy"] == POLICY
    assert (icon.headers["content-type"], icon.headers["cache-control"]) == ("image/svg+xml", "no-cache")
    assert known.status_code == 304


async def test_an_asset_is_packed_for_those_who_can_unpack_it(built: Path) -> None:
    async with visiting(built) as client:
        packed = await client.get("/assets/dashboard-C4f3.js", headers={"accept-encoding": "br, gzip"})
        plain = await client.get("/assets/dashboard-C4f3.js")
        unpackable = await client.get("/assets/dashboard-C4f3.css", headers={"accept-encoding": "gzip"})
    assert (packed.text, packed.headers["content-encoding"]) == (SCRIPT, "gzip")
    assert (plain.text, "content-encoding" in plain.headers) == (SCRIPT, False)
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) == len(SCRIPT)
    for answer in (packed, plain):
        assert answer.headers["content-type"] == "text/javascript; charset=utf-8"
        assert "Accept-Encoding" in answer.headers["vary"]
    assert (unpackable.status_code, "content-encoding" in unpackable.headers) == (200, False)


@pytest.mark.parametrize("path", ["/", "/assets/dashboard-C4f3.js"])
async def test_head_tells_the_same_without_the_body(built: Path, path: str) -> None:
    async with visiting(built) as client:
        get, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert {**head.headers, "x-request-id": "", "date": ""} == {**get.headers, "x-request-id": "", "date": ""}


@pytest.mark.parametrize("path", ["/", "/staff", "/assets/dashboard-C4f3.js"])
async def test_a_page_is_only_read(built: Path, path: str) -> None:
    async with visiting(built) as client:
        answer = await client.post(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/",
        "/assets/nothing.js",
        "/assets/nothing",
        "/favicon.ico",
        "/index.html",
        "/graphiql/index.html",
        "/reference/index.html",
        "/reference/Query",
        "/assets/dashboard-C4f3.js.gz",
        "/graphql/x",
        "/health",
        "/health/dead",
        "/metrics",
        "/avatars",
        "/app/memberstaff/events",
        "/broadcasting/auth",
    ],
)
async def test_what_is_no_page_is_not_found(built: Path, path: str) -> None:
    async with visiting(built, demo=True) as client:
        answer = await client.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 404),
        ({"demo": True}, 200),
        ({"playground": True}, 200),
        ({"demo": True, "playground": False}, 404),
    ],
)
async def test_the_playground_is_there_when_it_is_asked_for(
    built: Path, changes: dict[str, object], status: int
) -> None:
    async with visiting(built, **changes) as client:
        answer = await client.get("/graphiql")
    assert answer.status_code == status
    if status == 200:
        assert answer.text == "<!doctype html><title>playground</title>"
        assert answer.headers["content-security-policy"] == (
            "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'; "
            "img-src 'self' data:; font-src 'self' data:; style-src 'self' 'unsafe-inline'"
        )


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 404),
        ({"demo": True}, 200),
        ({"playground": True}, 404),
        ({"introspection": True}, 404),
        ({"playground": True, "introspection": True}, 200),
        ({"demo": True, "introspection": False}, 404),
        ({"demo": True, "playground": False}, 404),
    ],
)
async def test_the_reference_is_there_with_the_playground_where_everybody_may_read_the_schema(
    built: Path, changes: dict[str, object], status: int
) -> None:
    async with visiting(built, **changes) as client:
        answer = await client.get("/reference")
    assert answer.status_code == status
    if status == 200:
        assert answer.text == "<!doctype html><title>reference</title>"
        assert answer.headers["content-security-policy"] == POLICY
    else:
        assert answer.text == (
            "The reference is disabled. It is there with the playground (MEMBERSTAFF_PLAYGROUND=true), where everybody "
            "may read the schema (MEMBERSTAFF_INTROSPECTION=true).\n"
        )


@pytest.mark.parametrize("served", [True, False])
@pytest.mark.parametrize(
    ("path", "file", "linked"),
    [("/", "index.html", "playground"), ("/graphiql", "graphiql/index.html", "reference")],
)
async def test_a_page_says_whether_there_is_another_to_link_to(
    built: Path, path: str, file: str, linked: str, served: bool
) -> None:
    source = (DASHBOARD / file).read_text()
    (built / file).write_text(source)
    changes = {"playground": served or path != "/", "introspection": served}
    async with visiting(built, **changes) as client:
        page = await client.get(path)
    said = "on" if served else "off"
    assert f'"memberstaff-{linked}" content="off"' in source
    assert page.text == source.replace(f'{linked}" content="off"', f'{linked}" content="{said}"')


@pytest.mark.parametrize("path", ["/", "/staff", "/graphiql", "/reference"])
async def test_without_a_build_the_page_says_what_to_do_and_the_api_runs(tmp_path: Path, path: str) -> None:
    async with visiting(tmp_path / "web", playground=True, introspection=True) as client:
        page = await client.get(path)
        hello = await client.post("/graphql", json={"query": "{ hello }"})
    assert page.status_code == 503
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "<code>./dev run</code>" in page.text
    assert hello.json() == {"data": {"hello": "Hello, world!"}}


def open_files() -> set[Path]:
    """What this process has open."""
    return {Path(file.path) for file in Process().open_files()}


async def test_whoever_reads_slowly_holds_no_file_open(built: Path) -> None:
    large = built / "assets" / "large-C4f3.js"
    large.write_bytes(b"x" * 8_000_000)
    host = ToyHost(SETTINGS)
    loop = asyncio.get_running_loop()
    async with serving(create_app(toy_schema(), host, built), host.settings) as address:
        with socket.socket() as slow:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2_048)
            slow.setblocking(False)
            await loop.sock_connect(slow, ("127.0.0.1", address.port))
            await loop.sock_sendall(slow, b"GET /assets/large-C4f3.js HTTP/1.1\r\nHost: localhost\r\n\r\n")
            received = b""
            while b"\r\n\r\nx" not in received:
                received += await loop.sock_recv(slow, 2_048)
            assert large not in open_files()
            with large.open("rb"):
                assert large in open_files()
        async with web_client(base_url=address.http) as client:
            assert (await client.get("/assets/large-C4f3.js")).content == large.read_bytes()


PIECES = st.lists(
    st.sampled_from(["..", ".", "", "assets", "graphiql", "secret.txt", "dashboard-C4f3.js", "web", "C:", "~", "\0"])
    | st.text(max_size=8),
    max_size=8,
)


@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pieces=PIECES, separator=st.sampled_from(["/", "\\", "//"]), packed=st.booleans())
def test_no_path_leads_out_of_the_build(built: Path, pieces: list[str], separator: str, packed: bool) -> None:
    headers = Headers({"accept-encoding": "gzip"} if packed else {})
    site = Site(SETTINGS, built)
    response = site.file("/" + separator.join(pieces), headers)
    assert response.status_code in {200, 404}
    for file in site.contents:
        assert Path(file).is_relative_to(built)
        assert Path(file).suffix in {".js", ".css", ".svg", ".gz"}


async def test_health_needs_no_login_and_tells_nothing_of_us(installation: Installation) -> None:
    assert (await installation.http.get("/health/live")).json() == {"status": "ok"}
    ready = (await installation.http.get("/health/ready")).json()
    assert ready == {"status": "ok", "database": "well", "live": "well"}


@pytest.mark.parametrize("path", ["/openapi.json", "/metrics", "/schema.json", "/.env"])
async def test_nothing_else_is_served_to_strangers(installation: Installation, path: str) -> None:
    assert (await installation.http.get(path)).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/redoc"])
async def test_where_fastapi_shows_documentation_there_is_only_the_dashboard(
    installation: Installation, path: str
) -> None:
    assert (await installation.http.get(path)).text == (await installation.http.get("/")).text
