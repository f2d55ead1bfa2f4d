"""Validating people's input: which text can be stored, folding for sorting and search, and `UNSET`."""

from __future__ import annotations

import unicodedata
from enum import Enum
from typing import Final
from urllib.parse import urlsplit

from memberstaff.errors import ErrorCode, Refusal


class Unset(Enum):
    """The type of `UNSET`."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET
"""An optional input that was omitted: the stored value stays. None clears it."""

LONGEST_NOTE = 2_000
"""Characters; a note is a remark, not a document."""
LONGEST_NAME = 200
LONGEST_URL = 2_048
LONGEST_REASON = 500


_UNDECOMPOSED = str.maketrans(
    {"đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th"}
)
"""Letters that Unicode does not decompose, though people type them plain."""


def fold(text: str) -> str:
    """Text as people compare it: no case, no accents, single spaces ("Élodie  ĆOSIĆ" → "elodie cosic")."""
    # Decomposed twice: "𝐀" and "™" have a case only once they are plain letters, and folding recomposes some.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).translate(_UNDECOMPOSED)
    return " ".join("".join(char for char in decomposed if not unicodedata.combining(char)).split())


def sendable(text: str | None) -> str | None:
    """Text to look somebody up by, without the characters that no database accepts.

    Comparing what was found with the original text then fails, and the caller refuses the input in its place.
    """
    return None if text is None else "".join(char for char in text if char != "\0" and not "\ud800" <= char <= "\udfff")


def line(text: str, *, longest: int, what: str, path: str) -> str:
    """One line of text, trimmed and NFC-normalised. Raises Refusal if it cannot be stored."""
    _check_characters(text, path)
    value = unicodedata.normalize("NFC", " ".join(text.split()))
    if any(unicodedata.category(char) == "Cc" for char in value):
        raise Refusal(ErrorCode.INVALID, f"{what} contains a control character.", path)
    if all(unicodedata.category(char)[0] in "CZ" for char in value):
        raise Refusal(ErrorCode.INVALID, f"{what} is empty.", path)
    return _check_length(value, longest, what, path)


def paragraph(text: str | None, *, longest: int, what: str, path: str) -> str | None:
    """Text with line breaks, trimmed and NFC-normalised; None if it is blank. Raises Refusal."""
    if text is None:
        return None
    _check_characters(text, path)
    value = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    return _check_length(value, longest, what, path) if value else None


def photo_address(url: str | None, *, path: str) -> str | None:
    """A photo's URL: http(s) with a host, or a path on this server. Raises Refusal.

    Nothing else may pass: the URL ends up in `src` attributes, where javascript: and data: could run code or spy.
    """
    if url is None or not url.strip():
        return None
    _check_characters(url, path)
    value = _check_length(url.strip(), LONGEST_URL, "The photo URL", path)
    wrong = Refusal(ErrorCode.INVALID, "A photo URL must start with https://, http:// or a single slash.", path)
    if any(char.isspace() or unicodedata.category(char) in {"Cc", "Cf"} or char in '\\<>"' for char in value):
        raise wrong
    try:
        parts = urlsplit(value)
        local = not parts.scheme and not parts.netloc and value.startswith("/") and not value.startswith("//")
        if not local and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None):
            raise wrong
    except ValueError:
        raise wrong from None
    return value


def _check_length(value: str, longest: int, what: str, path: str) -> str:
    if len(value) > longest:
        raise Refusal(ErrorCode.INVALID, f"{what} is longer than {longest:,} characters.", path)
    return value


def _check_characters(text: str, path: str) -> None:
    """Refuse what no database stores (NUL) and what is not text at all (half of a surrogate pair)."""
    if "\x00" in text:
        raise Refusal(ErrorCode.INVALID, "The text contains a null character (U+0000), which cannot be stored.", path)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise Refusal(ErrorCode.INVALID, "The text contains half of a character (a lone surrogate).", path)
