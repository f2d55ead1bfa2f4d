"""What Python would print itself goes the way of every other line of the log."""

from __future__ import annotations

import json
import subprocess
import sys

PROGRAM = """
import logging.config, sys, threading, warnings
import strawberry  # whose import sets a hook of its own
from memberstaff.server.logs import log_config
from memberstaff.settings import Settings

logging.config.dictConfig(log_config(Settings(log_format="json")))
written = threading.Semaphore(0)


class Counting(logging.Handler):
    def emit(self, record):
        written.release()


logging.getLogger().addHandler(Counting())


class Executor:
    async def field(self): ...


async def forgotten(): ...


class Empty(ValueError):
    def __len__(self):
        return 0


class Destructor:
    def __repr__(self):
        raise ValueError("of a repr")

    def __del__(self):
        raise ValueError("of a destructor")


def fail():
    raise Empty("of a thread")


def in_a_named_tuple(coroutine):  # whose __new__ has no __import__, which Python needs to warn
    exec("del coroutine[:]", {"__builtins__": {}, "coroutine": coroutine})


Executor().field()
in_a_named_tuple([Executor().field()])
forgotten()
Destructor()
for target in (sys.exit, fail):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
warnings.warn("of a library", stacklevel=1)
for _ in range(4):
    assert written.acquire(timeout=10)
logging.getLogger().handlers[0].close()
"""


def test_what_python_would_print_is_logged_and_coroutines_that_were_not_begun_are_not() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, check=True, text=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    told = [
        (line["level"], line["event"].split(": ")[-1].strip(), line.get("exception", "").rpartition("\n")[2])
        for line in lines
    ]
    assert told == [
        ("warning", "coroutine 'forgotten' was never awaited", ""),
        ("error", "Exception ignored", "ValueError: of a destructor"),
        ("error", "A thread failed", "Empty: of a thread"),
        ("warning", "of a library", ""),
    ]
