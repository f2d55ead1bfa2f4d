"""The command line, run as a person does: arguments, settings and input go in; output and an exit code come out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import threading
from concurrent.futures import Future
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from memberstaff.cli import main
from memberstaff.cli.console import errors, out

ROOT = Path(__file__).parents[2]
SECONDS = 50


def memberstaff(*arguments: object, url: str = "", stdin: str = "") -> CompletedProcess[str]:
    """Run a command in this process, which has imported all that it needs; a new one takes two seconds for that."""
    argv = ["memberstaff", *map(str, arguments)]
    ended: Future[None] = Future()

    def run() -> None:
        try:
            main()
        except BaseException as error:
            ended.set_exception(error)

    with (
        pytest.MonkeyPatch.context() as patched,
        redirect_stdout(StringIO()) as stdout,
        redirect_stderr(StringIO()) as stderr,
    ):
        patched.setattr(sys, "argv", argv)
        patched.setattr(sys, "stdin", StringIO(stdin))
        for name in os.environ.keys() - environment(url).keys():
            patched.delenv(name)
        if url:
            patched.setenv("MEMBERSTAFF_DATABASE_URL", url)
        patched.setenv("COLUMNS", "80")  # as in a pipe, also where `pytest -s` has a terminal
        for console in (out, errors):
            patched.setattr(console, "_color_system", None)
        patched.chdir(ROOT)
        # In a thread, since most tests have an event loop already; one that hangs must not hold up the others.
        threading.Thread(target=run, daemon=True).start()
        with pytest.raises(SystemExit) as raised:
            ended.result(SECONDS)
    assert isinstance(raised.value.code, int)
    return CompletedProcess(argv, raised.value.code, stdout.getvalue(), stderr.getvalue())


def installed(*arguments: object, url: str = "", stdin: str = "") -> CompletedProcess[str]:
    """Run a command in a process of its own, by the script that an installation puts on the PATH."""
    script = shutil.which("memberstaff", path=sysconfig.get_path("scripts"))
    assert script is not None
    return subprocess.run(
        [script, *map(str, arguments)],
        input=stdin,
        env=environment(url),
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=SECONDS,
    )


def environment(url: str) -> dict[str, str]:
    """This one, with no setting but the database."""
    others = {name: value for name, value in os.environ.items() if not name.startswith("MEMBERSTAFF_")}
    return {**others, "MEMBERSTAFF_DATABASE_URL": url} if url else others


def said(done: CompletedProcess[str]) -> str:
    """What a command that failed said, in one line and without a traceback."""
    assert done.returncode == 1, done
    assert "Traceback" not in done.stderr
    return " ".join(done.stderr.split())
