"""The files of deploy/ fit together, and fit the server. Each by itself is checked by its own tool, in a drill."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from memberstaff.server.run import options
from memberstaff.settings import Settings

DEPLOY = Path(__file__).parents[2] / "deploy"
SETTINGS = Settings()
GIVEN = (
    *("DynamicUser", "User", "UMask", "StateDirectory", "StateDirectoryMode"),
    *("EnvironmentFile", "LoadCredential", "LimitNOFILE"),
)
"""What a command has to have in common with its service: its rights, its folder, its settings and its secrets."""


def seconds(pattern: str, *file: str) -> int:
    """A number of seconds that stands once in a file."""
    [found] = re.findall(pattern, DEPLOY.joinpath(*file).read_text(encoding="utf-8"))
    return int(found)


@pytest.mark.parametrize(
    ("unit", "words", "instance"),
    [("memberstaff.service", ["migrate"], ""), ("memberstaff@.service", ["@hill-school", "migrate"], "hill-school")],
)
def test_a_command_has_the_rights_settings_secrets_and_channel_of_its_service(
    tmp_path: Path, unit: str, words: list[str], instance: str
) -> None:
    telling = tmp_path / "systemd-run"
    telling.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    telling.chmod(0o755)
    script = DEPLOY / "systemd" / "memberstaff-run"
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    told = subprocess.run(["sh", script, *words], env=environment, check=True, capture_output=True, text=True).stdout
    of_command = set(re.findall(r"^--property=(.*)$", told, re.MULTILINE))
    text = (DEPLOY / "systemd" / unit).read_text(encoding="utf-8").replace("%i", instance)
    for name in GIVEN:
        assert set(re.findall(f"^{name}=.*$", text, re.MULTILINE)) <= of_command, name
    [folder] = re.findall(r"^WorkingDirectory=(.*)$", text, re.MULTILINE)
    assert f"WorkingDirectory={folder.replace('%S', '/var/lib')}" in of_command
    channel = re.findall(r"MEMBERSTAFF_BROADCAST_CHANNEL=(\S+)", text) or [SETTINGS.broadcast_channel]
    assert f"Environment=MEMBERSTAFF_BROADCAST_CHANNEL={channel[0]}" in of_command
    assert told.splitlines()[-2:] == ["/opt/memberstaff/bin/memberstaff", "migrate"]


def test_whoever_stops_a_server_waits_for_longer_than_it_takes() -> None:
    takes = SETTINGS.shutdown_seconds
    assert takes < seconds(r"stop_grace_period: (\d+)s\n    ulimits", "compose", "compose.yaml")
    for unit in ("memberstaff.service", "memberstaff@.service"):
        assert takes < seconds(r"TimeoutStopSec=(\d+)\n", "systemd", unit)
    deployment = ("kubernetes", "deployment.yaml")
    before = seconds(r"sleep:\n +seconds: (\d+)\n", *deployment)
    assert before + takes < seconds(r"terminationGracePeriodSeconds: (\d+)\n", *deployment)


def test_proxies_wait_for_longer_than_the_server_is_silent_and_give_up_idle_connections_before_it_does() -> None:
    nginx = ("nginx", "memberstaff.conf")
    assert seconds(r"proxy_read_timeout (\d+)s;", *nginx) > SETTINGS.silence_seconds
    idle = options(SETTINGS)["timeout_keep_alive"]
    assert seconds(r"keepalive (\d+)s\n", "caddy", "Caddyfile") < idle  # its default is two minutes
    assert "keepalive_timeout" not in DEPLOY.joinpath(*nginx).read_text(encoding="utf-8")  # which is 60 s
