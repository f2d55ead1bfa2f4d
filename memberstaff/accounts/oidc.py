"""Tokens of an OpenID Connect identity provider, accepted beside our own."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt

from memberstaff.access import Role
from memberstaff.accounts.jwks import KEY_TYPES, IssuerKeys
from memberstaff.accounts.provisioning import Identity, provision
from memberstaff.accounts.tokens import LONGEST_TOKEN, Claims, NoAccess, NoAccessReason, instant
from memberstaff.db.database import Database
from memberstaff.errors import Forbidden, Refusal
from memberstaff.inputs import LONGEST_NAME, line
from memberstaff.settings import Settings

SKEW = timedelta(seconds=60)
"""How far the issuer's clock may be ahead of ours (`iat`, `nbf`)."""
LONGEST_LIFE = timedelta(days=7)
"""Of a token, from `iat` to `exp`: we keep for as long which sessions have ended."""
LONGEST_SUBJECT = 500

_OPTIONS: Any = {
    "require": ["exp", "iat", "aud", "iss", "sub"],
    "verify_exp": False,  # against the database's clock, below
    "verify_nbf": False,
    "verify_iat": False,
}


class OIDCTokens:
    """Verifies the identity provider's tokens, and gives their holders an account and a session."""

    def __init__(self, settings: Settings, database: Database, *, issuer: str, keys: IssuerKeys) -> None:
        self.issuer = issuer
        self._keys = keys
        self._settings = settings
        self._database = database
        self._cached = settings.token_cache_tokens
        self._cache: OrderedDict[bytes, Claims | None] = OrderedDict()
        """Verified tokens, so that a request costs neither a signature check nor a write; None: it names no role."""

    @classmethod
    def of(cls, settings: Settings, database: Database) -> OIDCTokens | None:
        """For the identity provider in the settings; None if there is none."""
        issuer, keys = settings.oidc_issuer, settings.oidc_jwks_url
        if issuer is None or keys is None:
            return None
        return cls(settings, database, issuer=issuer, keys=IssuerKeys(keys))

    async def claims(self, token: str) -> Claims:
        """The token's claims; afterwards its account and session exist.

        Raises NoAccess, Forbidden if the settings give its holder no role, and IssuerUnreachable.
        """
        now = self._database.now()
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        claims = self._cache[digest] if digest in self._cache else await self._first_seen(token, digest, now)
        if claims is None:
            raise Forbidden("Your account at the identity provider has no role here. Ask an administrator.")
        if claims.expires_at <= now:
            self._cache.pop(digest, None)
            raise NoAccess(NoAccessReason.TOKEN_EXPIRED)
        return claims

    async def _first_seen(self, token: str, digest: bytes, now: datetime) -> Claims | None:
        """The claims of a token that this process does not know yet; None if its user has no role here."""
        identity = self._identity(await self._verified(token, now), digest.hex(), now)
        async with self._database.write() as work:
            account_id = await provision(work, identity)
        claims = None
        if account_id is not None:
            claims = Claims(identity.session, account_id, identity.expires_at, identity.issued_at)
        # An older token may be good again once a newer one names a role.
        if claims is not None or identity.role is None:
            self._cache[digest] = claims
            if len(self._cache) > self._cached:
                self._cache.popitem(last=False)
        return claims

    async def _verified(self, token: str, now: datetime) -> Mapping[str, Any]:
        """The payload of a token that the issuer has signed for us. Raises NoAccess, IssuerUnreachable."""
        try:
            if len(token) > LONGEST_TOKEN:
                raise NoAccess(NoAccessReason.TOKEN_INVALID)
            header = jwt.get_unverified_header(token)
            algorithm, key_id = header.get("alg"), header.get("kid")
            if not isinstance(algorithm, str) or algorithm not in KEY_TYPES:
                raise NoAccess(NoAccessReason.TOKEN_INVALID)
            key = await self._keys.find(key_id, algorithm, now=now)
            if key is None:
                raise NoAccess(NoAccessReason.TOKEN_INVALID)
            payload: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(KEY_TYPES),
                issuer=self.issuer,
                audience=self._settings.oidc_audience,
                options=_OPTIONS,
            )
            return payload
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise NoAccess(NoAccessReason.TOKEN_INVALID) from None

    def _identity(self, payload: Mapping[str, Any], digest: str, now: datetime) -> Identity:
        expires_at = instant(payload["exp"])
        if expires_at <= now:
            raise NoAccess(NoAccessReason.TOKEN_EXPIRED)
        issued_at = instant(payload["iat"])
        if expires_at - issued_at > LONGEST_LIFE:
            raise NoAccess(NoAccessReason.TOKEN_INVALID)
        # One from the future would be the newest for ever, whatever its issuer says after it.
        if issued_at > now + SKEW or ("nbf" in payload and instant(payload["nbf"]) > now + SKEW):
            raise NoAccess(NoAccessReason.TOKEN_INVALID)
        subject: str = payload["sub"]
        if len(subject) > LONGEST_SUBJECT or _storable(subject, LONGEST_SUBJECT) != subject:
            raise NoAccess(NoAccessReason.TOKEN_INVALID)  # never truncated or normalised: that could be somebody else's
        names = (_storable(payload.get(claim), LONGEST_NAME) for claim in ("name", "email"))
        handles = (payload.get(claim) for claim in ("sid", "jti"))
        handle = next((handle for handle in handles if isinstance(handle, str) and handle), digest)
        session = f"{self.issuer}\0{subject}\0{handle}".encode("utf-8", "surrogatepass")
        return Identity(
            issuer=self.issuer,
            subject=subject,
            display_name=next((name for name in names if name), subject[:LONGEST_NAME]),
            role=self._role(claim_at(payload, self._settings.oidc_role_claim)),
            # Hashed, so that the issuer's session ids are never too long, nor taken for one of ours.
            session=sha256(session).hexdigest(),
            issued_at=issued_at,
            expires_at=expires_at,
        )

    def _role(self, claim: object) -> Role | None:
        """The highest role that the claim, a value or a list of them, maps to; None if it maps to none."""
        role_of = self._settings.oidc_roles
        values = claim if isinstance(claim, list) else [claim]
        roles = {Role(role_of[value]) for value in values if isinstance(value, str) and value in role_of}
        return next((role for role in (Role.ADMIN, Role.MARKER, Role.VIEWER) if role in roles), None)


def claim_at(claims: object, name: str) -> object:
    """The claim with exactly this name, or else the one at this dotted path; None if there is neither."""
    if not isinstance(claims, dict):
        return None
    if name in claims:
        return claims[name]
    first, dot, rest = name.partition(".")
    return claim_at(claims.get(first), rest) if dot else None


def _storable(value: object, longest: int) -> str | None:
    """The claim as one line of text that can be stored; None if it cannot."""
    if not isinstance(value, str):
        return None
    try:
        return line(value[:longest], longest=longest, what="The claim", path="")
    except Refusal:
        return None
