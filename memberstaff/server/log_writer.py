"""A logging handler that never waits: a thread of its own writes, and what it cannot keep up with is dropped.

Otherwise a log reader that stops would stop the server, as soon as the pipe between them is full.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque

from memberstaff import metrics

QUEUE_BYTES = 4 * 1024 * 1024
"""Of the lines that wait to be written."""
RETRY_SECONDS = 1.0
"""After a write that failed."""
END_SECONDS = 2.0
"""How long the end of the process waits for the last lines."""
NOWHERE = -1
"""A descriptor to which nothing can be written; 2 may be another file's, where stderr is closed."""


class LogWriter(logging.Handler):
    """Formats records where they are logged, and writes them to a file descriptor in a thread; stderr by default.

    Lines are dropped while `queue_bytes` wait, and when a write fails. They are counted, and once writing succeeds a
    line says how many are missing.
    """

    def __init__(self, descriptor: int | None = None, *, queue_bytes: int = QUEUE_BYTES) -> None:
        super().__init__()
        if descriptor is None:
            descriptor = NOWHERE if sys.stderr is None else sys.stderr.fileno()
        self.descriptor = descriptor
        self.queue_bytes = queue_bytes
        self.dropped = 0
        """Lines dropped since the process started."""
        self._told = 0
        """How many of them a line in the log has told."""
        self._lines: deque[bytes] = deque()
        self._waiting = 0
        """Bytes of the lines that are not written."""
        self._torn = False
        """Whether the last write ended within a line."""
        self._changed = threading.Condition()
        self._closed = False
        self._end_at: float | None = None
        threading.Thread(target=self._write_lines, name="log writer", daemon=True).start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record's line, or drop it."""
        try:
            line = self.format(record).encode("utf-8", "backslashreplace") + b"\n"
        except Exception:
            self.handleError(record)
            return
        with self._changed:
            if self._closed or self._waiting + len(line) > self.queue_bytes:
                self._drop(1)
                return
            self._lines.append(line)
            self._waiting += len(line)
            self._changed.notify_all()
            if self._end_at is not None:
                self._wait(self._end_at)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own name
        """Count a record that cannot be formatted. The base class would write to stderr, and wait."""
        with self._changed:
            self._drop(1)

    def end(self) -> None:
        """Wait until what is queued has been written, and from now on for each line: `END_SECONDS` in all.

        uvicorn ends a process by a signal, so that nothing registered for its exit is called.
        """
        with self._changed:
            if self._end_at is None:
                self._end_at = time.monotonic() + END_SECONDS
            self._wait(self._end_at)

    def close(self) -> None:
        """End, and write no more."""
        self.end()
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        super().close()

    def _wait(self, until: float) -> None:
        self._changed.wait_for(lambda: not self._waiting or self._closed, max(0.0, until - time.monotonic()))

    def _write_lines(self) -> None:
        """The thread."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._lines or self._closed or self.dropped > self._told)
                if self._closed:
                    return
                lines, self._lines = list(self._lines), deque()
                missing = self.dropped - self._told
            notice = self._notice(missing) if missing else b""
            lost = self._write(b"".join(lines) + notice)
            with self._changed:
                self._waiting -= sum(map(len, lines))
                self._drop(_count(lines, lost - len(notice)))
                self._told += 0 if lost else missing
                self._changed.notify_all()
            if lost:
                time.sleep(RETRY_SECONDS)

    def _write(self, text: bytes) -> int:
        """How many bytes at the end of the text could not be written."""
        text = b"\n" + text if self._torn else text
        rest = memoryview(text)
        while rest:
            try:
                rest = rest[os.write(self.descriptor, rest) :]
            except BlockingIOError:  # somebody has made the pipe non-blocking
                time.sleep(RETRY_SECONDS / 10)
            except OSError:  # its reader is gone, or the disk is full
                break
        if written := text[: len(text) - len(rest)]:
            self._torn = not written.endswith(b"\n")
        return len(rest)

    def _drop(self, lines: int) -> None:
        self.dropped += lines
        metrics.LOG_LINES_DROPPED.inc(lines)

    def _notice(self, missing: int) -> bytes:
        text = f"{missing:,} lines of the log could not be written"
        record = logging.LogRecord("memberstaff.server", logging.WARNING, __file__, 0, text, None, None)
        return self.format(record).encode() + b"\n"


def _count(lines: list[bytes], lost: int) -> int:
    """How many of the lines lack some of their bytes, when the last `lost` ones are missing."""
    count = 0
    while lost > 0 and count < len(lines):
        count += 1
        lost -= len(lines[-count])
    return count


def _writers() -> list[LogWriter]:
    return [handler for handler in logging.getLogger().handlers if isinstance(handler, LogWriter)]


def end() -> None:
    """Wait for this process's log to be written, as `LogWriter.end` does."""
    for writer in _writers():
        writer.end()
