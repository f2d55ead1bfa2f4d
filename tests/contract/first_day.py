"""The first day of an installed memberstaff, played with nothing but what its installation brought.

`python first_day.py FOLDER` is run by the environment's own Python, outside any checkout. It prints what happened as
one JSON object, and fails with the output of whatever failed.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import websockets

COMMAND = Path(sys.executable).with_name("memberstaff")
PASSWORD = "a long password of the desk"
START_SECONDS = 60
BOARD = "{ attendanceDay { date records(first: 1) { feedCursor edges { node { staffId } } } } }"
MARK = """mutation ($input: UpdateAttendanceInput!) {
  updateAttendance(input: $input) { attendance { staffName status } errors { message } }
}"""
WATCH = """subscription ($date: Date!, $after: String!) {
  attendanceUpdated(date: $date, after: $after) { staffName status updatedBy }
}"""
LOGIN = "mutation ($input: LoginInput!) { login(input: $input) { accessToken errors { message } } }"


def run(folder: Path, environment: dict[str, str], *words: str, stdin: str = "") -> str:
    """What a command prints."""
    done = subprocess.run(
        [str(COMMAND), *words], cwd=folder, env=environment, input=stdin, capture_output=True, text=True
    )
    if done.returncode:
        sys.exit(f"memberstaff {' '.join(words)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


@contextmanager
def serving(folder: Path, environment: dict[str, str], *words: str) -> Iterator[str]:
    """The address of a server, as long as the block lasts."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    address = f"http://127.0.0.1:{port}"
    with (folder / "log").open("w+") as log:
        command = [str(COMMAND), "serve", "--port", port, *words]
        server = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + START_SECONDS
            while True:
                try:
                    urllib.request.urlopen(f"{address}/health/ready").close()
                    break
                except OSError:
                    if server.poll() is not None or time.monotonic() > deadline:
                        log.seek(0)
                        sys.exit(f"memberstaff serve {' '.join(words)}\n{log.read()}")
                    time.sleep(0.05)
            yield address
        finally:
            server.terminate()
            server.wait(START_SECONDS)


def ask(address: str, document: str, token: str = "", **variables: Any) -> dict[str, Any]:
    """The data of an answer."""
    headers = {"Content-Type": "application/json", **({"Authorization": f"Bearer {token}"} if token else {})}
    body = json.dumps({"query": document, "variables": variables}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{address}/graphql", body, headers)) as answer:
        told = json.load(answer)
    if "errors" in told:
        sys.exit(str(told))
    data: dict[str, Any] = told["data"]
    return data


def login(address: str, email: str, password: str) -> str:
    """An access token."""
    answer = ask(address, LOGIN, input={"email": email, "password": password})["login"]
    return str(answer["accessToken"])


async def mark_and_see(address: str, token: str) -> dict[str, Any]:
    """Mark the first person of the board as late, and receive that as an event."""
    day = ask(address, BOARD, token)["attendanceDay"]
    staff_id = day["records"]["edges"][0]["node"]["staffId"]
    protocol = websockets.Subprotocol("graphql-transport-ws")
    async with (
        asyncio.timeout(START_SECONDS),
        websockets.connect(f"{address.replace('http', 'ws')}/graphql", subprotocols=[protocol]) as connection,
    ):
        await connection.send(json.dumps({"type": "connection_init", "payload": {"authorization": f"Bearer {token}"}}))
        assert json.loads(await connection.recv()) == {"type": "connection_ack"}
        variables = {"date": day["date"], "after": day["records"]["feedCursor"]}
        payload = {"query": WATCH, "variables": variables}
        await connection.send(json.dumps({"id": "1", "type": "subscribe", "payload": payload}))
        target = {"staffDate": {"staffId": staff_id, "date": day["date"]}}
        marking = asyncio.to_thread(ask, address, MARK, token, input={"target": target, "status": "LATE"})
        marked = (await marking)["updateAttendance"]
        event = json.loads(await connection.recv())
    return {"marked": marked, "event": event["payload"]["data"]["attendanceUpdated"]}


def main(folder: Path) -> None:
    """Play the day, and the demo in a folder of its own."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("MEMBERSTAFF_", "PYTHON"))}
    school = {
        **plain,
        "MEMBERSTAFF_DATABASE_URL": f"sqlite+aiosqlite:///{folder / 'school.db'}",
        "MEMBERSTAFF_SECRET_KEY": "long enough to sign the tokens of one day",
    }
    (folder / "roster.csv").write_text("name,category\nAmina Diallo,Teaching\n", encoding="utf-8")
    told: dict[str, Any] = {"version": run(folder, school, "--version")}
    run(folder, school, "migrate")
    account = ["account", "add", "desk@school.example", "--role", "MARKER", "--name", "Front desk", "--password-stdin"]
    run(folder, school, *account, stdin=f"{PASSWORD}\n")
    run(folder, school, "staff", "import", "roster.csv")
    with serving(folder, school) as address:
        token = login(address, "desk@school.example", PASSWORD)
        told |= asyncio.run(mark_and_see(address, token))
        with urllib.request.urlopen(f"{address}/") as page:
            told["page"] = page.read().decode().partition("<title>")[2].partition("</title>")[0]
    anywhere = folder / "anywhere"
    anywhere.mkdir()
    with serving(anywhere, plain, "--demo") as address:
        passwords = json.loads((anywhere / ".data" / "logins.json").read_text())
        told["demo"] = bool(login(address, "marker@demo.example", passwords["MARKER"]))
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
