"""Refuses a migration that locks a table for long, or breaks processes of the release before: `./dev check`.

The SQL that each migration sends to PostgreSQL is read by squawk. A migration that has to break one of its rules names
the rule and a reason in its `squawk_ignore`. See docs/decisions/0031-side-by-side.md.
"""

from __future__ import annotations

import re
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Mapping
from io import StringIO
from pathlib import Path

from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from memberstaff.db import migrate

SQUAWK = Path(sysconfig.get_path("scripts")) / "squawk"
OLDEST_POSTGRESQL = "14"
NO_CONCERN = (
    # Taste, or what tables.py decides:
    "ban-char-field",
    "identifier-too-long",
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-text-field",
    "prefer-timestamp-tz",
    # A VALIDATE or an index takes as long as it takes; only locks that others wait for are bounded.
    "require-statement-timeout",
    # What makes a migration repeatable is its transaction.
    "prefer-robust-stmts",
)
BREAKING = (
    "adding-required-field",
    "ban-drop-column",
    "ban-drop-constraint",
    "ban-drop-not-null",
    "ban-drop-table",
    "renaming-column",
    "renaming-table",
)
"""What `finish` may do, after which older processes do not serve."""


def sql_of(step: Callable[[], None]) -> str:
    """What a migration's `upgrade` or `finish` sends to PostgreSQL."""
    buffer = StringIO()
    options = {**migrate.OPTIONS, "as_sql": True, "output_buffer": buffer}
    context = MigrationContext.configure(dialect_name="postgresql", opts=options)
    with context.begin_transaction(_per_migration=True), Operations.context(context):
        step()
    return buffer.getvalue().replace("BEGIN;", f"BEGIN;\nSET LOCAL lock_timeout = '{migrate.LOCK_TIMEOUT}';")


def complaints(folder: Path = migrate.HERE) -> Iterator[str]:
    """What squawk says of each migration since releases run side by side."""
    for script in reversed([*ScriptDirectory(str(folder)).walk_revisions()]):
        if script.revision < migrate.SIDE_BY_SIDE_SINCE:
            continue
        ignored: Mapping[str, str] = getattr(script.module, "squawk_ignore", {})
        for name, excluded in (("upgrade", ()), ("finish", BREAKING)):
            step = getattr(script.module, name, None)
            if step is not None:
                yield from _linted(f"{Path(script.path).name}:{name}", sql_of(step), (*excluded, *ignored))


def _linted(name: str, sql: str, ignored: tuple[str, ...]) -> Iterator[str]:
    rules = f"--exclude={','.join((*NO_CONCERN, *ignored))}"
    done = subprocess.run(
        [SQUAWK, "--reporter=gcc", f"--pg-version={OLDEST_POSTGRESQL}", f"--stdin-filepath={name}", rules],
        input=sql,
        capture_output=True,
        text=True,
    )
    if done.returncode:
        yield f"{done.stdout}{done.stderr}"
    for rule, words in _own_complaints(sql):
        if rule not in ignored:
            yield f"{name}:1:1: warning: {rule} {words}\n"


def _own_complaints(sql: str) -> Iterator[tuple[str, str]]:
    """What squawk does not see."""
    created = set(re.findall(r"(?m)^CREATE TABLE (\S+)", sql))
    if len(altered := set(re.findall(r"(?m)^ALTER TABLE (\S+)", sql)) - created) > 1:
        yield "one-table-only", f"It locks {' and '.join(sorted(altered))}, as marks do in another order: a deadlock."
    if "INDEX CONCURRENTLY" in sql and (altered or created):
        yield "concurrent-index-only", "What precedes the index is committed without it, and would be done again."


def main() -> None:
    """Complain, and fail if there was a reason."""
    found = [*complaints()]
    print("\n".join(found), end="")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
