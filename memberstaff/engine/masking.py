"""Masks errors for clients: each has a code and a message, and an internal one only a reference to the log."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable
from typing import Any

from graphql import GraphQLError
from strawberry.exceptions import StrawberryInputCoercionError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from memberstaff.errors import BadRequestReason, Refusal, RequestError, RequestErrorCode

log = logging.getLogger("memberstaff.schema")

SUGGESTION = re.compile(r"\s*Did you mean .*", re.DOTALL)
MAYBE = re.compile(r"(found null\.).*Maybe\[.*", re.DOTALL)
"""The rest of Strawberry's message about an explicit null, which names Python types."""

BAD_INPUT = {"code": RequestErrorCode.BAD_REQUEST.value, "reason": BadRequestReason.BAD_USER_INPUT.value}
"""Of an error of GraphQL's own that has no other reason: what graphql-core refuses while it executes is a value."""

NO_REQUEST = "none"
"""The reference of an operation without a request: in scripts and tests."""


def graphql_error(error: RequestError) -> GraphQLError:
    """The same error, to be sent as it is."""
    return GraphQLError(error.message, extensions=error.formatted["extensions"])


def internal_error(request_id: str) -> RequestError:
    """The error that clients see in place of an exception; the log has its traceback, under the same reference."""
    message = f"Internal server error. If you report it, quote reference {request_id}."
    return RequestError(RequestErrorCode.INTERNAL, message)


def mask_errors(
    errors: Iterable[GraphQLError],
    request_id: str,
    operation: str | None = None,
    *,
    suggestions: bool = False,
) -> list[GraphQLError]:
    """The errors as a client may see them: an exception that it must not see is logged, and replaced.

    Variables are never logged: they contain notes, tokens and passwords.
    """
    return [_mask(error, request_id, operation, suggestions=suggestions) for error in errors]


def mask(
    result: ExecutionResult, request_id: str, operation: str | None = None, *, suggestions: bool = False
) -> ExecutionResult:
    """The result with its errors masked; a PreExecutionError if the operation did not start, or its source failed.

    Such an error has no path, as it belongs to no field. WebSockets send it as `error`, HTTP without `data`.
    """
    if not result.errors:
        return result
    ended = result.data is None and all(error.path is None for error in result.errors)
    result.errors = mask_errors(result.errors, request_id, operation, suggestions=suggestions)
    if ended and not isinstance(result, PreExecutionError):
        return PreExecutionError(data=None, errors=result.errors, extensions=result.extensions)
    return result


def _mask(error: GraphQLError, request_id: str, operation: str | None, *, suggestions: bool) -> GraphQLError:
    cause = cause_of(error)
    if isinstance(cause, RequestError):
        return _copy(error, cause.message, cause.formatted["extensions"])
    if isinstance(cause, Refusal):  # of a query: mutations return it in their payload
        return _copy(error, cause.message, BAD_INPUT)
    if cause is None or isinstance(cause, StrawberryInputCoercionError):
        if error.extensions and "code" in error.extensions:
            return error
        message = MAYBE.sub(r"\1", error.message)
        return _copy(
            error,
            message if suggestions else SUGGESTION.sub("", message),
            {**BAD_INPUT, **(error.extensions or {})},
        )
    log.error(
        "Operation failed",
        exc_info=cause,
        extra={"request_id": request_id, "operation": operation, "field": _path(error)},
    )
    internal = internal_error(request_id)
    return _copy(error, internal.message, internal.formatted["extensions"])


def cause_of(error: GraphQLError) -> Exception | None:
    """The exception that GraphQL errors wrap; None for an error of GraphQL itself."""
    cause: Exception | None = error
    while isinstance(cause, GraphQLError) and not isinstance(cause, StrawberryInputCoercionError):
        cause = cause.original_error
    return cause


def _copy(error: GraphQLError, message: str, extensions: dict[str, Any]) -> GraphQLError:
    """A changed copy: the errors of a cached document are shared between requests."""
    return GraphQLError(message, error.nodes, error.source, error.positions, error.path, None, extensions)


def _path(error: GraphQLError) -> str | None:
    return ".".join(str(part) for part in error.path) if error.path else None
