"""`python -m benchmarks`, which is `./dev bench`: run scenarios, print their tables, and keep their results."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path

from benchmarks import chart, load, machine, versions
from benchmarks.environment import Environment, running_environment
from benchmarks.machine import Unable
from benchmarks.processes import Failed
from benchmarks.report import Report
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import SERVERS, Server, chosen
from benchmarks.tools import HERE, prepare


def main() -> int:
    """Run what was asked for; answers 1 when a run failed its checks."""
    options = _options()
    machine.require_linux()
    machine.allow_many_files()
    description = machine.describe()
    server_cores, other_cores = machine.cores()
    if server_cores == other_cores:
        print("There is one core only: the server and the load generator share it, so trust only CPU figures.")
    scenarios = [SCENARIOS[name] for name in options.names or SCENARIOS]
    servers = chosen(options.peers.split(",")) if options.peers else list(SERVERS.values())
    tools = prepare(server.packages for server in servers if server.packages)
    usable = [server for server in servers if server.packages not in tools.missing]
    for server in servers:
        if server not in usable:
            print(f"Without {server.name}: {tools.missing[str(server.packages)]}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is ended
    machine.keep_to(other_cores)  # PostgreSQL, Redis and the load generators inherit it
    failures = 0
    with (
        tempfile.TemporaryDirectory(prefix="ms-bench-") as folder,
        running_environment(tools, Path(folder), server_cores, durable=options.fsync) as environment,
    ):
        about = {"date": environment.day.isoformat(), "machine": description, "versions": versions.all_of(environment)}
        for scenario in scenarios:
            report = _measure(scenario.lasting(options.seconds), usable, options.reps, environment)
            print(f"\n{report.table()}\n", flush=True)
            how = {"repetitions": options.reps, "seconds": options.seconds, "fsync": options.fsync}
            _keep(report, {**about, **how}, options.results)
            failures += report.failures
    return 1 if failures else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)}; default: all of them")
    parser.add_argument("--reps", type=int, default=3, help="repetitions, the servers in turns; default: 3")
    parser.add_argument("--peers", default="", metavar="A,B", help=f"only these servers of {', '.join(SERVERS)}")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement at full load; default: 4")
    parser.add_argument("--no-fsync", dest="fsync", action="store_false", help="PostgreSQL does not wait for the disk")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="where the results are written")
    options = parser.parse_args()
    for name in options.names:
        if name not in SCENARIOS:
            parser.error(f"there is no scenario {name!r}; these are known: {', '.join(SCENARIOS)}")
    return options


def _measure(scenario: Scenario, servers: list[Server], repetitions: int, environment: Environment) -> Report:
    """All cases and repetitions, the servers in turns, each time with a process that has just begun."""
    taking_part = [server for server in servers if server.name in scenario.servers]
    taking_part.sort(key=lambda server: scenario.servers.index(server.name))
    report = Report(scenario, [])
    for case in scenario.cases:
        for repetition in range(repetitions):
            for server in taking_part:
                progress = f"{scenario.name}, {case.label}, {repetition + 1} of {repetitions}: {server.name}"
                print(progress, end=" … ", file=sys.stderr, flush=True)
                try:
                    with server.start(environment) as measured:
                        result = load.run(case, measured, environment)
                except Failed as error:
                    result = {"ok": False, "error": str(error)}
                print("ok" if result["ok"] else "FAILED", file=sys.stderr, flush=True)
                report.row(case.label, server.name).runs.append(result)
    return report


def _keep(report: Report, about: dict[str, object], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    name = report.scenario.name
    text = json.dumps({**about, **report.as_json()}, indent=1, ensure_ascii=False)
    (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    if name == "fanout" and (picture := chart.fanout(report)):
        (folder / "fanout.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Unable, Failed) as reason:
        sys.exit(str(reason))
    except KeyboardInterrupt:
        sys.exit(130)
