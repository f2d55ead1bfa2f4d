"""A part of another package that memberstaff builds on is named when it has gone, before anything is served."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from textwrap import dedent

import pytest
from graphql.execution import Executor
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.supervisors import Multiprocess

from memberstaff.cli.internals import PARTS, missing, names
from memberstaff.engine.schema import Execution
from memberstaff.server.run import Supervisor
from memberstaff.server.uvicorn_http import HttpProtocol
from memberstaff.server.uvicorn_websocket import WebSocketProtocol


def named(class_: type) -> Iterator[str]:
    """The methods that a class defines and the attributes of `self` that they use, but those of Python itself."""
    for node in ast.walk(ast.parse(dedent(inspect.getsource(class_)))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("__"):
            yield node.name
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "self":
            yield node.attr


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (HttpProtocol, HttpToolsProtocol),
        (WebSocketProtocol, WebSocketsSansIOProtocol),
        (Supervisor, Multiprocess),
        (Execution, Executor),
    ],
)
def test_whatever_a_subclass_takes_from_its_base_is_looked_for(ours: type, theirs: type) -> None:
    assert set(named(ours)) & names(theirs) - set(PARTS[theirs]) == set()


def test_nothing_is_missing_from_what_is_installed() -> None:
    assert missing() == []


def test_a_missing_part_is_named_with_its_package() -> None:
    (told,) = missing({HttpToolsProtocol: ("data_received", "cycle", "gone")})
    assert told.startswith("uvicorn 0.")
    assert told.endswith(" has no uvicorn.protocols.http.httptools_impl.HttpToolsProtocol.gone.")
