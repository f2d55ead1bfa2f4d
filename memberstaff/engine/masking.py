"""How an error is told to a client: a code for programs, words for people, and nothing of our insides."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from memberstaff.errors import Refusal, RequestError, RequestErrorCode

log = logging.getLogger("memberstaff.schema")

SUGGESTION = re.compile(r"\s*Did you mean .*", re.DOTALL)
MAYBE = re.compile(r"(found null\.).*Maybe\[.*", re.DOTALL)
"""Strawberry explains an explicit null with the Python type that would have allowed it."""

NO_REQUEST = "none"
"""The reference when an operation runs without a request (a script, a test)."""


def refusal(message: str, *, code: RequestErrorCode = RequestErrorCode.BAD_REQUEST, **extensions: Any) -> GraphQLError:
    """An error about the request itself, ready to be told."""
    return GraphQLError(message, extensions={"code": code.value, **extensions})


def internal_error(request_id: str) -> RequestError:
    """What a client is told of a failure of ours: a reference that stands in the log."""
    message = f"Something went wrong on our side; the reference is {request_id}."
    return RequestError(RequestErrorCode.INTERNAL, message)


def present(
    errors: Iterable[GraphQLError],
    request_id: str,
    operation: str | None = None,
    *,
    suggestions: bool = False,
) -> list[GraphQLError]:
    """The same errors as a client may see them; what was not meant for it is logged and replaced by a reference.

    Variables are never logged: they hold notes, tokens and passwords.
    """
    return [_present(error, request_id, operation, suggestions=suggestions) for error in errors]


def told(
    result: ExecutionResult, request_id: str, operation: str | None = None, *, suggestions: bool = False
) -> ExecutionResult:
    """A result whose errors a client may see; one that never ran, or broke off, becomes a PreExecutionError.

    An error without a path belongs to no field: the operation did not start, or its source has ended. Over a
    socket it is the operation's `error` message, over HTTP an answer without data.
    """
    if not result.errors:
        return result
    ended = result.data is None and all(error.path is None for error in result.errors)
    result.errors = present(result.errors, request_id, operation, suggestions=suggestions)
    if ended and not isinstance(result, PreExecutionError):
        return PreExecutionError(data=None, errors=result.errors, extensions=result.extensions)
    return result


def _present(error: GraphQLError, request_id: str, operation: str | None, *, suggestions: bool) -> GraphQLError:
    cause = cause_of(error)
    if isinstance(cause, RequestError):
        return _copy(error, cause.message, {**cause.extensions, "code": cause.code.value})
    if isinstance(cause, Refusal):  # of a query: a mutation tells it in its payload
        return _copy(error, cause.message, {"code": RequestErrorCode.BAD_REQUEST.value})
    if cause is None or isinstance(cause, StrawberryInputCoercionError):
        if error.extensions and "code" in error.extensions:
            return error
        message = MAYBE.sub(r"\1", error.message)
        return _copy(
            error,
            message if suggestions else SUGGESTION.sub("", message),
            {"code": RequestErrorCode.BAD_REQUEST.value},
        )
    log.error(
        "an operation failed",
        exc_info=cause,
        extra={"request_id": request_id, "operation": operation, "field": _place(error)},
    )
    internal = internal_error(request_id)
    return _copy(error, internal.message, {"code": internal.code.value})


def cause_of(error: GraphQLError) -> Exception | None:
    """What was raised below the layers that GraphQL puts around it; None when GraphQL itself refused."""
    cause: Exception | None = error
    while isinstance(cause, GraphQLError) and not isinstance(cause, StrawberryInputCoercionError):
        cause = cause.original_error
    return cause


def _copy(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    """Errors of a cached document are shared between requests: they are copied, never changed."""
    return GraphQLError(message, error.nodes, error.source, error.positions, error.path, None, extensions)


def _place(error: GraphQLError) -> str | None:
    return ".".join(str(part) for part in error.path) if error.path else None
