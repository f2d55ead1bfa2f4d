"""SVG avatars drawn from a name: initials on a colour of their own, with nothing to store."""

from __future__ import annotations

import re
import unicodedata
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from html import escape

KEY = re.compile(r"(\d{1,3})-([A-Za-z0-9_-]{2,24})")
HUES = 24
"""Distinguishable colours: equal steps of 360 degrees."""


def key(name: str) -> str:
    """What an avatar is drawn from, safe in a URL: hue and initials. The same name always has the same key."""
    hue = sha256(name.encode()).digest()[0] % HUES * (360 // HUES)
    return f"{hue}-{urlsafe_b64encode(initials(name).encode()).decode().rstrip('=')}"


def initials(name: str) -> str:
    """The first letters of the first and last word; one letter for a single word, or a script without capitals."""
    words = [letters for word in name.split() if (letters := [c for c in word if c.isalpha()])]
    if not words:
        return "?"
    first, last = words[0][0], words[-1][0]
    if len(words) == 1 or first.upper() == first.lower():
        return _capital(first)
    return _capital(first) + _capital(last)


def _capital(letter: str) -> str:
    return letter.upper()[0]  # upper() turns ß into two letters


def draw(text: str) -> str | None:
    """The SVG for a key; None for text that is no key."""
    found = KEY.fullmatch(text)
    if found is None or int(found[1]) >= 360:
        return None
    try:
        letters = urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4)).decode()
    except ValueError:
        return None
    if not 1 <= len(letters) <= 2 or any(unicodedata.category(c)[0] not in "LP" for c in letters):
        return None
    hue = int(found[1])
    size = 38 if len(letters) == 2 else 44
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 96 96" width="96" height="96">'
        f'<rect width="96" height="96" fill="hsl({hue} 42% 42%)"/>'
        f'<circle cx="80" cy="14" r="34" fill="hsl({hue} 46% 48%)"/>'
        f'<circle cx="12" cy="92" r="30" fill="hsl({(hue + 24) % 360} 44% 37%)"/>'
        f'<text x="48" y="50" fill="#fff" font-family="system-ui,sans-serif" font-size="{size}" font-weight="600" '
        f'text-anchor="middle" dominant-baseline="central">{escape(letters)}</text></svg>'
    )
