"""A GraphQL request as it arrives, over HTTP or a socket: nothing gets in that is not one."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import parse_qsl

DEEPEST = 64
"""Levels of arrays and objects in a request; an input type of this schema has five."""


class Malformed(Exception):
    """What arrived is no GraphQL request; the message says why to whoever wrote the client."""


class Unstorable(Malformed):
    """A string holds what is no text: a NUL, which databases refuse, or half of a surrogate pair."""


PARAMETERS = {"query": False, "operationName": False, "variables": True, "extensions": True}
"""Of a GET, and whether each holds JSON."""
MOST_PARAMETERS = 100

LONGEST_ID = 128
"""Characters of an operation's id on a socket; the clients we know send a UUID or a number."""


@dataclass(frozen=True, slots=True)
class OperationRequest:
    """What a client asks to run."""

    query: str
    variables: dict[str, Any] | None
    operation_name: str | None
    extensions: dict[str, Any] | None


def decode(body: str | bytes) -> Any:
    """The JSON value in a body; raises Malformed. NaN and Infinity are no JSON, whatever Python says."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError:
        raise Malformed("The request is not valid UTF-8.") from None
    try:
        value = json.loads(text, parse_constant=_no_constant)
    except RecursionError:
        raise Malformed("The request's JSON is nested too deeply.") from None
    except ValueError:
        raise Malformed("The request is not valid JSON.") from None
    if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
        raise Malformed("The request's JSON is nested too deeply.")
    return value


def from_query_string(text: bytes) -> dict[str, Any]:
    """The same object from the parameters of a GET, of which two hold JSON; raises Malformed. Others are ignored."""
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Malformed("The address's parameters are not valid UTF-8, or too many.") from None
    names = [name for name, _ in pairs if name in PARAMETERS]
    if len(set(names)) < len(names):
        raise Malformed("A parameter of the address is repeated.")
    return {name: decode(value) if PARAMETERS[name] else value for name, value in pairs if name in PARAMETERS}


def operation_request(value: Any) -> OperationRequest:
    """The request in a JSON value; raises Malformed, or Unstorable when only its text is wrong."""
    if not isinstance(value, dict):
        raise Malformed("The request must be a JSON object with a query.")
    request = OperationRequest(
        query=_query(value.get("query")),
        variables=_object(value, "variables"),
        operation_name=_name(value.get("operationName")),
        extensions=_object(value, "extensions"),
    )
    if any(map(_is_no_text, _strings(value))):
        raise Unstorable("A string of the request holds a null character (U+0000) or half of a character.")
    return request


def text_map(value: Any, what: str) -> dict[str, str]:
    """A JSON object from strings to strings; none is an empty one. Raises Malformed."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(entry, str) for entry in value.values()):
        raise Malformed(f"{what} must be an object of strings.")
    return value


def _no_constant(_: str) -> NoReturn:
    raise ValueError


def _query(value: Any) -> str:
    if not isinstance(value, str):
        raise Malformed("query must be a string.")
    return value


def _name(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise Malformed("operationName must be a string or null.")
    return value


def _object(value: dict[str, Any], key: str) -> dict[str, Any] | None:
    found = value.get(key)
    if found is not None and not isinstance(found, dict):
        raise Malformed(f"{key} must be an object or null.")
    return found


def _depth(value: Any) -> int:
    """Levels of a JSON value, without recursion."""
    depth = 0
    level = [value]
    while level := [entry for entry in level if isinstance(entry, dict | list)]:
        depth += 1
        if depth > DEEPEST:
            break
        level = [child for entry in level for child in (entry.values() if isinstance(entry, dict) else entry)]
    return depth


def _strings(value: Any) -> list[str]:
    """Every string of a JSON value, the keys of its objects included."""
    found: list[str] = []
    waiting = [value]
    while waiting:
        entry = waiting.pop()
        if isinstance(entry, str):
            found.append(entry)
        elif isinstance(entry, dict):
            found.extend(entry)
            waiting.extend(entry.values())
        elif isinstance(entry, list):
            waiting.extend(entry)
    return found


def _is_no_text(text: str) -> bool:
    if text.isascii():
        return "\x00" in text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return "\x00" in text


def payload_of(message: dict[str, Any]) -> dict[str, Any]:
    """The payload of a WebSocket message, none is an empty one; raises Malformed."""
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise Malformed("A message's payload must be an object")
    return payload or {}


def authorization_of(payload: dict[str, Any]) -> str | None:
    """The authorization in a payload, in any case; raises Malformed."""
    given = next((value for key, value in payload.items() if key.lower() == "authorization"), None)
    if given is not None and not isinstance(given, str):
        raise Malformed("authorization must be a string")
    return given


def id_of(message: dict[str, Any]) -> str:
    """The operation that a WebSocket message is about; raises Malformed."""
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID:
        raise Malformed(f"A message's id must be a string of 1 to {LONGEST_ID} characters")
    return found
