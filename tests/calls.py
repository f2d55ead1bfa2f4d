"""Counts calls instead of seconds: the same on a machine that is busy, and on one that is slow."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest


@contextmanager
def at_most(calls: int) -> Iterator[None]:
    """Fail when the block calls more Python functions than this, at once: what would take minutes is broken off."""
    counted = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal counted
        counted += event == "call"
        if counted > calls:
            raise RuntimeError(f"more than {calls:,} calls")  # which ends the counting, too

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        yield
    except RuntimeError:
        if counted <= calls:
            raise
    finally:
        sys.setprofile(before)
    if counted > calls:  # asked again, since what was broken off may have caught the error
        pytest.fail(f"The block makes more than {calls:,} calls.")
