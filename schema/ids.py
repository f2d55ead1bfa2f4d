"""Opaque ids: base64url of a type's name and its key, so that every id says what it names."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date

import strawberry

from memberstaff.errors import ErrorCode, Refusal

LONGEST = 200
"""Characters of an id; ours have some forty."""


def global_id(type_name: str, *key: object) -> strawberry.ID:
    """The id of an object: `key` is what its type needs to find it again."""
    plain = ":".join((type_name, *map(str, key)))
    return strawberry.ID(urlsafe_b64encode(plain.encode()).decode().rstrip("="))


def read(text: str) -> tuple[str, list[str]]:
    """The type's name and the key of an id; raises Refusal for what `global_id` never made."""
    unreadable = Refusal(ErrorCode.NOT_FOUND, "This is not the id of anything here.", "id")
    if len(text) > LONGEST:
        raise unreadable
    try:
        type_name, *key = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(":")
    except ValueError:
        raise unreadable from None
    # A name of other characters is nobody's type, and what is told of it would repeat the sender's own words.
    if global_id(type_name, *key) != text or not (type_name.isascii() and type_name.isalpha()):
        raise unreadable
    return type_name, key


def staff_key(text: str) -> int:
    """The number of the person whose id this is; raises Refusal."""
    type_name, key = read(text)
    if type_name != "Staff":
        raise Refusal(ErrorCode.NOT_FOUND, f"This is the id of {_one(type_name)}, not of a Staff.", "id")
    return number(key)


def account_key(text: str) -> int:
    """The number of the account whose id this is; raises Refusal."""
    type_name, key = read(text)
    if type_name != "Account":
        raise Refusal(ErrorCode.NOT_FOUND, f"This is the id of {_one(type_name)}, not of an Account.", "id")
    return number(key)


def attendance_key(text: str) -> tuple[int, date]:
    """Whose record this is, and of which day; raises Refusal."""
    type_name, key = read(text)
    if type_name != "Attendance":
        raise Refusal(ErrorCode.NOT_FOUND, f"This is the id of {_one(type_name)}, not of an Attendance.", "id")
    return number(key[:1]), day(key[1:])


def number(key: list[str]) -> int:
    """The one number that a key consists of; raises Refusal."""
    if len(key) == 1 and key[0].isascii() and key[0].isdigit() and str(int(key[0])) == key[0] and len(key[0]) < 19:
        return int(key[0])
    raise Refusal(ErrorCode.NOT_FOUND, "This is not the id of anything here.", "id")


def day(key: list[str]) -> date:
    """The one date that a key consists of; raises Refusal."""
    try:
        [text] = key
        if (found := date.fromisoformat(text)).isoformat() == text:
            return found
    except ValueError:
        pass
    raise Refusal(ErrorCode.NOT_FOUND, "This is not the id of anything here.", "id")


def _one(type_name: str) -> str:
    return f"an {type_name}" if type_name[0] in "AEIOU" else f"a {type_name}"
