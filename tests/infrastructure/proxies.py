"""Caddy and nginx with the very files of deploy/, in front of a server on the loopback."""

from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from ssl import CERT_NONE, create_default_context

from tests.certificates import self_signed
from tests.infrastructure.debian import find
from tests.infrastructure.process import free_port, start, stop

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
IDLE_SECONDS = 20
"""After which nginx gives up on a silent server here, so that nobody has to wait for the 90 s of its file."""
NGINX = """
error_log stderr;
pid {folder}/pid;
events {{ worker_connections 2000; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {site};
}}
"""
CADDY = """
{{
	admin off
	default_bind 127.0.0.1
	http_port {http_port}
	https_port {port}
	skip_install_trust
}}
import {site}
"""


def nginx_command(folder: Path, port: int, upstream: int) -> list[str]:
    """nginx with the site's file, but for addresses and the certificate."""
    files = self_signed(folder)
    site = (DEPLOY / "nginx" / "memberstaff.conf").read_text(encoding="utf-8")
    for written, here in {
        "server 127.0.0.1:8000;": f"server 127.0.0.1:{upstream};",
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl http2;",
        "    http2 on;": "    #",  # Debian 12 has 1.22
        "server_name attendance.school.example;": "server_name 127.0.0.1;",
        "/etc/ssl/attendance/chain.pem": files["ssl_certfile"],
        "/etc/ssl/attendance/key.pem": files["ssl_keyfile"],
        "proxy_read_timeout 90s;": f"proxy_read_timeout {IDLE_SECONDS}s;",
    }.items():
        assert written in site, written
        site = site.replace(written, here)
    (folder / "site.conf").write_text(site)
    (folder / "nginx.conf").write_text(NGINX.format(folder=folder, site=folder / "site.conf"))
    program = find("nginx")
    assert program is not None
    return [program, "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf"), "-g", "daemon off;"]


def caddy_command(caddy: Path, folder: Path, port: int) -> list[str | Path]:
    """Caddy with the site's file, which takes its addresses from the environment."""
    configuration = CADDY.format(http_port=free_port(), port=port, site=DEPLOY / "caddy" / "Caddyfile")
    (folder / "Caddyfile").write_text(configuration)
    return [caddy, "run", "--config", folder / "Caddyfile", "--adapter", "caddyfile"]


def caddy_environment(folder: Path, upstream: int) -> dict[str, str]:
    """Where it keeps its certificates, and what the site's file asks for."""
    folders = {f"XDG_{each}_HOME": str(folder / each.lower()) for each in ("DATA", "CONFIG")}
    return {**os.environ, **folders, "HOME": str(folder), "SITE": "127.0.0.1", "UPSTREAM": f"127.0.0.1:{upstream}"}


@contextmanager
def nginx(folder: Path, upstream: int) -> Iterator[str]:
    """Its address, in front of a port of this machine."""
    folder.mkdir()
    port = free_port()
    command = nginx_command(folder, port, upstream)
    subprocess.run([*command[:-2], "-t", "-q"], check=True)
    yield from _served(command, folder, port, None)


@contextmanager
def caddy(program: Path, folder: Path, upstream: int) -> Iterator[str]:
    """Its address, in front of a port of this machine."""
    folder.mkdir()
    port = free_port()
    yield from _served(caddy_command(program, folder, port), folder, port, caddy_environment(folder, upstream))


def _served(
    command: Sequence[str | Path], folder: Path, port: int, environment: dict[str, str] | None
) -> Iterator[str]:
    address = f"https://127.0.0.1:{port}"
    process = start(command, log=folder / "log", ready=partial(_greets, port), environment=environment)
    try:
        yield address
    finally:
        stop(process)


def _greets(port: int) -> bool:
    """Whether a TLS handshake succeeds: there may be no server behind it yet."""
    anybody = create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, CERT_NONE
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            anybody.wrap_socket(connection).close()
    except OSError:
        return False
    return True
