"""Whoever floods is refused, and nobody else. The last of the suite: elsewhere this machine is refused for a minute."""

from __future__ import annotations

import asyncio

from tests.blackbox.site import Site, today

MOST = 2_000
"""Requests in a minute; more than any server should answer for a stranger."""


async def test_a_flood_from_one_address_is_refused_and_told_when_to_come_back(site: Site) -> None:
    async with site.http("127.0.0.77") as http, site.client("VIEWER") as viewer:
        refused = None
        for _ in range(MOST // 20):
            answers = await asyncio.gather(*(http.get("/graphql?query={__typename}") for _ in range(20)))
            refused = next((answer for answer in answers if answer.status_code == 429), None)
            if refused is not None:
                break
        assert refused is not None
        [error] = refused.json()["errors"]
        assert error["extensions"]["code"] == "RATE_LIMITED"
        assert int(refused.headers["retry-after"]) == error["extensions"]["retryAfter"] >= 1
        await today(viewer)
        if site.has_many_addresses:
            async with site.http("127.0.0.78") as other:
                assert (await other.get("/graphql?query={__typename}")).status_code == 200
