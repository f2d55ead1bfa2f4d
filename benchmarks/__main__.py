"""`python -m benchmarks`, which is `./dev bench`: run scenarios, print their tables, and keep their results."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
from pathlib import Path
from typing import Any

from benchmarks import chart, machine, versions
from benchmarks.comparison import Comparison
from benchmarks.environment import Environment, running_environment
from benchmarks.load import measure
from benchmarks.machine import Unable
from benchmarks.processes import Failed
from benchmarks.report import Report
from benchmarks.scenarios import SCENARIOS, Scenario
from benchmarks.servers import SERVERS, Server, chosen
from benchmarks.tools import CACHE, HERE, prepare


def main() -> int:
    """Run what was asked for; answers 1 when a run failed its checks, or a figure regressed."""
    options = _options()
    machine.require_linux()
    machine.allow_many_files()
    description = machine.describe()
    server_cores, other_cores = machine.cores()
    if server_cores == other_cores:
        print("There is one core only: the server and the load generator share it, so trust only CPU figures.")
    scenarios = [SCENARIOS[name] for name in options.names or SCENARIOS]
    if options.baseline:
        scenarios = [scenario for scenario in scenarios if scenario.compared_with != ("memberstaff",)]
    names = ["memberstaff"] if options.baseline else options.peers.split(",") if options.peers else list(SERVERS)
    servers = [server for server in chosen(names) if any(server.name in each.servers for each in scenarios)]
    tools = prepare(server.packages for server in servers if server.packages)
    usable = [server for server in servers if server.packages not in tools.missing]
    for server in servers:
        if server not in usable:
            print(f"Without {server.name}: {tools.missing[str(server.packages)]}.")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that everything that was started is ended
    machine.keep_to(other_cores)  # PostgreSQL, Redis and the load generators inherit it
    with (
        tempfile.TemporaryDirectory(prefix="ms-bench-") as folder,
        running_environment(
            tools,
            Path(folder),
            server_cores,
            durable=options.fsync,
            subscribers=max(scenario.subscribers for scenario in scenarios),
        ) as environment,
    ):
        about: dict[str, Any] = {
            "date": environment.day.isoformat(),
            "machine": description,
            "versions": versions.all_of(environment),
            "seconds": options.seconds,
            "fsync": options.fsync,
        }
        lasting = [scenario.lasting(options.seconds) for scenario in scenarios]
        if options.baseline:
            baseline = environment.of(options.baseline.resolve())
            environment.variables = about["with"] = dict(options.variables)
            return _compare(lasting, environment, baseline, options.pairs, about, options.results or CACHE)
        return _benchmark(lasting, usable, environment, options.reps or 3, about, options.results or HERE / "results")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./dev bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(SCENARIOS)}; default: all of them")
    parser.add_argument("--reps", type=int, help="repetitions, the servers in turns; default: 3")
    parser.add_argument("--peers", default="", metavar="A,B", help=f"only these servers of {', '.join(SERVERS)}")
    parser.add_argument("--seconds", type=float, default=4.0, help="of each measurement at full load; default: 4")
    parser.add_argument("--no-fsync", dest="fsync", action="store_false", help="PostgreSQL does not wait for the disk")
    parser.add_argument(
        "--results",
        type=Path,
        metavar="DIR",
        help="where the results are written; default: benchmarks/results, for a comparison .cache/bench",
    )
    parser.add_argument("--baseline", type=Path, metavar="DIR", help="compare memberstaff with another checkout's")
    parser.add_argument("--pairs", type=int, default=5, help="of runs in a comparison; default: 5")
    parser.add_argument(
        "--with",
        dest="variables",
        type=_variable,
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a variable of the candidate's environment, which the baseline does without",
    )
    options = parser.parse_args()
    if options.variables and not options.baseline:
        parser.error("--with compares with a --baseline, which may be this checkout")
    if options.baseline and (options.peers or options.reps):
        parser.error("--baseline compares memberstaff only, in --pairs: it goes with neither --peers nor --reps")
    for name in options.names:
        if name not in SCENARIOS:
            parser.error(f"there is no scenario {name!r}; these are known: {', '.join(SCENARIOS)}")
    return options


def _variable(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    if not (name and value):
        raise argparse.ArgumentTypeError("NAME=VALUE, such as MEMBERSTAFF_METRICS=true")
    return name, value


def _benchmark(
    scenarios: list[Scenario],
    servers: list[Server],
    environment: Environment,
    repetitions: int,
    about: dict[str, object],
    results: Path,
) -> int:
    failures = 0
    for scenario in scenarios:
        report = _measure(scenario, servers, repetitions, environment)
        print(f"\n{report.table()}\n", flush=True)
        _keep({**about, "repetitions": repetitions, **report.as_json()}, results / f"{scenario.name}.json")
        if scenario.name == "fanout" and (picture := chart.fanout(report)):
            (results / "fanout.svg").write_text(picture, encoding="utf-8")
        failures += report.failures
    return 1 if failures else 0


def _measure(scenario: Scenario, servers: list[Server], repetitions: int, environment: Environment) -> Report:
    """All cases and repetitions, the servers in turns, each time with a process that has just begun."""
    taking_part = [server for server in servers if server.name in scenario.servers]
    taking_part.sort(key=lambda server: scenario.servers.index(server.name))
    report = Report(scenario, [])
    for case in scenario.cases:
        for repetition in range(repetitions):
            for server in taking_part:
                name = f"{scenario.name}, {case.label}, {repetition + 1} of {repetitions}: {server.name}"
                report.row(case.label, server.name).runs.append(measure(name, case, server, environment))
    return report


def _compare(
    scenarios: list[Scenario],
    candidate: Environment,
    baseline: Environment,
    pairs: int,
    about: dict[str, object],
    results: Path,
) -> int:
    comparison = Comparison(candidate, baseline)
    about = {**about, "baseline": versions.commit(baseline.checkout), "pairs": pairs}
    for scenario in scenarios:
        comparison.measure(scenario, pairs)
        _keep({**about, **comparison.as_json()}, results / "comparison.json")  # now: the rest may be cut short
    print(f"\n{comparison.table()}", flush=True)
    return 0 if comparison.passed else 1


def _keep(results: dict[str, object], file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Unable, Failed) as reason:
        sys.exit(str(reason))
    except KeyboardInterrupt:
        sys.exit(130)
