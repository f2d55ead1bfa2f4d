"""Every path refuses a name that is not this server's: DNS rebinding gives a page its origin."""

from __future__ import annotations

import logging

import pytest
from websockets.exceptions import InvalidStatus

from memberstaff.server.allowed_hosts import MISDIRECTED
from tests.api.clients import client
from tests.api.toy import toy
from tests.serving import serving
from tests.web import web_client

EVIL = {"Host": "evil.example", "Origin": "http://evil.example"}


@pytest.mark.parametrize("path", ["/", "/graphql", "/graphiql", "/health/live", "/app/key", "/metrics"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
async def test_a_request_to_another_name_is_refused_and_told_what_to_set(
    path: str, method: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "memberstaff.request")
    app, host = toy()
    async with serving(app, host.settings) as address, web_client(base_url=address.http) as http:
        answer = await http.request(method, path, headers=EVIL)
        assert (answer.status_code, answer.text) == (421, MISDIRECTED)
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert (await http.get("/health/live")).status_code == 200
    assert host.contexts == []
    assert [vars(record)["status"] for record in caplog.records if record.name == "memberstaff.request"] == [421, 200]


@pytest.mark.parametrize("path", ["/graphql", "/app/key", "/elsewhere"])
async def test_a_socket_to_another_name_is_refused(path: str, caplog: pytest.LogCaptureFixture) -> None:
    app, host = toy()
    async with serving(app, host.settings) as address:
        with pytest.raises(InvalidStatus) as refused:
            async with client(address, uri=f"ws://evil.example{path}", host="127.0.0.1", port=address.port):
                pass
    response = refused.value.response
    assert (response.status_code, response.body) == (421, MISDIRECTED.encode())
    assert host.connections == []
    assert [record.message for record in caplog.records if record.levelno >= logging.WARNING] == []


async def test_the_name_in_the_setting_is_served() -> None:
    app, host = toy(allowed_hosts="board.school.example")
    async with serving(app, host.settings) as address, web_client(base_url=address.http) as http:
        assert (await http.get("/health/live", headers={"Host": "board.school.example:8000"})).status_code == 200
        assert (await http.get("/health/live", headers={"Host": "other.school.example"})).status_code == 421
