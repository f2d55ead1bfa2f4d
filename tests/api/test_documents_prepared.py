"""A document is validated once for a request, whatever becomes of it: that is most of what an invalid one costs."""

from __future__ import annotations

from typing import Any

import pytest
from graphql import validate

from memberstaff.access import Role
from tests.api.clients import GRAPHQL
from tests.clock import TODAY
from tests.installation import Installation

SSE = "text/event-stream"
JSON = "application/json"
MULTIPART = f"multipart/mixed;subscriptionSpec=1.0, {JSON}"
ACCEPTED = [JSON, GRAPHQL, f"{JSON}, {SSE}", SSE, MULTIPART]

pytestmark = pytest.mark.parametrize("engine", ["sqlite"])


@pytest.fixture
def validated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The documents that have been validated."""
    seen: list[str] = []

    def noting(schema: Any, document: Any, *arguments: Any, **options: Any) -> Any:
        seen.append(document.loc.source.body)
        return validate(schema, document, *arguments, **options)

    monkeypatch.setattr("memberstaff.engine.documents.validate", noting)
    return seen


@pytest.mark.parametrize("role", [Role.VIEWER, None], ids=["known", "stranger"])
@pytest.mark.parametrize(
    "query",
    [
        "{ nothing }",
        "{ viewer { nothing } __typename }",
        "{ __typename }",
        "mutation { logout { errors { message } } }",
        "subscription { nothing }",
        f'subscription {{ attendanceUpdated(date: "{TODAY}", after: "nonsense") {{ id }} }}',
    ],
)
async def test_over_http(installation: Installation, validated: list[str], query: str, role: Role | None) -> None:
    token = {"authorization": f"Bearer {installation.tokens[role]}"} if role is not None else {}
    for number, accept in enumerate(ACCEPTED):
        text = f"{query} #{installation.address.port} {role} {number}"  # nobody has sent it before
        headers = {"accept": accept, **token}
        await installation.http.post("/graphql", json={"query": text}, headers=headers)
        assert validated == [text], accept
        validated.clear()
        await installation.http.get("/graphql", params={"query": f"{text} got"}, headers=headers)
        assert validated == [f"{text} got"], accept
        validated.clear()


@pytest.mark.parametrize("query", ["{ nothing }", "{ viewer { role } }", "subscription { nothing }"])
async def test_over_a_socket(installation: Installation, validated: list[str], query: str) -> None:
    text = f"{query} #{installation.address.port} on a socket"
    async with installation.socket() as socket:
        await socket.subscribe("1", text)
        await socket.receive()
    assert validated == [text]
