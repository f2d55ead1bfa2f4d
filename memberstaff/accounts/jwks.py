"""The public keys of an identity provider: fetched from its JWKS URL, cached, and seldom refetched.

A token with a made-up key id makes us fetch the keys again, so that is done at most once every half-minute,
whatever is sent.
"""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import jwt
import structlog
from jwt import PyJWK

from memberstaff.addresses import is_loopback
from memberstaff.errors import Unavailable

log = structlog.get_logger(__name__)

KEY_TYPES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""The accepted algorithms, and the key type (`kty`) that each needs. None is symmetric: the issuer's keys are public,
so anybody could sign with one as a shared secret."""
FRESH = timedelta(hours=1)
"""How long fetched keys are used before checking whether the issuer has revoked one."""
STALE = timedelta(hours=24)
"""How long they are used while the issuer is unreachable."""
PAUSE = timedelta(seconds=30)
"""Between two fetches, successful or not."""
TIMEOUT_SECONDS = 5
MOST_BYTES = 1_000_000
"""Of an answer; an issuer's keys take some thousands."""


class IssuerUnreachable(Unavailable):
    """The issuer's keys are unavailable, so its tokens can be neither accepted nor rejected; no change was made."""

    def __init__(self, retry_after: float) -> None:
        why = "The identity provider cannot be reached. Try again in a moment."
        super().__init__(why, retry_after, applied=False)


class IssuerKeys:
    """The keys published at a JWKS URL."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._fetching: asyncio.Task[None] | None = None
        self._keys: list[dict[str, Any]] = []
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None

    async def find(self, key_id: str | None, algorithm: str, *, now: datetime) -> PyJWK | None:
        """The key that a token's header names, if it suits the algorithm. Raises IssuerUnreachable.

        A token without a key id is accepted only if the issuer has exactly one suitable key.
        """
        key = self._matching(key_id, algorithm)
        if key is None or (self._is_due(now) and self._fetching is None):
            await self._fetch(now)
        if self._fetched_at is None or now - self._fetched_at >= STALE:
            asked_again_at = (self._tried_at or now) + PAUSE
            raise IssuerUnreachable((asked_again_at - now).total_seconds())
        return self._matching(key_id, algorithm)

    def _is_due(self, now: datetime) -> bool:
        return self._fetched_at is None or now - self._fetched_at >= FRESH

    def _matching(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        usable = [
            key
            for key in self._keys
            if key.get("kty") == KEY_TYPES.get(algorithm)
            and key.get("use", "sig") == "sig"
            and key.get("alg", algorithm) == algorithm
            and (key_id is None or key.get("kid") == key_id)
        ]
        if len(usable) != 1:
            return None
        try:
            return PyJWK(usable[0], algorithm)
        except jwt.PyJWTError:
            return None

    async def _fetch(self, now: datetime) -> None:
        """Fetch the keys, unless that was tried a moment ago; concurrent callers share one request."""
        if self._fetching is None:
            if self._tried_at is not None and now - self._tried_at < PAUSE:
                return
            self._tried_at = now
            self._fetching = asyncio.create_task(self._load(now))
        # A client that goes away must not cancel the request that the others wait for.
        await asyncio.shield(self._fetching)

    async def _load(self, now: datetime) -> None:
        try:
            async with asyncio.timeout(2 * TIMEOUT_SECONDS):  # whoever waits does so no longer than this
                answer = json.loads(await asyncio.to_thread(download, self._url))
            self._keys = [key for key in answer["keys"] if isinstance(key, dict)]
            self._fetched_at = now
        except (OSError, HTTPException, ValueError, KeyError, TypeError, RecursionError) as error:
            log.warning("issuer_keys_unavailable", error=type(error).__name__)
        finally:
            self._fetching = None


class _NoRedirects(HTTPRedirectHandler):
    """The address in the settings is the one that is trusted, and not where it sends us."""

    def redirect_request(self, *_: Any) -> None:
        """Follow none: the redirect is an error."""


def download(url: str) -> bytes:
    """What is at an address. Blocks.

    Raises OSError, for a redirect too, HTTPException, and ValueError if it is too large.
    """
    ends_at = time.monotonic() + TIMEOUT_SECONDS
    request = Request(url, headers={"Accept": "application/json"})  # noqa: S310  the settings accept no other schemes
    try:
        # What is on this machine is asked for without TLS, and must not go through a proxy.
        direct = [ProxyHandler({})] if is_loopback(urlsplit(url).hostname or "") else []
        with build_opener(_NoRedirects, *direct).open(request, timeout=TIMEOUT_SECONDS) as answer:
            body = bytearray()
            while part := answer.read1(65_536):
                body += part
                if len(body) > MOST_BYTES:
                    raise ValueError("the answer is too large")
                if time.monotonic() > ends_at:
                    raise TimeoutError("the answer takes too long")
            return bytes(body)
    except HTTPError as error:
        error.close()
        raise
