"""Input from people: text that may be stored, how it is folded for sorting, and `UNSET` where nothing was said."""

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
"""Of an optional input that was left out: the stored value stays. None clears it."""

LONGEST_NOTE = 2_000
"""Characters; a note is a remark, not a document."""
LONGEST_NAME = 200
LONGEST_URL = 2_048
LONGEST_REASON = 500


_BARRED = str.maketrans({"đ": "d", "ð": "d", "ħ": "h", "ı": "i", "ł": "l", "ø": "o", "æ": "ae", "œ": "oe", "þ": "th"})
"""Letters that Unicode does not take apart, though people type them without."""


def fold(text: str) -> str:
    """Text as people compare it: no case, no accents, one space between words ("Élodie  ĆOSIĆ" → "elodie cosic")."""
    # Decomposed twice: "𝐀" and "™" have a case only once they are plain letters, and folding composes some anew.
    decomposed = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold()).translate(_BARRED)
    return " ".join("".join(char for char in decomposed if not unicodedata.combining(char)).split())


def sendable(text: str | None) -> str | None:
    """Text to look somebody up by, without the characters that no database takes.

    Whoever compares what was found with the original text finds nobody, and refuses the input in its place.
    """
    return None if text is None else "".join(char for char in text if char != "\0" and not "\ud800" <= char <= "\udfff")


def line(text: str, *, longest: int, what: str, path: str) -> str:
    """One line of text, trimmed and in Unicode's composed form; raises Refusal when it cannot be stored."""
    _check_characters(text, path)
    value = unicodedata.normalize("NFC", " ".join(text.split()))
    if any(unicodedata.category(char) == "Cc" for char in value):
        raise Refusal(ErrorCode.INVALID, f"{what} holds a control character.", path)
    if all(unicodedata.category(char)[0] in "CZ" for char in value):
        raise Refusal(ErrorCode.INVALID, f"{what} is empty.", path)
    return _check_length(value, longest, what, path)


def paragraph(text: str | None, *, longest: int, what: str, path: str) -> str | None:
    """Text with line breaks, trimmed; nothing but white space means none. Raises Refusal."""
    if text is None:
        return None
    _check_characters(text, path)
    value = unicodedata.normalize("NFC", text.replace("\r\n", "\n")).strip()
    return _check_length(value, longest, what, path) if value else None


def photo_address(url: str | None, *, path: str) -> str | None:
    """The address of a photo: http(s) with a host, or a path on this server. Raises Refusal.

    Nothing else may pass: the address ends up in `src` attributes, where javascript: and data: run or spy.
    """
    if url is None or not url.strip():
        return None
    _check_characters(url, path)
    value = _check_length(url.strip(), LONGEST_URL, "The photo's address", path)
    wrong = Refusal(ErrorCode.INVALID, "A photo's address starts with https://, http:// or a single slash.", path)
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
    """Refuse what no database keeps (NUL) and what is no text at all (half of a surrogate pair)."""
    if "\x00" in text:
        raise Refusal(ErrorCode.INVALID, "It holds a null character (U+0000), which cannot be stored.", path)
    if any("\ud800" <= char <= "\udfff" for char in text):
        raise Refusal(ErrorCode.INVALID, "It holds half of a character (a lone surrogate).", path)
