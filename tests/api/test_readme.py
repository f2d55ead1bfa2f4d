"""What the README's first screen says, done as a person would do it: the demo, three scripts, one event."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.infrastructure.process import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@dataclass
class Demo:
    """A demo that is being served."""

    address: str
    folder: Path
    process: subprocess.Popen[str]

    def password(self, role: str) -> str:
        return str(json.loads((self.folder / "logins.json").read_text())[role])

    def run(self, script: str, *arguments: str, token: str = "") -> str:
        environment = {**os.environ, "ADDRESS": self.address, "TOKEN": token}
        done = subprocess.run(
            [ROOT / "examples" / script, *arguments], env=environment, capture_output=True, text=True, timeout=20
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()


def serve(folder: Path) -> Demo:
    port = free_port()
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MEMBERSTAFF_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "memberstaff", "serve", "--demo", "--port", str(port), "--data", str(folder)],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
    )
    demo = Demo(f"http://127.0.0.1:{port}", folder, process)
    deadline = time.monotonic() + 40
    while time.monotonic() < deadline and process.poll() is None:
        try:
            urllib.request.urlopen(f"{demo.address}/health/ready").close()
        except OSError:
            time.sleep(0.05)
        else:
            return demo
    process.kill()
    raise AssertionError(process.communicate()[0])


def stop(demo: Demo) -> str:
    """Ctrl-C; answers what was printed."""
    demo.process.send_signal(signal.SIGINT)
    printed, _ = demo.process.communicate(timeout=20)
    assert demo.process.returncode in {0, 130, -signal.SIGINT}, printed
    assert "Traceback" not in printed
    return printed


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Demo]:
    served = serve(tmp_path / "data")
    yield served
    if served.process.poll() is None:
        stop(served)


def test_the_first_screen_works_as_written(demo: Demo) -> None:
    for line in ("./examples/watch.sh", './examples/mark.sh Amelia LATE "Train delayed"'):
        assert line in README
    promised = re.search(r"^data: (\{.*\})$", README, re.MULTILINE)
    assert promised is not None
    token = demo.run("login.sh", "marker@demo.example", demo.password("MARKER"))
    environment = {**os.environ, "ADDRESS": demo.address, "TOKEN": token}
    with subprocess.Popen([ROOT / "examples/watch.sh"], env=environment, stdout=subprocess.PIPE, text=True) as watching:
        try:
            lines = read_lines(watching)
            deadline = time.monotonic() + 40
            while promised[0] not in lines and time.monotonic() < deadline:
                # The first of these may come before the subscription follows the day.
                demo.run("mark.sh", "Amelia", "PRESENT", token=token)
                marked = demo.run("mark.sh", "Amelia", "LATE", "Train delayed", token=token)
                time.sleep(0.05)
            assert promised[0] in lines
        finally:
            watching.kill()
    assert json.loads(marked)["data"]["updateAttendance"] == {
        "attendance": {"staffName": "Amelia Lawson", "status": "LATE"},
        "errors": [],
    }


@pytest.mark.parametrize("name", ["graphql-ws.ts", "graphql-sse.ts", "apollo.ts", "urql.ts", "python_gql.py"])
def test_the_clients_in_the_readme_are_the_files_that_are_tested(name: str) -> None:
    shown = re.search(r"# ?region readme\n(.*?)\n[/ ]*# ?endregion", (ROOT / "examples" / name).read_text(), re.DOTALL)
    assert shown is not None
    assert f"\n{shown[1].strip()}\n```\n\nFrom [`examples/{name}`]" in README


def read_lines(process: subprocess.Popen[str]) -> list[str]:
    """The lines that a process prints, as they come."""
    lines: list[str] = []

    def collect() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))

    threading.Thread(target=collect, daemon=True).start()
    return lines


def test_the_demo_keeps_its_data_and_its_secrets_to_itself(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    first = serve(folder)
    password = first.password("ADMIN")
    printed = stop(first)
    assert all(f"{role}@demo.example" in printed for role in ("admin", "marker", "viewer"))
    assert password in printed
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    assert oct((folder / "logins.json").stat().st_mode & 0o777) == "0o600"
    again = serve(folder)
    try:
        assert again.password("ADMIN") == password
        assert again.run("login.sh", "admin@demo.example", password).count(".") == 2
    finally:
        stop(again)
