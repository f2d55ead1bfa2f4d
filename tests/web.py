"""HTTP clients for tests, which speak to servers on this machine."""

from __future__ import annotations

from typing import Any

import httpx2


def web_client(**options: Any) -> httpx2.AsyncClient:
    """A client that does not read the certificates of this machine, which takes a tenth of a second each time."""
    return httpx2.AsyncClient(verify=False, **options)
