"""docs/deploying.md: the image is built without a daemon, run as it should be, and looked at from outside.

`./dev drill image` does all of it. `--short` takes a base of this machine's own packages and a wheel that is built
outside, and passes all of the suite behind Caddy, and behind nginx what stays open.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Any

import httpx2
from websockets.exceptions import ConnectionClosed

from tests.blackbox.conftest import ADDRESS, HEARTBEATS, LOGINS, is_ready
from tests.blackbox.site import ROLES, Site, change, read_logins, today
from tests.contract.environments import build_wheel
from tests.drills._files import CHECKS, install_tools, tool
from tests.front_ends import WATCH
from tests.infrastructure import debian, proxies
from tests.infrastructure.containers import PACKAGES, Buildah, Container, Image, bootstrap
from tests.infrastructure.process import NotFound, free_port

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / ".cache" / "image-base.tar"
STOP_SECONDS = 30
"""That docs/deploying.md and deploy/ give it."""
SERVE = ("serve", "--host", "0.0.0.0", "--port")
HEARTBEATS_QUIET = 2
"""Heartbeats of a stream, 15 s apart, for which it must be left alone: longer than the nginx of the drill waits."""


@contextmanager
def step(name: str) -> Iterator[None]:
    """Say how long something took."""
    began = time.monotonic()
    yield
    print(f"{name} ({time.monotonic() - began:.0f} s)", flush=True)


def build(buildah: Buildah, folder: Path, *, short: bool) -> None:
    """The image, on a base of Debian; in short it is made of what this machine has of it."""
    with step("the base is there"):
        if short:
            archive = folder / "base.tar"
            debian.copy_of_system(archive, *PACKAGES)
        else:
            bootstrap(archive := BASE)
        base = buildah.base(archive)
        if short:
            archive.unlink()  # before the folder becomes the context of the build
    words = [
        "--format",
        "docker",
        "--build-arg",
        f"BASE={base}",
        "--build-arg",
        "VERSION=drill",
        "--tag",
        "memberstaff",
    ]
    words += [word for file in certificates() for word in ("--volume", f"{file}:{file}:ro")]
    if not short:
        with step("the image is built from the checkout alone"):
            buildah("bud", *words, str(ROOT))
        return
    with step("the image is built from a wheel"):
        (folder / "requirements").mkdir()
        shutil.copy(ROOT / "requirements" / "image.txt", folder / "requirements")
        shutil.copy(ROOT / "Dockerfile", folder)
        build_wheel(folder / "dist")
        buildah("bud", *words, "--build-arg", "WHEEL=given", str(folder))


def certificates() -> list[str]:
    """What this machine's pip knows of authorities and proxies, which no base does."""
    named = ["/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt", os.environ.get("SSL_CERT_FILE", "")]
    return sorted({file for file in named if file and Path(file).is_file()})


def is_as_promised(image: Image) -> None:
    """What the image says of itself, and what can be done in it."""
    config = image.config
    assert (config["User"], config["WorkingDir"], list(config["Volumes"])) == ("10001:10001", "/data", ["/data"])
    assert (config["Entrypoint"], config["Cmd"]) == (["memberstaff"], ["serve", "--host", "0.0.0.0"])
    assert (list(config["ExposedPorts"]), config["StopSignal"]) == (["8000/tcp"], "SIGTERM")
    assert config["Labels"]["org.opencontainers.image.version"] == "drill"
    folders = ("usr/bin", "usr/local/bin", "opt/memberstaff/bin")
    programs = {path.name for folder in folders for path in (image.root / folder).glob("*")}
    assert programs & {"pip", "pip3", "cc", "gcc", "make", "git", "node", "npm"} == set()
    assert [path for path in (image.root / "usr/lib").rglob("ensurepip") if path.is_dir()] == []
    with tempfile.TemporaryDirectory(prefix="ms-image-") as folder:
        container = Container(image, Path(folder) / "c")
        seen = json.loads(container.run(program=["python3", "-c", INSIDE]))
        loaded = container.run(program=["python3", "-v", "-c", "import strawberry, memberstaff.settings"])
    assert seen == {"ids": [10001, 10001], "capabilities": 0, "pip": False, "written": ["/data", "/tmp"]}, seen
    assert "# bytecode is stale" not in loaded


INSIDE = """
import importlib.util, json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
written = []
for folder in ("/", "/data", "/etc", "/home", "/opt/memberstaff/bin", "/run", "/run/secrets", "/tmp", "/usr", "/var"):
    try:
        open(os.path.join(folder, "written"), "w").close()
        written.append(folder)
    except OSError:
        pass
print(json.dumps({"ids": [os.getuid(), os.getgid()], "capabilities": int(status["CapEff"], 16),
    "pip": bool(importlib.util.find_spec("pip")), "written": written}))
"""


def health(container: Container, port: int) -> bool:
    """What an engine finds of it."""
    kind, *command = container.image.config["Healthcheck"]["Test"]
    assert kind == "CMD"
    try:
        container.run(program=[word.replace("8000", str(port)) for word in command])
    except AssertionError:
        return False
    return True


def suite(address: str, logins: Path, heartbeats: int = 0, tests: str = "") -> subprocess.Popen[bytes]:
    """tests/blackbox, or one file of it, against an address."""
    variables = {ADDRESS: address, LOGINS: str(logins), HEARTBEATS: str(heartbeats)}
    command = [sys.executable, "-m", "pytest", "--no-header", "--quiet", "-p", "no:cacheprovider"]
    command.append(f"tests/blackbox/{tests}")
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, **variables})


def passes(*suites: subprocess.Popen[bytes]) -> None:
    """Wait for them. Raises AssertionError."""
    assert [process.wait() for process in suites] == [0] * len(suites), "the suite failed, see above"


def furnish(container: Container, folder: Path) -> Path:
    """Migrate, add the demo's people and an account of each role; answers the file of their passwords."""
    container.run("migrate")
    passwords = {role: token_urlsafe(18) for role in ROLES}

    def add(role: str) -> None:
        email = f"{role.lower()}@demo.example"
        container.run("account", "add", email, "--role", role, "--password-stdin", stdin=f"{passwords[role]}\n")

    with ThreadPoolExecutor() as together:  # each takes a second or two to start
        people = together.submit(container.run, "demo", "--staff", "60")
        list(together.map(add, ROLES))
        people.result()
    file = folder / "logins.json"
    file.write_text(json.dumps(passwords))
    return file


async def stops_under_load(site: Site, container: Container) -> dict[str, Any]:
    """Boards are told to come back, no mark that was acknowledged is lost, and the process is gone in time."""
    async with site.client("MARKER") as marker:
        date, cursor, [person, *_] = await today(marker)
        async with site.http() as http:
            viewer = await site.token(http, "VIEWER")
        async with site.socket(viewer) as socket, site.stream(viewer, WATCH, date=date, after=cursor) as stream:
            await socket.subscribe("1", WATCH, date=date, after=cursor)
            assert await stream.begun() == cursor
            marked = [await change(marker, person, date, f"before the stop, {number}") for number in range(5)]
            stopping = asyncio.create_task(asyncio.to_thread(container.stop, STOP_SECONDS))
            seen = []
            try:
                while True:
                    message = json.loads(await socket.connection.recv())
                    seen += [message["payload"]["data"]["attendanceUpdated"]["version"]] if "payload" in message else []
            except ConnectionClosed as error:
                assert error.rcvd is not None
                assert error.rcvd.code == 1012
            with suppress(httpx2.RemoteProtocolError):  # an EventSource comes back however a stream ends
                while await stream.piece():
                    pass
            assert seen == [each["version"] for each in marked]
            assert await stopping == 0
            return marked[-1]


async def has_kept(site: Site, marked: Mapping[str, Any]) -> None:
    """The last mark is there."""
    async with site.client("MARKER") as marker:
        _, cursor, people = await today(marker, people=60)
    assert cursor == marked["feedCursor"]
    assert [each["note"] for each in people if each["id"] == marked["id"]] == [marked["note"]]


def drill(folder: Path, *, short: bool) -> None:
    """All of it. Raises AssertionError."""
    debian.require(buildah="buildah", nginx="nginx-light", systemd_analyze="systemd")
    if not short:
        debian.require(mmdebstrap="mmdebstrap")
    buildah = Buildah(folder)
    (folder / "context").mkdir()
    try:
        with ThreadPoolExecutor(1) as meanwhile:
            checked = meanwhile.submit(check_files)
            build(buildah, folder / "context", short=short)
            checked.result()
        with buildah.image("memberstaff") as image:
            with step("it is as promised"):
                is_as_promised(image)
            run(image, folder, short=short)
    finally:
        buildah.unmount()


def check_files() -> None:
    """Each file of deploy/ by its own tool."""
    with step("the files are valid"):
        install_tools()
        for name, check in CHECKS.items():
            print(f"{name}: {check()}", flush=True)


def run(image: Image, folder: Path, *, short: bool) -> None:
    """The demo, and an installation behind both proxies; in short each behind one."""
    demo = Container(image, folder / "demo")
    school = Container(
        image, folder / "school",
        MEMBERSTAFF_TRUSTED_PROXIES="127.0.0.1/32",
        MEMBERSTAFF_LOGINS_PER_MINUTE="20",  # for several suites
    )  # fmt: skip
    school.secret(memberstaff_secret_key=token_urlsafe(48))
    port, other = free_port(), free_port()
    serve_demo = partial(demo.running, *SERVE, str(port), "--demo", "--insecure", ready=partial(is_ready, here(port)))
    serve = partial(school.running, *SERVE, str(other), ready=partial(is_ready, here(other)))
    with ExitStack() as stack:
        nginx = stack.enter_context(proxies.nginx(folder / "nginx", port if short else other))
        caddy = stack.enter_context(proxies.caddy(tool("caddy"), folder / "caddy", other))
        with step("migrated and furnished, and a demo has started"), ThreadPoolExecutor(1) as meanwhile:
            furnished = meanwhile.submit(furnish, school, folder)
            stack.enter_context(serve_demo())
            logins, demonstrated = furnished.result(), demo.data / ".data" / "logins.json"
        with serve():
            assert health(school, other)
            if short:
                with step("the suite passes behind Caddy, and what stays open in the demo behind nginx"):
                    passes(suite(caddy, logins), suite(nginx, demonstrated, tests="test_streams.py"))
            else:
                with step("the suite passes behind Caddy, and against the demo"):
                    passes(suite(caddy, logins, HEARTBEATS_QUIET), suite(here(port), demonstrated))
                with step("and behind nginx"):  # one after the other, since each marks the same people
                    passes(suite(nginx, logins, HEARTBEATS_QUIET))
            with step("stopped under load"):
                marked = asyncio.run(stops_under_load(Site(caddy if short else nginx, read_logins(logins)), school))
                assert not health(school, other)
        with step("started again, with what it had"), serve():
            asyncio.run(has_kept(Site(caddy, read_logins(logins)), marked))


def here(port: int) -> str:
    """An address."""
    return f"http://127.0.0.1:{port}"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(prog="./dev drill image", description="Do docs/deploying.md.")
    parser.add_argument("--short", action="store_true", help="what CI has time for")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ms-image-") as folder:
        Path(folder).chmod(0o711)  # nginx's workers are nobody
        try:
            drill(Path(folder), short=options.short)
        except NotFound as missing:
            sys.exit(str(missing))
    return 0


if __name__ == "__main__":
    sys.exit(main())
