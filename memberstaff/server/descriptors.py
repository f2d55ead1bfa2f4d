"""The file descriptors of the process, of which each connection takes one."""

from __future__ import annotations

import sys

ENOUGH = 1_048_576
"""Descriptors; more than a process has memory for connections. Some systems have no limit, or one of a billion."""
SPARE = 100
"""Descriptors of a process for libraries, served files, logs, Redis and the identity provider."""
EACH_DATABASE_CONNECTION = 4
"""Descriptors: a socket, or SQLite's file, its log and its index."""


def raise_limit() -> None:
    """Let this process and its children open as many files as the system admits: the soft limit is often 1,024."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (ENOUGH, 65_536, 10_240):  # macOS refuses more than its kernel admits, whatever the hard limit says
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        if soft == resource.RLIM_INFINITY or allowed <= soft:
            return
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
        except (OSError, ValueError):
            continue
        return


def limit() -> int:
    """How many files this process may open."""
    if sys.platform == "win32":
        return ENOUGH
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return ENOUGH if soft == resource.RLIM_INFINITY else min(soft, ENOUGH)


def for_connections(database_connections: int) -> int:
    """How many descriptors connections may take, so that some are left for the database, Redis and files."""
    allowed = limit()
    return max(allowed - SPARE - EACH_DATABASE_CONNECTION * database_connections, allowed // 2)
