"""Global ids (Relay's Object Identification): base64url of a type name and a key."""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import date

import strawberry

from memberstaff.errors import ErrorCode, Refusal

LONGEST = 200
"""Characters of an id; ours have about forty."""


def global_id(type_name: str, *key: object) -> strawberry.ID:
    """The id of an object; `key` identifies it within its type."""
    decoded = ":".join((type_name, *map(str, key)))
    return strawberry.ID(urlsafe_b64encode(decoded.encode()).decode().rstrip("="))


def read(text: str) -> tuple[str, list[str]]:
    """The type name and the key in an id; raises Refusal if it is not one that `global_id` made."""
    invalid = Refusal(ErrorCode.NOT_FOUND, "This id is not valid.", "id")
    if len(text) > LONGEST:
        raise invalid
    try:
        type_name, *key = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().split(":")
    except ValueError:
        raise invalid from None
    # Error messages contain the type name, so it must be one.
    if global_id(type_name, *key) != text or not (type_name.isascii() and type_name.isalpha()):
        raise invalid
    return type_name, key


def staff_key(text: str) -> int:
    """The number of the person with this id; raises Refusal."""
    type_name, key = read(text)
    if type_name != "Staff":
        raise Refusal(ErrorCode.NOT_FOUND, f"This is the id of {_with_article(type_name)}, not of a Staff.", "id")
    return number(key)


def account_key(text: str) -> int:
    """The number of the account with this id; raises Refusal."""
    type_name, key = read(text)
    if type_name != "Account":
        raise Refusal(ErrorCode.NOT_FOUND, f"This is the id of {_with_article(type_name)}, not of an Account.", "id")
    return number(key)


def reason_key(text: str) -> int:
    """The number of the reason with this id; raises Refusal."""
    type_name, key = read(text)
    if type_name != "Reason":
        raise Refusal(ErrorCode.NOT_FOUND, f"This is the id of {_with_article(type_name)}, not of a Reason.", "id")
    return number(key)


def attendance_key(text: str) -> tuple[int, date]:
    """The person and the day of the record with this id; raises Refusal."""
    type_name, key = read(text)
    if type_name != "Attendance":
        raise Refusal(ErrorCode.NOT_FOUND, f"This is the id of {_with_article(type_name)}, not of an Attendance.", "id")
    return number(key[:1]), day(key[1:])


def number(key: list[str]) -> int:
    """A key of one number; raises Refusal."""
    if len(key) == 1 and key[0].isascii() and key[0].isdigit() and str(int(key[0])) == key[0] and len(key[0]) < 19:
        return int(key[0])
    raise Refusal(ErrorCode.NOT_FOUND, "This id is not valid.", "id")


def day(key: list[str]) -> date:
    """A key of one date; raises Refusal."""
    try:
        [text] = key
        if (found := date.fromisoformat(text)).isoformat() == text:
            return found
    except ValueError:
        pass
    raise Refusal(ErrorCode.NOT_FOUND, "This id is not valid.", "id")


def _with_article(type_name: str) -> str:
    return f"an {type_name}" if type_name[0] in "AEIOU" else f"a {type_name}"
