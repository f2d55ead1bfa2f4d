"""What holds for every statement: nothing whose length others decide becomes one parameter each."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]


def lists_of_parameters(source: str) -> Iterator[str]:
    """Each `in_(…)` of anything but a subquery, and whatever is `expanding`."""
    tree = ast.parse(source)
    subqueries = {
        target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _is_select(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        if any(keyword.arg == "expanding" for keyword in node.keywords):
            yield ast.unparse(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr in {"in_", "not_in", "notin_"}:
            [argument] = node.args
            if not (_is_select(argument) or (isinstance(argument, ast.Name) and argument.id in subqueries)):
                yield ast.unparse(node)


def _is_select(node: ast.AST) -> bool:
    """Whether it is a call of `select` or `union`, with whatever follows."""
    while isinstance(node, ast.Call | ast.Attribute):
        node = node.func if isinstance(node, ast.Call) else node.value
    return isinstance(node, ast.Name) and node.id in {"select", "union"}


def test_no_statement_has_a_parameter_for_each_of_many_values() -> None:
    found = {
        f"{path.relative_to(ROOT)}: {words}"
        for folder in ("memberstaff", "schema")
        for path in (ROOT / folder).rglob("*.py")
        for words in lists_of_parameters(path.read_text(encoding="utf-8"))
    }
    assert found == set()


def test_a_list_of_parameters_is_found() -> None:
    source = "old = select(a).limit(1)\nx.in_(old)\nx.in_(select(a))\nx.in_(ids)\nx.in_(bindparam('y', expanding=True))"
    assert [*lists_of_parameters(source)] == [
        "x.in_(ids)",
        "x.in_(bindparam('y', expanding=True))",
        "bindparam('y', expanding=True)",
    ]
