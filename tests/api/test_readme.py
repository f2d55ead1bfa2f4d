"""What the papers say, done as a person would do it: the demo, three scripts, one event; and the code and figures."""

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
from pathlib import Path

import pytest

from tests.infrastructure.process import free_port

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CLIENTS = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")
PERFORMANCE = (ROOT / "docs" / "performance.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


class Demo:
    """A demo that is being served, and can be stopped and served again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("MEMBERSTAFF_")}
        command = ["serve", "--demo", "--port", str(self.port), "--data", str(self.folder)]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "memberstaff", *command],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
        )
        deadline = time.monotonic() + 40
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                urllib.request.urlopen(f"{self.address}/health/ready").close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        self.process.kill()
        raise AssertionError(self.process.communicate()[0])

    def stop(self) -> str:
        """Ctrl-C; answers what was printed."""
        self.process.send_signal(signal.SIGINT)
        printed, _ = self.process.communicate(timeout=60)
        assert self.process.returncode in {0, 130, -signal.SIGINT}, printed
        assert "Traceback" not in printed
        return printed

    def password(self, role: str) -> str:
        return str(json.loads((self.folder / "logins.json").read_text())[role])

    def run(self, script: str, *arguments: str, token: str = "") -> str:
        done = self.try_to_run(script, *arguments, token=token)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def try_to_run(self, script: str, *arguments: str, token: str = "") -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "ADDRESS": self.address, "TOKEN": token}
        return subprocess.run(
            [ROOT / "examples" / script, *arguments], env=environment, capture_output=True, text=True, timeout=60
        )


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """One for all tests: each start takes seconds, and no test minds what another has marked."""
    served = Demo(tmp_path_factory.mktemp("demo") / "data")
    yield served
    if served.process.returncode is None:
        served.stop()


def test_the_first_screen_works_as_written(demo: Demo) -> None:
    for line in ("./examples/watch.sh", './examples/mark.sh Amelia LATE "Train delayed"'):
        assert line in README
    promised = re.search(r"^(retry: \d+\nid: \S+\n\nid: \S+\nevent: next\ndata: \{.*\})$", README, re.MULTILINE)
    assert promised is not None
    began, event = promised[1].split("\n\n")
    data = event.splitlines()[-1]
    token = demo.run("login.sh", "marker@demo.example", demo.password("MARKER"))
    environment = {**os.environ, "ADDRESS": demo.address, "TOKEN": token}
    with subprocess.Popen([ROOT / "examples/watch.sh"], env=environment, stdout=subprocess.PIPE, text=True) as watching:
        try:
            lines = read_lines(watching)
            deadline = time.monotonic() + 40
            while data not in lines and time.monotonic() < deadline:
                # The first of these may come before the subscription follows the day.
                demo.run("mark.sh", "Amelia", "PRESENT", token=token)
                marked = demo.run("mark.sh", "Amelia", "LATE", "Train delayed", token=token)
                time.sleep(0.05)
            assert data in lines
            assert kinds(lines[:2]) == kinds(began.splitlines())
            assert kinds(lines[lines.index(data) - 2 :][:3]) == kinds(event.splitlines())
        finally:
            watching.kill()
    assert json.loads(marked)["data"]["updateAttendance"] == {
        "attendance": {"staffName": "Amelia Lawson", "status": "LATE"},
        "errors": [],
    }


@pytest.mark.parametrize(
    ("email", "reason"),
    [("marker@demo.example", "The email or the password is wrong."), ('"', "The request is not valid JSON.")],
    ids=["a wrong password", "a quotation mark"],
)
def test_a_login_that_fails_says_why_in_a_sentence(demo: Demo, email: str, reason: str) -> None:
    done = demo.try_to_run("login.sh", email, "wrong")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", reason + "\n")


def test_a_mark_that_finds_nobody_or_is_refused_says_why_in_a_sentence(demo: Demo) -> None:
    token = demo.run("login.sh", "marker@demo.example", demo.password("MARKER"))
    for name, bearing, reason in (
        ("Nobody at all", token, "Nobody has this name."),
        ("Amelia", "made-up", "The access token is not valid. Log in again."),
    ):
        done = demo.try_to_run("mark.sh", name, "LATE", token=bearing)
        assert (done.returncode, done.stdout, done.stderr) == (1, "", reason + "\n")


OWN_PARTS = ["session.ts", "board.ts", "apollo.ts", "react.tsx", "today.tsx", "urql.ts", "relay.ts"]
CLIENT_FILES = [*OWN_PARTS, "documents.ts", "graphql-ws.ts", "main.tsx", "follow.py", "mark.py"]


@pytest.mark.parametrize("name", CLIENT_FILES)
def test_the_clients_on_the_page_are_the_files_that_are_tested(name: str) -> None:
    code = (ROOT / "examples" / name).read_text(encoding="utf-8")
    shown = re.search(r"# ?region page\n(.*?)\n[/ ]*# ?endregion", code, re.DOTALL)
    assert shown is not None
    language = {".py": "python"}.get(Path(name).suffix, Path(name).suffix[1:])
    assert f"```{language}\n{shown[1].strip()}\n```\n\nFrom [`examples/{name}`](../examples/{name})." in CLIENTS


def test_no_code_on_the_page_of_clients_is_untested() -> None:
    blocks, sources = re.findall(r"^```\w+$", CLIENTS, re.MULTILINE), re.findall(r"^From \[", CLIENTS, re.MULTILINE)
    assert len(blocks) == len(sources) == len(CLIENT_FILES)


@pytest.mark.parametrize("name", OWN_PARTS)
def test_a_customers_own_part_is_ten_lines_at_most(name: str) -> None:
    code = (ROOT / "examples" / name).read_text(encoding="utf-8")
    own = [line for line in code.splitlines() if line.strip() and not line.startswith(("import ", "// #"))]
    assert len(own) <= 10


def test_the_figures_in_the_readme_are_those_of_the_page() -> None:
    [measured] = re.findall(r"^## What was measured\n(.*?)^## ", README, re.DOTALL | re.MULTILINE)
    rows = re.findall(r"^\|.*\|$", measured, re.MULTILINE)
    assert len(rows) >= 7
    assert [row for row in rows if f"\n{row}\n" not in PERFORMANCE] == []
    numbers = set(NUMBER.findall(measured))
    assert {"24", "25,370", "182,155"} <= numbers
    assert numbers - set(NUMBER.findall(PERFORMANCE)) == set()


def test_the_production_recipe_is_encrypted_from_its_first_line_to_its_last() -> None:
    [recipe] = re.findall(r"^## Run it for real\n\n```sh\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    database, redis, *_, serve = recipe.splitlines()
    assert re.fullmatch(r"export MEMBERSTAFF_DATABASE_URL='postgresql\+asyncpg://\S+\?ssl=verify-full'", database)
    assert redis.startswith("export MEMBERSTAFF_BROADCAST_URL=rediss://")
    assert "--certificate chain.pem --key key.pem" in serve
    assert "--insecure" not in recipe


def kinds(lines: list[str]) -> list[str]:
    """The field of each line of an event stream."""
    return [line.partition(":")[0] for line in lines]


def read_lines(process: subprocess.Popen[str]) -> list[str]:
    """The lines that a process prints, as they come."""
    lines: list[str] = []

    def collect() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.append(line.rstrip("\n"))

    threading.Thread(target=collect, daemon=True).start()
    return lines


def test_the_demo_keeps_its_data_and_its_secrets_to_itself(demo: Demo) -> None:
    password = demo.password("ADMIN")
    printed = demo.stop()
    assert all(f"{role}@demo.example" in printed for role in ("admin", "marker", "viewer"))
    assert password in printed
    assert oct(demo.folder.stat().st_mode & 0o777) == "0o700"
    assert oct((demo.folder / "logins.json").stat().st_mode & 0o777) == "0o600"
    demo.start()
    assert demo.password("ADMIN") == password
    assert demo.run("login.sh", "admin@demo.example", password).count(".") == 2
