"""What an installation has executed, and both ways on which its events can go."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest
from graphql import OperationDefinitionNode

from memberstaff.engine.documents import Prepared
from memberstaff.engine.schema import Execution, Schema
from tests.clock import TurnedClock
from tests.installation import Installation, install


@pytest.fixture(params=["direct", "ordinary"])
async def on_any_path(
    furnished_url: str, clock: TurnedClock, request: pytest.FixtureRequest
) -> AsyncIterator[Installation]:
    """`installation`, once with events that groups write to sockets directly, and once on the ordinary ASGI path."""
    async with install(furnished_url, clock=clock, ordinary=request.param == "ordinary") as installed:
        yield installed


@pytest.fixture
def executions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often an operation has been executed, by its name."""
    counted: Counter[str] = Counter()
    run = Schema.run

    async def counting(self: Schema, prepared: Prepared, *arguments: Any, **options: Any) -> Any:
        assert prepared.document is not None
        operation = prepared.document.definitions[0]
        assert isinstance(operation, OperationDefinitionNode)
        counted[operation.name.value if operation.name else operation.operation.value] += 1
        return await run(self, prepared, *arguments, **options)

    monkeypatch.setattr(Schema, "run", counting)
    return counted


@pytest.fixture
def event_executions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often an event of an operation has been executed, by the operation's name."""
    counted: Counter[str] = Counter()
    build = Execution.build_per_event_executor

    def counting(self: Execution, payload: Any) -> Any:
        counted[self.operation.name.value if self.operation.name else ""] += 1
        return build(self, payload)

    monkeypatch.setattr(Execution, "build_per_event_executor", counting)
    return counted
