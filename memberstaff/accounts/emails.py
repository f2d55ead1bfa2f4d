"""Email addresses of accounts: how they are compared, and which may be stored."""

from __future__ import annotations

import re
import unicodedata

from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import LONGEST_NAME

LONGEST = 254
"""Characters, as in RFC 5321."""
SHAPE = re.compile(r"[^\s@]+@[^\s@]+")


def folded(email: str) -> str:
    """The address as stored and compared: trimmed and in lower case; empty if it is not an address."""
    try:
        return acceptable(email)
    except Refusal:
        return ""


def acceptable(email: str) -> str:
    """The folded address. Raises Refusal if it is not an address."""
    value = unicodedata.normalize("NFC", email.strip()).lower() if len(email) <= 2 * LONGEST else email
    if len(value) > LONGEST:
        raise Refusal(ErrorCode.INVALID, f"The email address is longer than {LONGEST} characters.", "email")
    odd = any(unicodedata.category(char).startswith("C") for char in value)
    if odd or not SHAPE.fullmatch(value):
        raise Refusal(ErrorCode.INVALID, "This is not an email address, such as amina@example.org.", "email")
    return value


def display_name(email: str) -> str:
    """A display name made from an address: "amina.diallo@example.org" gives "Amina Diallo"."""
    local = email.partition("@")[0].partition("+")[0]
    words = re.split(r"[._-]+", local)
    return (" ".join(word.capitalize() for word in words if word) or email)[:LONGEST_NAME]
