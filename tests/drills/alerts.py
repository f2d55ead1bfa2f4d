"""deploy/prometheus: each alert fires at its fault, in a real Prometheus that scrapes two servers, one of two workers.

`./dev drill alerts` runs it. Prometheus is in no wheel: apt-get install prometheus, which brings promtool.
"""

from __future__ import annotations

import argparse
import asyncio
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx2

from tests.infrastructure.process import NotFound, free_port, running, start, stop
from tests.infrastructure.redis import RedisServer
from tests.infrastructure.replication import ReplicatedPostgres
from tests.soak.alert_faults import FAULTS, STANDING, Fault, log_to_a_full_disk
from tests.soak.alert_site import ANSWER_SECONDS, Site
from tests.soak.cluster import Cluster
from tests.web import web_client

RULES = Path(__file__).parents[2] / "deploy" / "prometheus"
FIRE_SECONDS = 90.0
"""Until an alert fires at its fault, at most."""
SETTINGS: dict[str, Any] = {
    "MEMBERSTAFF_METRICS": "true",
    "MEMBERSTAFF_DATABASE_POOL_SIZE": "2",
    "MEMBERSTAFF_DATABASE_SECONDS": str(ANSWER_SECONDS),
    "MEMBERSTAFF_MAX_CONNECTIONS_PER_ADDRESS": "60",
    "MEMBERSTAFF_REFRESH_GRACE_SECONDS": "0",
}


def find(name: str) -> str:
    """A program of Prometheus. Raises NotFound."""
    found = shutil.which(name)
    if found is None:
        raise NotFound(f"This drill needs {name}: apt-get install prometheus.")
    return found


def promtool(*words: str | Path, given: bytes | None = None) -> None:
    """Run it, and show what it found. Raises CalledProcessError."""
    subprocess.run([find("promtool"), *map(str, words)], input=given, check=True, stdout=sys.stderr)


def impatient(rules: str) -> str:
    """The rules, whose alerts fire as soon as what they are about is so."""
    return re.sub(r"^( +for:) .*$", r"\1 0s", rules, flags=re.MULTILINE)


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[str]:
    """A Prometheus that scrapes these every two seconds; its address."""
    folder.mkdir()
    port = free_port()
    (folder / "alerts.yaml").write_text(impatient((RULES / "alerts.yaml").read_text()))
    listed = "".join(f'        - "{target}"\n' for target in targets)
    (folder / "prometheus.yaml").write_text(
        "global:\n  scrape_interval: 2s\n  scrape_timeout: 2s\n  evaluation_interval: 1s\n"
        "rule_files: [alerts.yaml]\n"
        f"scrape_configs:\n  - job_name: memberstaff\n    static_configs:\n      - targets:\n{listed}"
    )
    address = f"127.0.0.1:{port}"
    options = [f"--config.file={folder}/prometheus.yaml", f"--storage.tsdb.path={folder}/data"]
    options.append(f"--web.listen-address={address}")
    log = folder / "log"
    process = start([find("prometheus"), *options], log=log, ready=lambda: "ready to receive" in log.read_text())
    try:
        yield f"http://{address}"
    finally:
        stop(process)


async def firing(client: httpx2.AsyncClient, address: str) -> set[str]:
    """The names of the alerts that fire."""
    answer = (await client.get(f"{address}/api/v1/alerts")).json()
    return {each["labels"]["alertname"] for each in answer["data"]["alerts"] if each["state"] == "firing"}


async def scraped(address: str, targets: int) -> None:
    """Wait until what rises from now on has something to have risen from."""
    query = {"query": f"count(count_over_time(up[5m]) >= 3) == {targets}"}
    async with web_client() as client, asyncio.timeout(FIRE_SECONDS):
        while not (await client.get(f"{address}/api/v1/query", params=query)).json()["data"]["result"]:
            await asyncio.sleep(0.25)


async def fires(address: str, site: Site, fault: Fault) -> bool:
    """Whether none of a fault's alerts fires before it, and each while it lasts; says so."""
    async with web_client() as client:
        early = await firing(client, address) & {*fault.alerts}
    if early:
        print(f"FAILED  {', '.join(early)} fired before: {fault.what}", flush=True)
        return False
    async with fault.inject(site):
        return await have_fired(address, fault)


async def have_fired(address: str, fault: Fault) -> bool:
    """Whether each of a fault's alerts fires in time; says so."""
    end = time.monotonic() + FIRE_SECONDS
    async with web_client() as client:
        while (late := {*fault.alerts} - await firing(client, address)) and time.monotonic() < end:
            await asyncio.sleep(0.25)
    print(f"{'FAILED' if late else 'ok':8}{', '.join(sorted(late) or fault.alerts)}: {fault.what}", flush=True)
    return not late


async def drill(folder: Path, postgres: ReplicatedPostgres, redis: RedisServer, alerts: set[str]) -> bool:
    """Check the rules and the metrics, and then break one thing after the other, or what fires these alerts."""
    promtool("check", "rules", RULES / "alerts.yaml")
    promtool("test", "rules", RULES / "alerts.test.yaml")
    cluster = Cluster(postgres, redis, folder, workers=2, **SETTINGS)
    one, two = cluster.nodes
    two.workers = 1
    log_to_a_full_disk(two)
    try:
        await cluster.begin(people=20)
        async with web_client() as client:
            promtool("check", "metrics", given=(await client.get(f"{one.http}/metrics")).content)
        with prometheus(folder / "prometheus", [f"127.0.0.1:{node.port}" for node in cluster.nodes]) as address:
            async with Site(cluster, postgres, redis).boards() as site, AsyncExitStack() as standing:
                await scraped(address, len(cluster.nodes))
                lasting = [fault for fault in STANDING if not alerts or alerts & {*fault.alerts}]
                for fault in lasting:
                    await standing.enter_async_context(fault.inject(site))
                chosen = [fault for fault in FAULTS if not alerts or alerts & {*fault.alerts}]
                fired = [await fires(address, site, fault) for fault in chosen]
                fired += [await have_fired(address, fault) for fault in lasting]
                return all(fired)
    finally:
        cluster.end()


def main() -> int:
    """Run it."""
    parser = argparse.ArgumentParser(prog="./dev drill alerts", description="Have each alert fire at its fault.")
    parser.add_argument("alerts", nargs="*", metavar="ALERT", help="only the faults of these; default: all")
    alerts = {*parser.parse_args().alerts}
    find("prometheus")
    with (
        tempfile.TemporaryDirectory(prefix="ms-alerts-") as folder,
        running(ReplicatedPostgres()) as postgres,
        running(RedisServer(Path(folder) / "redis")) as redis,
    ):
        return 0 if asyncio.run(drill(Path(folder), postgres, redis, alerts)) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except NotFound as missing:
        sys.exit(str(missing))
