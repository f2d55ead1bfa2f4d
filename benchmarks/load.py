"""Running a load generator against a server, and reading what it found."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.environment import Environment
from benchmarks.machine import processes_below
from benchmarks.marks import stored
from benchmarks.processes import Failed
from benchmarks.scenarios import Fan, Http
from benchmarks.servers import Measured, Server

MOST_SECONDS = 240
"""A run is bounded in time, whatever the server does."""

Result = dict[str, Any]


def measure(name: str, case: Fan | Http, server: Server, environment: Environment) -> Result:
    """One run against a server that has just been started; says on stderr, with this name, how it goes."""
    print(name, end=" … ", file=sys.stderr, flush=True)
    try:
        with server.start(environment) as measured, stored(environment, measured.database) as more:
            own = measured.load
            result = own(case) if own and isinstance(case, Http) else _run(case, measured, environment)
        result |= more
    except Failed as error:
        result = {"ok": False, "error": str(error)}
    print("ok" if result["ok"] else "FAILED", file=sys.stderr, flush=True)
    return result


def _run(case: Fan | Http, server: Measured, environment: Environment) -> Result:
    """What the load generator found; its "ok" says whether everything arrived as it should. Raises Failed."""
    try:
        done = subprocess.run(
            command(case, server, environment), capture_output=True, timeout=MOST_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"the load generator was not done after {MOST_SECONDS} s") from None
    said = done.stderr.decode(errors="replace").strip()
    try:
        result: Result = json.loads(done.stdout)
    except ValueError:
        raise Failed(said[-1500:] or f"the load generator ended with {done.returncode}") from None
    if said:
        result["said"] = said[:2000]
    return result


def command(case: Fan | Http, server: Measured, environment: Environment) -> list[str | Path]:
    """The load generator for a case, with all its arguments."""
    words = ["--port", str(server.port), "--processes", ",".join(map(str, processes_below(server.process)))]
    if server.token:
        words += ["--header", f"Authorization: Bearer {server.token}"]
    if isinstance(case, Fan):
        return [environment.tools.fanload, *words, *_fan(case, server, environment)]
    return [environment.tools.httpload, *words, *_http(case, server, environment)]


def _fan(case: Fan, server: Measured, environment: Environment) -> list[str]:
    dialect = server.dialect
    words = ["--protocol", dialect.wire, "--path", server.path]
    words += ["--date", environment.day.isoformat(), "--other-date", environment.other_day.isoformat()]
    words += ["--subscribers", str(case.subscribers), "--other-share", str(case.other_share)]
    words += ["--rest", str(case.rest_seconds), "--hold", str(case.hold_seconds)]
    if dialect.wire == "socket.io":
        words += ["--channel-prefix", dialect.subscription]
    elif dialect.wire == "pusher":
        words += ["--channel", dialect.subscription]
    else:
        words += ["--document-file", _file(environment.folder / "document", dialect.subscription)]
    if server.logins:
        words += ["--init-file", _file(environment.folder / "logins", "\n".join(_logins(server)))]
    if not case.publishes:
        return words
    words += ["--body-file", _file(environment.folder / "body", dialect.mark), "--window", str(case.desks)]
    words += ["--publishers", str(case.desks)]
    words += ["--saturate", str(case.saturate_seconds)]
    words += ["--rate", str(case.rate), "--rate-seconds", str(case.rate_seconds)]
    if server.publishing:
        words += ["--publish-port", str(server.publishing.port)]
        words += ["--redis-channel", server.publishing.channel] if server.publishing.channel else []
    for text in dialect.event_holds:
        words += ["--expect", text]
    return words


def _logins(server: Measured) -> list[str]:
    """What each subscriber says of itself: a header of its request, or the payload of `connection_init`."""
    if server.dialect.wire == "event-stream":
        return [f"Authorization: Bearer {token}" for token in server.logins]
    return [json.dumps({"authorization": f"Bearer {token}"}) for token in server.logins]


def _http(case: Http, server: Measured, environment: Environment) -> list[str]:
    dialect = server.dialect
    body = {"board": dialect.board, "board_anew": dialect.board_anew, "mark": dialect.mark}[case.body]
    words = ["--body-file", _file(environment.folder / "body", body), "--connections", str(case.connections)]
    words += ["--seconds", str(case.seconds), "--warm", str(case.warm_seconds)]
    if case.write_rate:
        words += [
            "--write-body-file",
            _file(environment.folder / "write", dialect.mark),
            "--write-rate",
            str(case.write_rate),
        ]
    for text in () if case.body == "mark" else dialect.board_holds:
        words += ["--expect", text]
    return words


def _file(path: Path, content: str) -> str:
    path.write_text(content, encoding="utf-8")
    return str(path)
