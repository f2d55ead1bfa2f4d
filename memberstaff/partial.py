"""Input that may leave things out: `KEEP` stands where nothing was said, None where something is cleared."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Keep(Enum):
    """The type of `KEEP`."""

    KEEP = "keep"


KEEP: Final = Keep.KEEP
"""The stored value stays."""
