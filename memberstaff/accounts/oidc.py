"""Tokens of an outside OpenID Connect issuer, which are accepted beside our own: verified, and read."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

import jwt

from memberstaff.access import Role
from memberstaff.accounts import sessions
from memberstaff.accounts.jwks import FAMILIES, IssuerKeys
from memberstaff.accounts.provisioning import Identity, admit
from memberstaff.accounts.tokens import LONGEST_TOKEN, Claims, NoAccess, Why, instant
from memberstaff.db.work import Database
from memberstaff.errors import Forbidden, Refusal
from memberstaff.inputs import LONGEST_NAME, line
from memberstaff.settings import Settings

KEPT = 4_096
"""Verified tokens remembered by one process, so that a request costs neither a signature nor a write."""
SKEW = timedelta(seconds=60)
"""How far the issuer's clock may run ahead of ours: a token that is good from now on is good."""
LONGEST_SUBJECT = 500

_OPTIONS: Any = {
    "require": ["exp", "aud", "iss", "sub"],
    "verify_exp": False,  # against the database's clock, below
    "verify_nbf": False,
    "verify_iat": False,
}


class OutsideIdentities:
    """Tells who a token of the outside issuer stands for."""

    def __init__(self, settings: Settings, database: Database, *, issuer: str, keys: IssuerKeys) -> None:
        self.issuer = issuer
        self._keys = keys
        self._settings = settings
        self._database = database
        self._seen: OrderedDict[bytes, Claims] = OrderedDict()

    @classmethod
    def of(cls, settings: Settings, database: Database) -> OutsideIdentities | None:
        """The issuer of the settings, if they name one."""
        issuer, keys = settings.oidc_issuer, settings.oidc_jwks_url
        if issuer is None or keys is None:
            return None
        return cls(settings, database, issuer=issuer, keys=IssuerKeys(keys))

    async def claims(self, token: str) -> Claims:
        """What the token says; its account and session exist afterwards.

        Raises NoAccess, Forbidden when the settings give its holder no role, and IssuerUnreachable.
        """
        now = self._database.now()
        digest = sha256(token.encode("utf-8", "surrogatepass")).digest()
        seen = self._seen.get(digest)
        if seen is None:
            identity = self._identity(await self._verified(token, now), digest.hex(), now)
            async with self._database.write() as work:
                account_id = await admit(work, identity)
                await sessions.prune(work)
            seen = Claims(identity.session, account_id, identity.expires_at, identity.issued_at)
            self._seen[digest] = seen
            if len(self._seen) > KEPT:
                self._seen.popitem(last=False)
        if seen.expires_at <= now:
            self._seen.pop(digest, None)
            raise NoAccess(Why.TOKEN_EXPIRED)
        return seen

    async def _verified(self, token: str, now: datetime) -> Mapping[str, Any]:
        """The claims of a token that the issuer has signed for us. Raises NoAccess, IssuerUnreachable."""
        try:
            if len(token) > LONGEST_TOKEN:
                raise NoAccess(Why.TOKEN_INVALID)
            header = jwt.get_unverified_header(token)
            algorithm, key_id = header.get("alg"), header.get("kid")
            if not isinstance(algorithm, str) or algorithm not in FAMILIES:
                raise NoAccess(Why.TOKEN_INVALID)
            key = await self._keys.find(key_id, algorithm, now=now)
            if key is None:
                raise NoAccess(Why.TOKEN_INVALID)
            said: Mapping[str, Any] = jwt.decode(
                token,
                key,
                algorithms=list(FAMILIES),
                issuer=self.issuer,
                audience=self._settings.oidc_audience,
                options=_OPTIONS,
            )
            return said
        except (jwt.PyJWTError, ValueError, RecursionError):
            raise NoAccess(Why.TOKEN_INVALID) from None

    def _identity(self, said: Mapping[str, Any], digest: str, now: datetime) -> Identity:
        expires_at = instant(said["exp"])
        if expires_at <= now:
            raise NoAccess(Why.TOKEN_EXPIRED)
        if "nbf" in said and instant(said["nbf"]) > now + SKEW:
            raise NoAccess(Why.TOKEN_INVALID)
        subject: str = said["sub"]
        if len(subject) > LONGEST_SUBJECT or _storable(subject, LONGEST_SUBJECT) != subject:
            raise NoAccess(Why.TOKEN_INVALID)  # never shortened or tidied: it would be somebody else's
        names = (_storable(said.get(claim), LONGEST_NAME) for claim in ("name", "email"))
        handles = (said.get(claim) for claim in ("sid", "jti"))
        handle = next((handle for handle in handles if isinstance(handle, str) and handle), digest)
        named = f"{self.issuer}\0{subject}\0{handle}".encode("utf-8", "surrogatepass")
        return Identity(
            issuer=self.issuer,
            subject=subject,
            display_name=next((name for name in names if name), subject[:LONGEST_NAME]),
            role=self._role(said.get(self._settings.oidc_role_claim)),
            # Hashed, so that the issuer's names can be neither too long nor taken for one of ours.
            session=sha256(named).hexdigest(),
            issued_at=instant(said["iat"]) if "iat" in said else None,
            expires_at=expires_at,
        )

    def _role(self, claim: object) -> Role:
        """The highest role that the claim, a value or a list of them, maps to. Raises Forbidden."""
        known = self._settings.oidc_roles
        said = claim if isinstance(claim, list) else [claim]
        roles = {Role(known[value]) for value in said if isinstance(value, str) and value in known}
        for role in (Role.ADMIN, Role.MARKER, Role.VIEWER):
            if role in roles:
                return role
        raise Forbidden("Your account at the identity provider has no role here: ask an administrator.")


def _storable(value: object, longest: int) -> str | None:
    """The claim as one line of text that a database keeps; None when it is none."""
    if not isinstance(value, str):
        return None
    try:
        return line(value[:longest], longest=longest, what="The claim", path="")
    except Refusal:
        return None
