"""One cache of compiled statements for all tests: a server compiles each once, but each test has engines of its own."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Engine, event
from sqlalchemy.util import LRUCache


class Compiled(LRUCache[Any, Any]):
    """By the dialect's name: SQLAlchemy's keys begin with the dialect itself, of which each engine has another."""

    def get(self, key: Any, default: Any = None) -> Any:
        return super().get(_named(key), default)

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(_named(key), value)


COMPILED = Compiled(1_000)


def _named(key: Any) -> Any:
    dialect, *rest = key
    return (dialect.name, *rest)


def share() -> None:
    """From now on."""
    event.listen(Engine, "engine_connect", lambda connection: connection.execution_options(compiled_cache=COMPILED))
