"""From the bytes of an answer to its data, or to an error of this package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from memberstaff_client.errors import RateLimited, RequestRefused, Unavailable
from memberstaff_client.transport import Answer

TOO_MANY_REQUESTS = 429
SERVER_ERRORS = 500
REFUSALS: dict[str, type[RequestRefused]] = {"RATE_LIMITED": RateLimited, "UNAVAILABLE": Unavailable}


def data_of(answer: Answer) -> dict[str, Any]:
    """The data of an answer over HTTP. Raises RequestRefused, also for what did not come from memberstaff."""
    try:
        body = json.loads(answer.body)
    except ValueError:
        body = None
    if not _is_graphql(body):
        raise _foreign(answer)
    return data_in(body)


def data_in(body: Mapping[str, Any]) -> dict[str, Any]:
    """The data of a GraphQL answer. Raises RequestRefused if it has errors."""
    data: dict[str, Any] = body.get("data") or {}
    if errors := body.get("errors"):
        error = errors[0]
        extensions = error.get("extensions") or {}
        code = extensions.get("code", "INTERNAL")
        refusal = REFUSALS.get(code, RequestRefused)
        raise refusal(error["message"], code, path=error.get("path") or (), extensions=extensions, data=data)
    return data


def _is_graphql(body: Any) -> bool:
    if not isinstance(body, dict):
        return False
    errors = body.get("errors", [])
    good = isinstance(errors, list) and all(isinstance(error, dict) and "message" in error for error in errors)
    return good and (bool(errors) or isinstance(body.get("data"), dict))


def _foreign(answer: Answer) -> RequestRefused:
    """For an answer of something between the server and us, or of another server."""
    retry_after = answer.headers.get("retry-after", "")
    extensions = {"retryAfter": int(retry_after)} if retry_after.isdecimal() else {}
    what = f"The answer has the status {answer.status} and is not memberstaff's."
    if answer.status == TOO_MANY_REQUESTS:
        return RateLimited(what, "RATE_LIMITED", extensions=extensions)
    if answer.status >= SERVER_ERRORS:
        return Unavailable(what, "UNAVAILABLE", extensions=extensions)
    return RequestRefused(f"{what} Is the address right?", "BAD_REQUEST")
