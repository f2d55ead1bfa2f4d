"""The files of deploy/, each checked by its own tool."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

from uv import find_uv_bin

from tests.infrastructure.debian import find
from tests.infrastructure.process import free_port
from tests.infrastructure.proxies import CADDY

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
TOOLS = ROOT / ".cache" / "deploy"
"""The environment of requirements/deploy.txt: never part of .venv."""
EXPOSURE = 15
"""Of `systemd-analyze security`, in tenths: from 0, locked in, to 100, as if there were no sandbox."""


def install_tools() -> None:
    """Make TOOLS hold what requirements/deploy.txt says."""
    lock = ROOT / "requirements" / "deploy.txt"
    stamp = TOOLS / "stamp"
    if stamp.exists() and stamp.read_text() == lock.read_text():
        return
    uv = find_uv_bin()
    environment = {"UV_SYSTEM_CERTS": "1", **os.environ}
    subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, TOOLS], check=True, env=environment)
    sync = ["--python", str(tool("python")), "--require-hashes", str(lock)]
    subprocess.run([uv, "pip", "sync", "--quiet", *sync], check=True, env=environment)
    stamp.write_text(lock.read_text())


def tool(name: str) -> Path:
    """A program of requirements/deploy.txt."""
    return TOOLS / "bin" / name


def told(*command: str | Path, **variables: str) -> str:
    """What a tool says. Raises AssertionError if it finds fault."""
    line = [str(word) for word in command]
    done = subprocess.run(
        line, cwd=ROOT, env={**os.environ, **variables}, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert done.returncode == 0, f"{' '.join(line)}\n{done.stdout}"
    return done.stdout


def dockerfile() -> str:
    told(tool("hadolint"), "Dockerfile")
    return "hadolint"


def caddyfile() -> str:
    """Formatted as Caddy does, and valid for one server and for several."""
    site = DEPLOY / "caddy" / "Caddyfile"
    assert told(tool("caddy"), "fmt", site) == site.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "Caddyfile"
        file.write_text(CADDY.format(http_port=free_port(), port=free_port(), site=site))
        for upstream in ("", "one:8000 other:8000"):
            told(
                tool("caddy"), "validate", "--adapter", "caddyfile", "--config", file,
                HOME=folder, SITE="attendance.school.example", UPSTREAM=upstream,
            )  # fmt: skip
    return "caddy fmt, caddy validate"


def units() -> str:
    """Valid, and as closed as they can be."""
    analyze = find("systemd-analyze")
    assert analyze is not None
    with tempfile.TemporaryDirectory() as folder:
        names = {"memberstaff.service": "memberstaff.service", "memberstaff@.service": "memberstaff@school.service"}
        for name, instance in names.items():
            text = (DEPLOY / "systemd" / name).read_text(encoding="utf-8")
            assert "/opt/memberstaff/bin/memberstaff serve" in text
            unit = Path(folder) / instance
            unit.write_text(
                text.replace("/opt/memberstaff/bin/memberstaff", str(Path(sys.executable).parent / "memberstaff"))
            )
            said = told(analyze, "verify", "--man=no", unit)
            assert instance not in said, said  # it speaks of other units of this machine, too
            security = told(analyze, "security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", unit)
        [exposure] = re.findall(r"Overall exposure level for \S+: ([\d.]+)", security)
    told("sh", "-n", DEPLOY / "systemd" / "memberstaff-run")
    return f"systemd-analyze verify, security ({exposure})"


COMPOSE = """
import json, re, sys, yaml
from compose_spec import PyCompose
read = yaml.safe_load(re.sub(r"\\$\\{\\w+:-([^}]*)\\}", r"\\1", sys.stdin.read()))
compose = PyCompose.from_json(json.dumps(read))
compose.validate()
waited_for = {name for service in read["services"].values() for name in service.get("depends_on", {})}
assert waited_for <= set(compose.service_names()), waited_for
files = {secret["file"] for secret in read["secrets"].values()}
print(json.dumps(sorted(files)))
"""
"""Parses strictly, with every variable as it is when nobody sets it."""


def compose() -> str:
    """Valid, and with just the secrets that the script makes."""
    file = DEPLOY / "compose" / "compose.yaml"
    with tempfile.TemporaryDirectory() as folder, file.open() as text:
        command = [str(tool("python")), "-c", COMPOSE]
        done = subprocess.run(command, stdin=text, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert done.returncode == 0, done.stdout
        script = shutil.copy(DEPLOY / "compose" / "secrets.sh", folder)
        for _ in range(2):
            told("sh", script)
        made = {f"secrets/{each.name}": each.read_text() for each in (Path(folder) / "secrets").iterdir()}
        assert sorted(made) == json.loads(done.stdout), made
        assert (Path(folder) / "secrets").stat().st_mode & 0o777 == 0o700
    assert len(made["secrets/memberstaff_secret_key"]) == 64
    assert made["secrets/postgres_password"] in made["secrets/memberstaff_database_url"]
    [user] = re.findall(r"user memberstaff .*", (ROOT / "docs" / "redis.md").read_text(encoding="utf-8"))
    password = urlsplit(made["secrets/memberstaff_broadcast_url"]).password or ""
    assert made["secrets/valkey_users"] == f"user default off\n{user.replace('PASSWORD', password)}\n"
    return "compose-spec"


def manifests() -> str:
    """Each by itself, for the newest Kubernetes that the tool knows; and together, where there is a kubectl."""
    folder = DEPLOY / "kubernetes"
    files = sorted(set(folder.glob("*.yaml")) - {folder / "kustomization.yaml", folder / "secret.yaml"})
    told(tool("kubernetes-validate"), "--strict", "--quiet", *files)
    if (kubectl := find("kubectl")) is None:
        return "kubernetes-validate"
    with tempfile.TemporaryDirectory() as copied:
        for file in folder.iterdir():
            name = file.name.replace("secret.example", "secret")
            (Path(copied) / name).write_text(file.read_text(encoding="utf-8"))
        built = Path(copied) / "built.yaml"
        built.write_text(told(kubectl, "kustomize", copied))
        told(tool("kubernetes-validate"), "--strict", "--quiet", built)
    return "kubernetes-validate, kubectl kustomize"


CHECKS: dict[str, Callable[[], str]] = {
    "Dockerfile": dockerfile,
    "deploy/caddy": caddyfile,
    "deploy/systemd": units,
    "deploy/compose": compose,
    "deploy/kubernetes": manifests,
}
