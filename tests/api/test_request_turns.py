"""Whoever comes from elsewhere does not stand behind all that one client has sent."""

from __future__ import annotations

import socket
from contextlib import ExitStack

import pytest

from tests.api.toy import toy
from tests.serving import serving
from tests.waiting import until

REQUEST = (
    b"GET /graphql?query=%7B%20hello%20%7D HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer victor-token\r\n\r\n"
)


@pytest.mark.parametrize(("trusted", "place"), [("", 1), ("127.0.0.0/8", 40)])
async def test_a_request_from_elsewhere_is_begun_beside_the_first_of_many(trusted: str, place: int) -> None:
    app, host = toy(trusted_proxies=trusted)
    async with serving(app, host.settings) as address:
        with ExitStack() as stack:
            for source in ["127.0.0.1"] * 40 + ["127.0.0.2"]:  # before the loop sees any of them
                there = ("127.0.0.1", address.port)
                client = stack.enter_context(socket.create_connection(there, source_address=(source, 0)))
                client.sendall(REQUEST)
            await until(lambda: len(host.contexts) == 41)
    assert [context.connection.address for context in host.contexts].index("127.0.0.2") == place
