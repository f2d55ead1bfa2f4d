"""Parses GraphQL requests, over HTTP or WebSocket, and rejects malformed ones."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, NoReturn
from urllib.parse import parse_qsl

import msgspec

from memberstaff.engine.documents import Prepared
from memberstaff.errors import BadRequestReason, PersistedQueryNotSupported

DEEPEST = 64
"""Nested arrays and objects in a request; the deepest input type of this schema has five."""


class Malformed(Exception):
    """The request is not a GraphQL request; the message is for the client's developer."""

    reason = BadRequestReason.MALFORMED_REQUEST


class Unstorable(Malformed):
    """A string contains a NUL, which databases reject, or an unpaired surrogate."""

    reason = BadRequestReason.BAD_USER_INPUT


PARAMETERS = {"query": False, "operationName": False, "variables": True, "extensions": True}
"""Query parameters of a GET, and whether each is JSON."""
MOST_PARAMETERS = 100

LONGEST_ID = 128
"""Characters of an operation id on a socket; the clients we know send a UUID or a number."""


@dataclass(slots=True)
class OperationRequest:
    """The parameters of a request, as in the GraphQL-over-HTTP specification."""

    query: str
    variables: dict[str, Any] | None = None
    operation_name: str | None = None
    extensions: dict[str, Any] | None = None
    prepared: Prepared | None = field(default=None, compare=False, repr=False)
    """The document, once `Schema.prepare` has prepared it: a request asks for it more than once, and only what is
    valid, and no stranger's, is cached."""


def digest(
    query: str, operation_name: str | None, variables: Mapping[str, Any] | None, *, without: str | None
) -> bytes:
    """A digest that equal requests share: 32 bytes, however much a client sends. `without` leaves out a variable."""
    given = {name: value for name, value in (variables or {}).items() if name != without}
    text = msgspec.json.encode(given, order="deterministic")
    if b"null" in text:  # which msgspec writes for an infinite number too
        text = json.dumps(given, sort_keys=True).encode()
    return sha256(b"\0".join((query.encode(), (operation_name or "").encode(), text))).digest()


def decode(body: str | bytes) -> Any:
    """Parse JSON; raises Malformed, also for NaN and Infinity, which Python's parser accepts."""
    try:
        text = body.decode("utf-8") if isinstance(body, bytes) else body
    except UnicodeDecodeError:
        raise Malformed("The request is not valid UTF-8.") from None
    try:
        value = json.loads(text, parse_constant=_reject_constant)
    except RecursionError:
        raise Malformed("The request's JSON is nested too deeply.") from None
    except ValueError:
        raise Malformed("The request is not valid JSON.") from None
    if text.count("[") + text.count("{") > DEEPEST and _depth(value) > DEEPEST:
        raise Malformed("The request's JSON is nested too deeply.")
    return value


def from_query_string(text: bytes) -> dict[str, Any]:
    """The request object in the query string of a GET, unknown parameters ignored; raises Malformed.

    An optional one that is empty is as good as none, as the specification has it.
    """
    try:
        pairs = parse_qsl(text.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_PARAMETERS)
    except ValueError:
        raise Malformed("The query string is not valid UTF-8, or has too many parameters.") from None
    names = [name for name, _ in pairs if name in PARAMETERS]
    if len(set(names)) < len(names):
        raise Malformed("A query parameter is repeated.")
    given = [(name, value) for name, value in pairs if name == "query" or (name in PARAMETERS and value)]
    return {name: decode(value) if PARAMETERS[name] else value for name, value in given}


def operation_request(value: Any) -> OperationRequest:
    """The request in a JSON value; raises Malformed, or Unstorable if only a string is wrong.

    Raises PersistedQueryNotSupported for Apollo's automatic persisted queries, at which clients send the document.
    """
    if isinstance(value, list):
        raise Malformed("Batches are not supported: send each operation as a request of its own.")
    if not isinstance(value, dict):
        raise Malformed("The request must be a JSON object with a query.")
    extensions = _object(value, "extensions")
    if not value.get("query") and (extensions or {}).get("persistedQuery") is not None:
        raise PersistedQueryNotSupported
    if value.get("query") is None and value.get("documentId") is not None:
        raise Malformed("documentId is not supported: send the document itself as query.")
    request = OperationRequest(
        query=_query(value.get("query")),
        variables=_object(value, "variables"),
        operation_name=_name(value.get("operationName")),
        extensions=extensions,
    )
    require_storable(value)
    return request


def require_storable(value: Any) -> None:
    """Raise Unstorable if a string in a JSON value is."""
    if any(map(_is_unstorable, strings(value))):
        raise Unstorable("A string in the request contains U+0000 or an unpaired surrogate.")


def string_map(value: Any, what: str) -> dict[str, str]:
    """A JSON object whose values are strings; empty for null. Raises Malformed."""
    if value is None:
        return {}
    if not isinstance(value, dict) or not all(isinstance(entry, str) for entry in value.values()):
        raise Malformed(f"{what} must be an object of strings.")
    return value


def _reject_constant(_: str) -> NoReturn:
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
    """Nesting depth of a JSON value, up to one more than DEEPEST; without recursion."""
    depth = 0
    level = [value]
    while level := [entry for entry in level if isinstance(entry, dict | list)]:
        depth += 1
        if depth > DEEPEST:
            break
        level = [child for entry in level for child in (entry.values() if isinstance(entry, dict) else entry)]
    return depth


def strings(value: Any) -> list[str]:
    """Every string in a JSON value, including keys."""
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


def _is_unstorable(text: str) -> bool:
    if text.isascii():
        return "\x00" in text
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return True
    return "\x00" in text


def message_payload(message: dict[str, Any]) -> dict[str, Any]:
    """The payload of a WebSocket message, empty if there is none; raises Malformed."""
    payload = message.get("payload")
    if payload is not None and not isinstance(payload, dict):
        raise Malformed("A message's payload must be an object")
    return payload or {}


def authorization_in(payload: dict[str, Any]) -> str | None:
    """The `authorization` in a payload, in upper or lower case; raises Malformed."""
    given = next((value for key, value in payload.items() if key.lower() == "authorization"), None)
    if given is not None and not isinstance(given, str):
        raise Malformed("authorization must be a string")
    return given


def message_id(message: dict[str, Any]) -> str:
    """The operation id of a WebSocket message; raises Malformed."""
    found = message.get("id")
    if not isinstance(found, str) or not 0 < len(found) <= LONGEST_ID:
        raise Malformed(f"A message's id must be a string of 1 to {LONGEST_ID} characters")
    return found
