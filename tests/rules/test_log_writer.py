"""A log that cannot be written stops nobody, and says what is missing from it."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from memberstaff.server import log_writer
from memberstaff.server.log_writer import LogWriter
from tests.waiting import until

PIPE_BYTES = 4_096
"""As small as the kernel makes a pipe."""
LINE = b"x" * 99 + b"\n"


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """A pipe that is soon full: where to read, where to write."""
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    yield reading, writing
    os.close(reading)
    os.close(writing)


def log(writer: LogWriter, text: str = "x" * 99) -> None:
    writer.handle(logging.LogRecord("test", logging.INFO, __file__, 0, text, None, None))


async def read(descriptor: int, size: int) -> bytes:
    """So many bytes of a pipe, once they are there."""
    found = b""

    def complete() -> bool:
        nonlocal found
        found += available(descriptor, size - len(found))
        return len(found) == size

    await until(complete)
    return found


def available(descriptor: int, most: int = 65_536) -> bytes:
    """What is in a pipe."""
    os.set_blocking(descriptor, False)
    with suppress(BlockingIOError):
        return os.read(descriptor, most)
    return b""


async def test_a_full_pipe_holds_nobody_and_what_is_missing_is_told(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    writer = LogWriter(writing, queue_bytes=10_000)
    for _ in range(1_000):
        log(writer)
    kept = 1_000 - writer.dropped
    assert 100 <= kept <= 100 + PIPE_BYTES // len(LINE) + 1
    text, told = b"", 0

    def complete() -> bool:
        nonlocal text, told
        text += available(reading)
        told = sum(map(int, re.findall(rb"^(\d+) lines of the log could not be written\n", text, re.MULTILINE)))
        return text.count(LINE) + told == 1_000

    await until(complete)
    assert (text.count(LINE), told) == (kept, 1_000 - kept)
    log(writer)
    assert await read(reading, len(LINE)) == LINE
    writer.close()


async def test_lines_are_lost_while_nobody_reads_and_told_to_whoever_reads_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_writer, "RETRY_SECONDS", 0.01)
    path = tmp_path / "log"
    os.mkfifo(path)
    first = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    writer = LogWriter(os.open(path, os.O_WRONLY))
    os.close(first)
    for _ in range(3):
        log(writer)
    await until(lambda: writer.dropped == 3)
    second = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    told = b"3 lines of the log could not be written\n"
    assert await read(second, len(told)) == told
    log(writer)
    assert await read(second, len(LINE)) == LINE
    writer.close()
    os.close(writer.descriptor)
    os.close(second)


async def test_a_full_disk_loses_lines_and_nothing_else() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(full)
    log(writer)
    await until(lambda: writer.dropped == 1)
    writer.close()
    os.close(full)


async def test_what_cannot_be_formatted_is_counted(pipe: tuple[int, int]) -> None:
    writer = LogWriter(pipe[1])
    writer.handle(logging.LogRecord("test", logging.INFO, __file__, 0, "%d", ("no number",), None))
    assert writer.dropped == 1
    writer.close()


PROGRAM = """
import logging, os, signal, sys
from memberstaff.server import log_writer
log_writer.END_SECONDS = 0.2
logging.getLogger().addHandler(log_writer.LogWriter())
for _ in range(int(sys.argv[1])):
    logging.warning("x" * 99)
if sys.argv[2] == "signal":
    log_writer.end()
    logging.warning("the last line")
    signal.raise_signal(signal.SIGTERM)
"""


@pytest.mark.parametrize(("how", "code", "last"), [("exit", 0, b"x" * 99), ("signal", -15, b"the last line")])
def test_what_is_queued_at_the_end_is_written(how: str, code: int, last: bytes) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, "1000", how], capture_output=True, check=False)
    assert (done.returncode, done.stderr.splitlines()[-1]) == (code, last)
    assert done.stderr.count(LINE) == 1_000


@pytest.mark.parametrize(("how", "code"), [("exit", 0), ("signal", -15)])
def test_an_end_does_not_wait_for_a_reader_that_has_stopped(pipe: tuple[int, int], how: str, code: int) -> None:
    command = [sys.executable, "-c", PROGRAM, "1000", how]
    assert subprocess.run(command, stderr=pipe[1], check=False, timeout=30).returncode == code
