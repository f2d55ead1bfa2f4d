"""An image built without a daemon (mmdebstrap, buildah), and run as an engine would: another user, a read-only root."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from tests.infrastructure.process import start, stop

PACKAGES = ("python3", "python3-venv", "ca-certificates")
"""Of the base, as docs/deploying.md asks for."""
RUN = """
mount --bind "$ROOT" "$ROOT"
mount -o remount,bind,ro,nosuid "$ROOT"
mount -t proc -o nosuid,nodev,noexec proc "$ROOT/proc"
mount --rbind /dev "$ROOT/dev"
mount -t tmpfs -o nosuid,nodev tmpfs "$ROOT/tmp"
mount -t tmpfs -o nosuid,nodev tmpfs "$ROOT/run"
mount --bind "$DATA" "$ROOT/data"
mkdir "$ROOT/run/secrets"
mount --bind "$SECRETS" "$ROOT/run/secrets"
mount -o remount,bind,ro "$ROOT/run/secrets"
mount -o remount,ro "$ROOT/run"
exec setpriv --no-new-privs chroot --userspec="$OWNER" --groups= "$ROOT" env -i --chdir="$FOLDER" "$@"
"""
"""In namespaces of its own, as process 1. An engine does the same, and gives it a network of its own as well."""


class Buildah:
    """buildah, with a storage of its own in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # vfs copies everything for each stage, and works where overlays do not: on another overlay.
        self._driver = ["overlay", "--storage-opt", "overlay.skip_mount_home=true"]
        if self._run("info").returncode:
            self._driver = ["vfs"]

    def __call__(self, command: str, *words: str | Path) -> str:
        """Run one command; answers what it printed. Raises AssertionError with what went wrong."""
        done = self._run(command, *words)
        line = [command, *map(str, words)]
        assert done.returncode == 0, f"{shlex.join(line)}\n{done.stdout[-4_000:]}{done.stderr[-4_000:]}"
        return done.stdout.strip()

    def _run(self, *words: str | Path) -> subprocess.CompletedProcess[str]:
        storage = self._folder / self._driver[0]
        options = ["--root", storage / "root", "--runroot", storage / "run", "--storage-driver", *self._driver]
        environment = {**os.environ, "BUILDAH_ISOLATION": "chroot", "TMPDIR": str(self._folder)}
        line = [str(word) for word in ("buildah", *options, *words)]
        return subprocess.run(line, env=environment, capture_output=True, text=True)

    def unmount(self) -> None:
        """Unmount what it has left mounted, or the folder could not be removed."""
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        left = [point for point in mounted if point.startswith(f"{self._folder}/")]
        if left:
            subprocess.run(["umount", *reversed(left)], check=True)

    def base(self, archive: Path) -> str:
        """An image from a system in an archive; answers its name."""
        container = self("from", "scratch")
        self("add", "--quiet", container, archive)
        self("config", "--env", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", container)
        self("commit", "--quiet", "--rm", container, "localhost/base")
        return "localhost/base"

    @contextmanager
    def image(self, name: str) -> Iterator[Image]:
        """An image, unpacked."""
        container = self("from", name)
        try:
            said = json.loads(self("inspect", "--type", "image", name))
            yield Image(Path(self("mount", container)), said["Docker"]["config"])
        finally:
            self("rm", container)


def bootstrap(archive: Path) -> None:
    """Make a small Debian with Python, unless there is one already."""
    if archive.exists():
        return
    partial = archive.with_suffix(".partial.tar")
    command = ["mmdebstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", "--quiet"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{each}/*" for each in ("doc", "man", "locale")]
    subprocess.run([*command, _release(), str(partial)], check=True)
    partial.rename(archive)


def _release() -> str:
    """The name of this machine's release, whose packages it can get."""
    said = dict(line.split("=", 1) for line in Path("/etc/os-release").read_text().splitlines() if "=" in line)
    return said["VERSION_CODENAME"].strip('"')


@dataclass(frozen=True)
class Image:
    """What an engine runs."""

    root: Path
    config: dict[str, Any]

    def command(self, *words: str) -> list[str]:
        """What is run, with other words than the image's own if there are some."""
        return [*self.config["Entrypoint"], *(words or self.config["Cmd"])]

    @property
    def environment(self) -> dict[str, str]:
        return dict(line.split("=", 1) for line in self.config["Env"])


class Container:
    """One process of an image, its folder of data and its secrets; it shares this machine's loopback."""

    def __init__(self, image: Image, folder: Path, **settings: str) -> None:
        self.image = image
        self.settings = settings
        self.data = folder / "data"
        self.secrets = folder / "secrets"
        self.log = folder / "log"
        owner = image.config["User"]
        self._variables = {
            "PATH": os.environ.get("PATH", os.defpath),
            "ROOT": str(image.root),
            "DATA": str(self.data),
            "SECRETS": str(self.secrets),
            "OWNER": owner,
            "FOLDER": image.config["WorkingDir"],
        }
        for made in (self.data, self.secrets):
            made.mkdir(parents=True)
            os.chown(made, *map(int, owner.split(":")))
            made.chmod(0o700)
        self._process: subprocess.Popen[bytes] | None = None

    def secret(self, **settings: str) -> None:
        """Put settings into files that only the process may read."""
        for name, value in settings.items():
            file = self.secrets / name
            file.write_text(value)
            file.chmod(0o400)
            os.chown(file, *map(int, self.image.config["User"].split(":")))

    def run(self, *words: str, stdin: str = "", program: Sequence[str] | None = None) -> str:
        """What a command prints. Raises AssertionError if it fails."""
        done = subprocess.run(
            self._line(program or self.image.command(*words)), env=self._variables, input=stdin, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        assert done.returncode == 0, f"{' '.join(program or words)}: {done.returncode}\n{done.stdout[-3_000:]}"
        return done.stdout

    @contextmanager
    def running(self, *words: str, ready: Callable[[], bool]) -> Iterator[None]:
        """The server, from when it is ready."""
        command = self._line(self.image.command(*words))
        self._process = process = start(command, log=self.log, ready=ready, environment=self._variables)
        try:
            yield
        finally:
            if process.poll() is None:  # --kill-child is forgotten where the user changes
                self.process.kill()
            stop(process, signal.SIGKILL)

    @property
    def process(self) -> psutil.Process:
        """The server's, as this machine sees it."""
        assert self._process is not None
        [child] = psutil.Process(self._process.pid).children()
        return child

    def stop(self, seconds: float) -> int:
        """Do as an engine does (STOPSIGNAL), and answer the exit code. Raises TimeoutExpired."""
        assert self._process is not None
        self.process.send_signal(getattr(signal, self.image.config.get("StopSignal") or "SIGTERM"))
        return self._process.wait(seconds)

    def _line(self, command: Sequence[str]) -> list[str]:
        variables = [f"{name}={value}" for name, value in {**self.image.environment, **self.settings}.items()]
        namespaces = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork"]
        return [*namespaces, "sh", "-ec", RUN, "sh", *variables, *command]
