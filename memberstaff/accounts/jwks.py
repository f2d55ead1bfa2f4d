"""The public keys of an outside issuer: fetched from its JWKS address, cached, and refetched seldom.

Whoever sends a made-up key id makes us look for it at the issuer, so that is done once in half a minute at
most, whatever is sent.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Any

import jwt
import structlog
from jwt import PyJWK, PyJWKClient

from memberstaff.errors import RequestError, RequestErrorCode

log = structlog.get_logger(__name__)

FAMILIES = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), "RSA"),
    **dict.fromkeys(("ES256", "ES384", "ES512"), "EC"),
    "EdDSA": "OKP",
}
"""The algorithms that are accepted, and the kind of key each needs. None is symmetric: an issuer's keys are
public, so a signature made with one as a shared secret would be anybody's."""
FRESH = timedelta(hours=1)
"""How long fetched keys are used without a look whether the issuer has withdrawn one."""
STALE = timedelta(hours=24)
"""How long they are used while the issuer cannot be reached."""
PAUSE = timedelta(seconds=30)
"""Between two fetches, whether they succeed or not."""
TIMEOUT_SECONDS = 5


class IssuerUnreachable(RequestError):
    """The issuer's keys cannot be had at the moment, so its tokens can be neither accepted nor refused."""

    def __init__(self) -> None:
        super().__init__(RequestErrorCode.INTERNAL, "The identity provider cannot be reached. Try again in a moment.")


class IssuerKeys:
    """The keys behind one JWKS address."""

    def __init__(self, address: str) -> None:
        self._client = PyJWKClient(address, cache_jwk_set=False, timeout=TIMEOUT_SECONDS)
        self._asking: asyncio.Task[None] | None = None
        self._keys: list[dict[str, Any]] = []
        self._fetched_at: datetime | None = None
        self._tried_at: datetime | None = None

    async def find(self, key_id: str | None, algorithm: str, *, now: datetime) -> PyJWK | None:
        """The key that a token's header names, if it may be used so. Raises IssuerUnreachable.

        A token without a key id needs an issuer that has a single such key.
        """
        known = self._matching(key_id, algorithm)
        if known is None or (self._is_due(now) and self._asking is None):
            await self._fetch(now)
        if self._fetched_at is None or now - self._fetched_at >= STALE:
            raise IssuerUnreachable
        return self._matching(key_id, algorithm)

    def _is_due(self, now: datetime) -> bool:
        return self._fetched_at is None or now - self._fetched_at >= FRESH

    def _matching(self, key_id: str | None, algorithm: str) -> PyJWK | None:
        usable = [
            key
            for key in self._keys
            if key.get("kty") == FAMILIES.get(algorithm)
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
        """Ask the issuer, unless that was done a moment ago; those who come meanwhile wait for the answer."""
        if self._asking is None:
            if self._tried_at is not None and now - self._tried_at < PAUSE:
                return
            self._tried_at = now
            self._asking = asyncio.create_task(self._ask(now))
        # A client that goes away must not take the answer with it that the others wait for.
        await asyncio.shield(self._asking)

    async def _ask(self, now: datetime) -> None:
        try:
            answer = await asyncio.get_running_loop().run_in_executor(None, self._client.fetch_data)
            self._keys = [key for key in answer["keys"] if isinstance(key, dict)]
            self._fetched_at = now
        except (jwt.PyJWTError, OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            log.warning("issuer_keys_unavailable", error=type(error).__name__)
        finally:
            self._asking = None
