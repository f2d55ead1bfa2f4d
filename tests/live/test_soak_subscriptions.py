"""The soak's clients read what servers send, however it comes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from tests.soak.subscriptions import Ended, Result, parts, until_error

FAILED = {"data": None, "errors": [{"message": "Not now.", "extensions": {"code": "UNAVAILABLE", "retryAfter": 2}}]}


async def listed(results: list[Any]) -> AsyncIterator[Any]:
    for result in results:
        yield result


async def test_over_http_the_last_result_without_data_ends_the_operation() -> None:
    event: Result = {"data": {"x": 1}}
    seen = []
    with pytest.raises(Ended) as ended:
        async for result in until_error(listed([FAILED, event, FAILED])):
            seen.append(result)
    assert seen == [FAILED, event]
    assert (ended.value.code, ended.value.retry_after) == ("UNAVAILABLE", 2)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_parts_are_read_however_they_are_cut(size: int) -> None:
    head = "\r\nContent-Type: application/json\r\n\r\n"
    messages = ["{}", '{"payload":{"data":1}}', '{"payload":null,"errors":[2]}']
    body = f"--graphql{''.join(f'{head}{message}{chr(13)}{chr(10)}--graphql' for message in messages)}--\r\n".encode()
    chunks = [body[start : start + size] for start in range(0, len(body), size)]
    seen = [result async for result in parts(httpx2.Response(200, content=listed(chunks)))]
    assert seen == [{"data": 1}, {"payload": None, "errors": [2]}]
