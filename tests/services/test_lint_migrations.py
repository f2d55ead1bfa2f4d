"""`./dev check` refuses a migration that locks a table for long, or breaks processes of the release before."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from memberstaff.db import migrate
from tests.newer_release import MIGRATIONS, add_migrations
from tools.lint_migrations import complaints

BODY = """
{ignored}
def {step}():
    {statement}
"""
COLUMN = 'sa.Column("x", sa.Integer(), nullable=False)'
VALIDATED_AT_ONCE = """
    op.execute("ALTER TABLE staff ADD CONSTRAINT c CHECK (id > 0) NOT VALID")
    op.execute("ALTER TABLE staff VALIDATE CONSTRAINT c")"""
TWO_TABLES = """
    for table in ("attendance", "staff"):
        op.add_column(table, sa.Column("x", sa.Integer()))"""
MORE_THAN_AN_INDEX = """
    op.add_column("staff", sa.Column("x", sa.Integer()))
    with op.get_context().autocommit_block():
        op.create_index("ix", "staff", ["x"], postgresql_concurrently=True)"""
BREAKING = [
    ('op.drop_column("attendance", "note")', "ban-drop-column"),
    ('op.alter_column("attendance", "note", new_column_name="remark")', "renaming-column"),
    ('op.drop_table("audit")', "ban-drop-table"),
    (f'op.add_column("attendance", {COLUMN})', "adding-required-field"),
    ('op.drop_constraint("ck_account_role", "account")', "ban-drop-constraint"),
]
LOCKING = [
    ('op.create_index("ix", "attendance", ["note"])', "require-concurrent-index-creation"),
    ('op.create_check_constraint("ck", "attendance", "version > 0")', "constraint-missing-not-valid"),
    (VALIDATED_AT_ONCE, "constraint-missing-not-valid"),
    ('op.alter_column("attendance", "version", type_=sa.BigInteger())', "changing-column-type"),
    ('op.alter_column("attendance", "note", nullable=False)', "adding-not-nullable-field"),
    (TWO_TABLES, "one-table-only"),
    (MORE_THAN_AN_INDEX, "concurrent-index-only"),
]


def refused(folder: Path, *texts: str) -> set[str]:
    """The rules that another migration breaks."""
    shutil.copytree(migrate.HERE, folder / "next")
    add_migrations(folder / "next", *texts)
    said = "".join(complaints(folder / "next"))
    assert said.count("_next.py:") == said.count("warning:")
    return set(re.findall(r"warning: (\S+)", said))


@pytest.mark.parametrize(("statement", "rule"), [*BREAKING, *LOCKING])
def test_what_breaks_or_locks_is_refused(tmp_path: Path, statement: str, rule: str) -> None:
    assert refused(tmp_path, BODY.format(ignored="", step="upgrade", statement=statement)) == {rule}


@pytest.mark.parametrize(("statement", "rule"), [*BREAKING, *LOCKING])
def test_finishing_may_break_what_no_longer_serves_and_still_may_not_lock(
    tmp_path: Path, statement: str, rule: str
) -> None:
    text = BODY.format(ignored="def upgrade(): pass", step="finish", statement=statement)
    assert refused(tmp_path, text) == ({rule} if (statement, rule) in LOCKING else set())


def test_a_migration_that_follows_the_rules_is_accepted(tmp_path: Path) -> None:
    assert refused(tmp_path, *MIGRATIONS) == set()


def test_a_migration_can_say_why_it_has_to_break_a_rule(tmp_path: Path) -> None:
    ignored = 'squawk_ignore = {"ban-drop-column": "Nobody has read it since the last release line."}'
    text = BODY.format(ignored=ignored, step="upgrade", statement=BREAKING[0][0])
    assert refused(tmp_path, text) == set()
