"""Ids and cursors as a client would make them up."""

from __future__ import annotations

from base64 import urlsafe_b64encode


def encoded(plain: str | bytes) -> str:
    """Text as an id would be written."""
    return urlsafe_b64encode(plain.encode() if isinstance(plain, str) else plain).decode().rstrip("=")
