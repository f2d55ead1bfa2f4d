"""Installations of several processes' worth: applications on one database and one Redis."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.databases import Databases


@pytest.fixture
async def postgres_url(databases: Databases) -> AsyncIterator[str]:
    """A migrated, empty PostgreSQL database of this test's own."""
    async with databases.fresh("postgresql") as url:
        yield url
