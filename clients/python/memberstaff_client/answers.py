"""From the bytes of an answer to its data, or to an error of this package."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from typing import Any

from memberstaff_client.errors import INTERNAL, RateLimited, RequestRefused, Unavailable
from memberstaff_client.transport import Answer, Body, Transport

TOO_MANY_REQUESTS = 429
SERVER_ERRORS = 500
REFUSALS: dict[str, type[RequestRefused]] = {"RATE_LIMITED": RateLimited, "UNAVAILABLE": Unavailable}


class Endpoint:
    """The server's, over a transport.

    What somebody else answers there at first is a wrong address. Later it is a proxy whose server is away.
    """

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self._has_answered = False

    async def ask(self, body: Body, token: str | None) -> dict[str, Any]:
        """The data of an answer over HTTP. Raises RequestRefused, also for what did not come from memberstaff."""
        return self.data_of(await self.transport.post(body, token))

    def data_of(self, answer: Answer) -> dict[str, Any]:
        """The data of this answer. Raises as `ask` does."""
        body = _parsed(answer.body)
        if body is None:
            raise self._foreign(answer)
        self._has_answered = True
        return _data_in(body)

    def _foreign(self, answer: Answer) -> RequestRefused:
        retry_after = _retry_after(answer.headers)
        extensions = {} if retry_after is None else {"retryAfter": retry_after}
        what = f"The answer has the status {answer.status} and is not memberstaff's."
        if answer.status == TOO_MANY_REQUESTS:
            return RateLimited(what, "RATE_LIMITED", extensions=extensions)
        if self._has_answered or answer.status >= SERVER_ERRORS:
            return Unavailable(what, "UNAVAILABLE", extensions=extensions)
        return RequestRefused(f"{what} Is the address right?", "BAD_REQUEST")


def data_of_event(text: str) -> dict[str, Any]:
    """The data of an event of a subscription. Raises RequestRefused."""
    body = _parsed(text)
    if body is None:
        raise Unavailable("An event of the stream is not memberstaff's.", "UNAVAILABLE")
    return _data_in(body)


@contextmanager
def understood() -> Iterator[None]:
    """For a block that reads data, which raises RequestRefused if they are not what was asked for."""
    try:
        yield
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise RequestRefused("The answer does not fit the question.", INTERNAL) from error


def _parsed(text: str | bytes) -> dict[str, Any] | None:
    """The answer to a GraphQL request, if it is one."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    errors = body.get("errors") or []
    good = isinstance(errors, list) and all(_is_error(error) for error in errors)
    return body if good and (errors or isinstance(body.get("data"), dict)) else None


def _is_error(error: Any) -> bool:
    return isinstance(error, dict) and isinstance(error.get("message"), str)


def _data_in(body: Mapping[str, Any]) -> dict[str, Any]:
    data = _of(dict, body.get("data")) or {}
    if errors := body.get("errors"):
        error = errors[0]
        extensions = _of(dict, error.get("extensions")) or {}
        code = _of(str, extensions.get("code")) or INTERNAL
        refusal = REFUSALS.get(code, RequestRefused)
        path = _of(list, error.get("path")) or ()
        raise refusal(error["message"], code, path=path, extensions=extensions, data=data)
    return data


def _of(kind: type, value: Any) -> Any:
    return value if isinstance(value, kind) else None


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds; of a date, those after the answer's own, whatever the clock of this machine says."""
    given = headers.get("retry-after", "")
    if given.isascii() and given.isdecimal():
        return float(given)
    try:
        return (parsedate_to_datetime(given) - parsedate_to_datetime(headers["date"])).total_seconds()
    except (LookupError, OverflowError, TypeError, ValueError):
        return None
