"""The edge: health, pages and their policies, other origins and names, compression, and what is too large."""

from __future__ import annotations

import json
import re
import zlib
from typing import Any

import brotli
import pytest

from tests.blackbox.site import GRAPHQL, LOGIN, Site
from tests.front_ends import BOARD

EVIL = "https://evil.example"
DECODE = {"br": brotli.decompress, "gzip": lambda body: zlib.decompress(body, wbits=31)}
POLICY = "default-src 'self'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; form-action 'self'; img-src"


@pytest.mark.parametrize(("path", "said"), [("/health/live", "ok"), ("/health/ready", "ok")])
async def test_it_says_that_it_is_well(site: Site, path: str, said: str) -> None:
    async with site.http() as http:
        answer = await http.get(path)
    assert (answer.status_code, answer.json()["status"]) == (200, said)
    assert answer.headers["cache-control"] == "no-store"
    assert re.fullmatch(r"[\w-]{8,}", answer.headers["x-request-id"])


async def test_metrics_are_not_for_everybody(site: Site) -> None:
    async with site.http() as http:
        assert (await http.get("/metrics")).status_code == 404


async def test_the_server_does_not_say_what_it_is_made_of(site: Site) -> None:
    async with site.http() as http:
        answer = await http.get("/health/live")
    assert "uvicorn" not in str(answer.headers).lower()
    assert "python" not in str(answer.headers).lower()
    assert "x-powered-by" not in answer.headers


async def test_the_dashboard_comes_with_its_policy_and_its_assets_are_kept(site: Site) -> None:
    async with site.http() as http:
        page = await http.get("/")
        again = await http.get("/", headers={"If-None-Match": page.headers["etag"]})
        [script, *_] = re.findall(r'src="(/assets/[^"]+\.js)"', page.text)
        asset = await http.get(script)
        wall = await http.get("/wall")
        missing = await http.get("/assets/nothing.js")
    assert (page.status_code, "<title>memberstaff</title>" in page.text) == (200, True)
    assert page.headers["content-security-policy"].startswith(POLICY)
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["cache-control"] == "no-cache"
    assert (again.status_code, wall.text, missing.status_code) == (304, page.text, 404)
    assert (asset.status_code, asset.headers["cache-control"]) == (200, "public, max-age=31536000, immutable")
    assert asset.headers["content-type"].startswith("text/javascript")
    assert asset.headers["content-encoding"] == "gzip"


async def test_the_playground_has_a_policy_of_its_own_or_is_not_there(site: Site) -> None:
    async with site.http() as http:
        page = await http.get("/graphiql")
    if page.status_code == 404:
        assert page.text.startswith("The playground is disabled.")
    else:
        assert page.status_code == 200
        assert "script-src" not in page.headers["content-security-policy"]
        assert page.headers["content-security-policy"].startswith("default-src 'self'; base-uri 'none'")


async def test_a_browser_behind_tls_is_told_to_come_by_it_again(site: Site) -> None:
    async with site.http() as http:
        answer = await http.get("/")
    told = answer.headers.get_list("strict-transport-security")
    assert told == (["max-age=31536000"] if site.address.startswith("https:") else [])


async def test_a_request_to_another_name_gets_nothing_of_ours(site: Site) -> None:
    async with site.http() as http:
        answer = await http.get("/health/live", headers={"Host": "evil.example"})
    assert "status" not in answer.text
    assert answer.status_code == 421 or not answer.content


@pytest.mark.parametrize("path", ["/graphql", "/health/ready"])
async def test_other_sites_may_read_nothing(site: Site, path: str) -> None:
    asked = {"Origin": EVIL, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    async with site.http() as http:
        preflight = await http.options(path, headers=asked)
        answer = await http.post("/graphql", json={"query": "{ __typename }"}, headers={"Origin": EVIL})
    assert preflight.status_code == 400
    assert "access-control-allow-origin" not in preflight.headers
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
async def test_no_form_of_another_site_is_a_request(site: Site, kind: str) -> None:
    async with site.http() as http:
        answer = await http.post("/graphql", content=b'{"query": "{ __typename }"}', headers={"Content-Type": kind})
    assert answer.status_code == 415
    assert "data" not in answer.json()


async def test_nothing_is_changed_by_an_address(site: Site) -> None:
    async with site.http() as http:
        query = {"query": LOGIN, "variables": json.dumps({"input": {"email": "a@b.example", "password": "x"}})}
        answer = await http.get("/graphql", params=query)
        other = await http.put("/graphql", json={"query": "{ __typename }"})
    assert answer.status_code == 405
    assert (other.status_code, other.headers["allow"]) == (405, "GET, POST")


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff", b'{"query": 1}', b"[" * 10_000])
async def test_what_is_no_request_is_answered_as_one_that_is_wrong(site: Site, body: bytes) -> None:
    async with site.http() as http:
        answer = await http.post("/graphql", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["extensions"]["code"] == "BAD_REQUEST"


async def test_a_hash_in_place_of_a_document_is_asked_to_be_the_document(site: Site) -> None:
    extensions = {"persistedQuery": {"version": 1, "sha256Hash": "0" * 64}}
    async with site.http() as http:
        refused = await http.post("/graphql", json={"extensions": extensions}, headers={"Accept": GRAPHQL})
        served = await http.post("/graphql", json={"query": "{ __typename }", "extensions": extensions})
    assert [error["message"] for error in refused.json()["errors"]] == ["PersistedQueryNotSupported"]
    assert served.json() == {"data": {"__typename": "Query"}}


@pytest.mark.parametrize("coding", ["br", "gzip"])
async def test_a_large_answer_is_compressed_and_one_with_a_token_is_not(site: Site, coding: str) -> None:
    async with site.http(headers={"Accept-Encoding": coding}) as http:
        bearer = {"Authorization": f"Bearer {await site.token(http, 'VIEWER')}"}
        body = {"query": BOARD, "variables": {"first": 50}}
        request = http.build_request("POST", "/graphql", json=body, headers=bearer)
        board = await http.send(request, stream=True)
        packed = b"".join([piece async for piece in board.aiter_raw()])
        login = await http.post(
            "/graphql", json={"query": LOGIN, "variables": {"input": {"email": "", "password": ""}}}
        )
    told: dict[str, Any] = json.loads(DECODE[coding](packed))
    assert board.headers["content-encoding"] == coding
    assert len(told["data"]["attendanceDay"]["records"]["edges"]) >= 20
    assert "content-encoding" not in login.headers


async def test_too_long_an_address_too_large_a_head_and_too_large_a_body_are_refused(site: Site) -> None:
    heads = {f"X-Filler-{number}": "x" * 8_000 for number in range(6)}
    async with site.http() as http:
        long = await http.get("/graphql", params={"query": "x" * 9_000})
        large = await http.get("/health/live", headers=heads)
        bearer = {"Authorization": f"Bearer {await site.token(http, 'MARKER')}"}
        body = await http.post("/graphql", json={"query": " " * 200_000}, headers=bearer)
        assert (await http.get("/health/live")).status_code == 200
    assert (long.status_code, large.status_code, body.status_code) == (414, 431, 413)
