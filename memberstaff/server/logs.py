"""Logging configuration: one handler, as console lines or JSON, with the request id."""

from __future__ import annotations

import inspect
import logging
import sys
import threading
import warnings
from collections.abc import Callable, MutableMapping
from functools import cache
from queue import SimpleQueue
from typing import Any, Literal

import structlog

from memberstaff.server.log_writer import LogWriter
from memberstaff.settings import Settings

SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]

NOT_BEGUN = r"coroutine '(Executor|GraphQLCoreConverter)\..*' was never awaited"
"""Python's warning when an operation is given up between graphql-core's task for a field and its first step."""

log = logging.getLogger("memberstaff.server")


def drop_colours(_logger: Any, _name: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor that drops uvicorn's coloured copy of the message."""
    event.pop("color_message", None)
    return event


def formatter(style: Literal["console", "json"] = "console", **_: Any) -> logging.Formatter:
    """The handler's formatter; also configures structlog to log through it.

    Tracebacks are plain: rich ones show local variables, such as passwords.
    """
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *SHARED,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[Any] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if style == "json"
        else [
            structlog.dev.ConsoleRenderer(
                colors=sys.stderr is not None and sys.stderr.isatty(),
                exception_formatter=structlog.dev.plain_traceback,
            )
        ]
    )
    return structlog.stdlib.ProcessorFormatter(
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, drop_colours, *last],
        foreign_pre_chain=SHARED,
    )


Words = Callable[[], None]
"""Logs what Python would have printed."""


@cache
def log_pythons_words() -> None:
    """Log what Python would otherwise print itself, and wait while nobody reads it; once for the process.

    That is warnings, and exceptions of destructors and threads. The collector may call these hooks anywhere, within
    logging too. So they only put it into a queue, and a thread of its own logs.
    """
    words: SimpleQueue[Words] = SimpleQueue()

    def unraisable(found: sys.UnraisableHookArgs) -> None:
        # A coroutine that was not begun is passed on when Python fails to warn of it: a NamedTuple's `__new__`, which
        # may be running just then, has no `__import__`.
        if inspect.iscoroutine(found.object) and inspect.getcoroutinestate(found.object) == inspect.CORO_CREATED:
            return
        told = _exception(found)
        where = {"where": _shown(found.object)}
        words.put(lambda: log.error(found.err_msg or "Exception ignored", exc_info=told, extra=where))

    def thread_failed(ended: threading.ExceptHookArgs) -> None:
        if ended.exc_type is SystemExit:  # as Python does
            return
        told = _exception(ended)
        name = {"failed": ended.thread.name if ended.thread else None}
        words.put(lambda: log.error("A thread failed", exc_info=told, extra=name))

    def warning(
        message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: Any, **__: Any
    ) -> None:
        text = f"{filename}:{lineno}: {category.__name__}: {message}"
        words.put(lambda: log.warning(text))

    def write() -> None:
        while True:
            words.get()()

    warnings.filterwarnings("ignore", NOT_BEGUN, RuntimeWarning)
    sys.unraisablehook, threading.excepthook, warnings.showwarning = unraisable, thread_failed, warning
    threading.Thread(target=write, name="python's words", daemon=True).start()


def _exception(found: sys.UnraisableHookArgs | threading.ExceptHookArgs) -> Any:
    """For `exc_info`, which knows no exception without a value."""
    value = found.exc_type("(no value)") if found.exc_value is None else found.exc_value
    return (found.exc_type, value, found.exc_traceback)


def _shown(found: object) -> str:
    try:
        return repr(found)
    except Exception:
        return object.__repr__(found)


def log_handler() -> logging.Handler:
    """The handler; once there is one, what Python would print is logged too."""
    log_pythons_words()
    return LogWriter()


def log_config(settings: Settings) -> dict[str, Any]:
    """The configuration for `logging.config.dictConfig`, which uvicorn applies in each process."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"ours": {"()": formatter, "style": settings.log_format}},
        "handlers": {"ours": {"()": log_handler, "formatter": "ours"}},
        "root": {"level": settings.log_level.upper(), "handlers": ["ours"]},
        "loggers": {
            "uvicorn": {"level": settings.log_level.upper(), "handlers": [], "propagate": True},
            "uvicorn.error": {"level": settings.log_level.upper()},
            "uvicorn.access": {"level": "CRITICAL", "handlers": [], "propagate": False},
            "websockets": {"level": "WARNING"},
            "alembic": {"level": "WARNING"},
            # At DEBUG these log statements with their parameters: notes, addresses, password hashes.
            "aiosqlite": {"level": "WARNING"},
            "sqlalchemy": {"level": "WARNING"},
        },
    }
