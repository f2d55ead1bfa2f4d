"""An OpenID Connect issuer as its clients meet it: real keys, real tokens, and a JWKS address that answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from tests.clock import TurnedClock

ISSUER = "https://id.example.org"
ROLES = {"teacher": "MARKER", "head": "ADMIN", "parent": "VIEWER"}
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ELLIPTIC = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
KEYS = [
    RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"kid": "rsa", "use": "sig"},
    ECAlgorithm.to_jwk(ELLIPTIC.public_key(), as_dict=True) | {"kid": "ec", "alg": "ES256"},
    OKPAlgorithm.to_jwk(EDWARDS.public_key(), as_dict=True) | {"kid": "ed"},
]


@dataclass
class Issuer:
    """Serves its keys, and counts how often it is asked."""

    keys: list[dict[str, Any]] = field(default_factory=lambda: list(KEYS))
    asked: int = 0
    ill: bool = False
    elsewhere: str | None = None
    """Where it redirects to."""
    padding: int = 0
    """Bytes before the keys."""
    drips: bool = False
    """Whether it answers a byte at a time, and never ends."""
    ended: Event = field(default_factory=Event)
    address: str = ""
    now: TurnedClock = field(default_factory=TurnedClock)

    def token(self, key: Any = RSA, algorithm: str = "RS256", kid: str | None = "rsa", **changes: Any) -> str:
        """Amina's, issued now and good for an hour; a claim that is None is left out."""
        said = {
            "iss": ISSUER,
            "aud": "memberstaff-board",
            "sub": "amina-1",
            "name": "Amina Diallo",
            "role": "teacher",
            "sid": "browser-1",
            "iat": seconds(self.now()),
            "exp": seconds(self.now() + timedelta(hours=1)),
        } | changes
        present = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(present, key, algorithm=algorithm, headers={"kid": kid} if kid else None)


def seconds(instant: datetime) -> int:
    return int(instant.timestamp())


@contextmanager
def serving(issuer: Issuer) -> Iterator[None]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked += 1
            body = b"oops" if issuer.ill else b" " * issuer.padding + json.dumps({"keys": issuer.keys}).encode()
            redirects = issuer.elsewhere is not None and self.path == "/jwks"
            self.send_response(500 if issuer.ill else 302 if redirects else 200)
            if issuer.elsewhere is not None:
                self.send_header("Location", issuer.elsewhere)
            if not issuer.drips:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):  # the client may have gone
                while issuer.drips and not issuer.ended.wait(0.01):
                    self.wfile.write(b" ")
                self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    issuer.address = f"http://127.0.0.1:{server.server_port}/jwks"
    try:
        yield
    finally:
        issuer.ended.set()
        server.shutdown()
        thread.join()
        server.server_close()


def settings(issuer: Issuer) -> dict[str, Any]:
    return {
        "oidc_issuer": ISSUER,
        "oidc_audience": "memberstaff-board",
        "oidc_jwks_url": issuer.address,
        "oidc_roles": ROLES,
    }
