"""Authentication as the rest of the program sees it: verifying tokens, login, refresh and logout."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import Row, select, update

from memberstaff import origin
from memberstaff.access import Caller, Right, Role, role_of
from memberstaff.accounts import directory, login_limits, rotation, sessions
from memberstaff.accounts.emails import folded
from memberstaff.accounts.known_devices import KnownDevices
from memberstaff.accounts.login_limits import Source
from memberstaff.accounts.oidc import OIDCTokens
from memberstaff.accounts.passwords import PasswordHash, Passwords
from memberstaff.accounts.refresh_tokens import RefreshTokens
from memberstaff.accounts.sessions import Lifetime, Session
from memberstaff.accounts.tokens import AccessTokens, Claims, issuer
from memberstaff.db.audit import count_refused
from memberstaff.db.database import Database
from memberstaff.db.tables import account, session
from memberstaff.db.work import Work
from memberstaff.errors import ErrorCode, RateLimited, Refusal, Unauthenticated, Unavailable
from memberstaff.settings import Settings


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """The tokens from a login or a refresh. `expires_at` is that of the access token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    refresh_seconds: int
    """How long the refresh token is valid."""
    expires_at: datetime
    caller: Caller
    account_id: int
    email: str | None = field(repr=False)
    device: str | None = field(default=None, repr=False)
    """After a login or a change of password: the cookie by which this device is known from now on."""


class Accounts:
    """Logs people in and out, and verifies tokens. One for each process.

    Raises InvalidSettings without a secret key.
    """

    def __init__(self, settings: Settings, database: Database, *, passwords: Passwords | None = None) -> None:
        self._settings = settings
        self._database = database
        self._passwords = passwords or Passwords()
        self._access_tokens = AccessTokens(settings.keyring, cached=settings.token_cache_tokens)
        self._refresh_tokens = RefreshTokens(settings.keyring)
        self._devices = KnownDevices(settings.keyring)
        self._oidc = OIDCTokens.of(settings, database)

    async def claims(self, token: str | None) -> Claims:
        """The claims of a token, verified: one of ours, or of the identity provider in the settings.

        Raises Unauthenticated without a token and NoAccess for a bad one; for the identity provider's, also
        Forbidden (no role here) and IssuerUnreachable.
        """
        if not token:
            raise Unauthenticated
        if self._oidc is not None and issuer(token) == self._oidc.issuer:
            return await self._oidc.claims(token)
        return self._access_tokens.read(token, now=self._database.now())

    async def login(self, email: str, password: str, address: str, device: str | None = None) -> IssuedSession:
        """Open a session. Raises RateLimited, and the same Refusal whatever was wrong.

        `device` is the cookie of a device in which somebody has logged in before.
        """
        by_email = select(account).where(account.c.email == folded(email))
        async with self._database.read() as reading:
            row = await reading.row(by_email)
        known = self._devices.known(device, row.id, row.password_hash) if row is not None else None
        source = Source(folded(email), address, f"device {known}" if known is not None else None)
        attempt = _Attempt(source, row.id if row is not None else None, known, device)
        # Committed before the password is checked: an attempt counts whatever its outcome.
        await self._take(attempt)
        issued = await self._open(row, password, attempt)
        if issued is None:  # changed since, perhaps only by another login that strengthened its hash
            async with self._database.read() as reading:
                row = await reading.row(by_email)
            issued = await self._open(row, password, attempt)
        if issued is None:
            raise await self._refused("login_failed", attempt, _bad_credentials())
        return issued

    async def _take(self, attempt: _Attempt) -> None:
        """Count an attempt. Raises RateLimited."""
        try:
            async with self._database.write() as work:
                await login_limits.take_login(work, self._settings, attempt.source)
        except RateLimited as limited:
            raise await self._refused("rate_limited", attempt, limited) from None

    async def _refused(self, action: str, attempt: _Attempt, error: _Error) -> _Error:
        """The error, once the audit log has the attempt."""
        async with self._database.write() as work:
            await count_refused(
                work,
                action,
                account_id=attempt.account_id,
                address=attempt.source.address,
                device=attempt.known,
            )
        return error

    async def _open(self, row: Row[Any] | None, password: str, attempt: _Attempt) -> IssuedSession | None:
        """A session for the account in this row; None if the row has changed since it was read."""
        stored = row.password_hash if row is not None and row.disabled_at is None else None
        verdict = await self._passwords.verify(stored, password, stranger=attempt.source.familiar is None)
        if row is None or stored is None or not verdict.right:
            raise await self._refused("login_failed", attempt, _bad_credentials())
        current = verdict.rehashed or stored
        async with self._database.write() as work:
            opened = await sessions.open_session(work, row.id, verified=stored, lifetime=self._lifetime)
            if opened is None:
                return None
            work.caller, work.device = opened.caller, attempt.known
            if verdict.rehashed is not None:
                this_account = account.c.id == row.id
                await work.write(update(account).where(this_account).values(password_hash=current))
            token = await self._first_token(work, opened)
            await work.audit("account", row.id, "login", _of(opened.caller.session_id))
            await login_limits.give_back(work, self._settings, attempt.source)
            issued = self._issue(opened, token, now=work.now)
        return replace(issued, device=self._devices.remember(attempt.cookie, row.id, current))

    async def refresh(self, refresh_token: str, device: str | None = None) -> IssuedSession:
        """Extend a session, and exchange its refresh token for new tokens. `device`: as for a login.

        Raises RateLimited, and Refusal if the token is not valid. A made-up token costs no query.
        """
        session_id = self._refresh_tokens.session_of(refresh_token)
        if session_id is None:
            raise _bad_refresh_token()
        try:
            opened, successor, now = await self._rotate(refresh_token, session_id, device)
        except RateLimited:
            of_session = select(session.c.account_id).where(session.c.id == session_id)
            with suppress(Unavailable):
                async with self._database.write() as work:
                    await count_refused(
                        work,
                        "rate_limited",
                        account_id=await work.scalar(of_session),
                        address=origin.current().address or "",
                        device=self.device_of(device),
                    )
            raise
        return self._issue(opened, successor, now=now)

    async def _rotate(self, refresh_token: str, session_id: str, device: str | None) -> tuple[Session, str, datetime]:
        async with self._database.write() as work:
            work.device = self.device_of(device)
            await login_limits.take_refresh(work, self._settings, session_id=session_id)
            rotated = await rotation.rotate(
                work,
                self._refresh_tokens,
                refresh_token,
                lifetime=self._lifetime,
                grace_seconds=self._settings.refresh_grace_seconds,
            )
            now = work.now
        if rotated is None:
            raise _bad_refresh_token()
        return *rotated, now

    async def is_of_session(self, refresh_token: str, token: str | None) -> bool:
        """Whether a refresh token, used or not, is of the access token's session. Raises as `claims` does."""
        return self.session_of(refresh_token) == (await self.claims(token)).session_id

    def session_of(self, refresh_token: str) -> str | None:
        """The session of a refresh token that we ever signed; None for any other string. Asks no database."""
        return self._refresh_tokens.session_of(refresh_token)

    def session_named_by(self, access_token: str) -> str | None:
        """The session of an access token that we signed, expired or not; None for any other string."""
        return self._access_tokens.session_of(access_token)

    def device_of(self, cookie: str | None) -> str | None:
        """The id of a device in which somebody has logged in; None for a cookie that is not ours. Asks no database."""
        return self._devices.device(cookie)

    async def logout(self, token: str | None, refresh_token: str | None = None, device: str | None = None) -> None:
        """End the session of an access token, of a refresh token, or of both, on every node.

        Raises Unauthenticated if neither names a session: a refresh token of ours always does.
        """
        named = self._refresh_tokens.session_of(refresh_token or "")
        ending = {named} if named is not None else set()
        try:
            claims = await self.claims(token)
            async with self._database.read() as reading:
                ending.add((await sessions.identify(reading, claims)).session_id)
        except Unauthenticated:
            if named is None:
                raise
        async with self._database.write() as work:
            work.device = self.device_of(device)
            for session_id in sorted(ending):
                # Locked, so that COMMIT waits for a synchronous standby also when the session has ended already.
                found = sessions.states().where(session.c.id == session_id)
                row = await work.row(found.with_for_update(of=session, key_share=True))
                if await sessions.end_session(work, session_id) and row is not None:
                    # What follows needs no right, and a role of a later release gives none here.
                    role = role_of(row.role) or Role.VIEWER
                    work.caller = Caller(row.account_id, row.session_id, row.display_name, role)
                    await work.audit("account", row.account_id, "logout", _of(session_id))

    async def hashed(self, caller: Caller, password: str, *about: str | None) -> PasswordHash:
        """Hash a password that an administrator sets for somebody: an account with this email and name.

        Raises Forbidden and Refusal.
        """
        caller.require(Right.MANAGE_ACCOUNTS)  # hashing is expensive: nobody else may ask for it
        return await self._hash(password, *about)

    async def _hash(self, password: str, *about: str | None) -> PasswordHash:
        return await self._passwords.hash(password, (self._settings.organisation, *filter(None, about)))

    async def change_password(
        self, token: str | None, current: str, new: str, address: str, device: str | None = None
    ) -> IssuedSession:
        """Replace the caller's own password, end all of their sessions, and open another for the caller.

        Rate-limited like a login. Raises Unauthenticated, RateLimited, and Refusal.
        """
        claims = await self.claims(token)
        async with self._database.read() as reading:
            caller = reading.caller = await sessions.identify(reading, claims)
            row = await reading.row(select(account).where(account.c.id == caller.account_id))
        assert row is not None
        directory.refuse_external(row, "password", path="currentPassword")
        # Counted by session: whoever has one has logged in there.
        source = Source(row.email, address, f"session {caller.session_id}")
        attempt = _Attempt(source, row.id, self._devices.known(device, row.id, row.password_hash), device)
        await self._take(attempt)
        if not (await self._passwords.verify(row.password_hash, current, stranger=False)).right:
            raise await self._refused("password_change_failed", attempt, _wrong_password())
        try:
            hashed = await self._hash(new, row.email, row.display_name)
        except Refusal as refusal:
            refusal.path = ("newPassword",)
            raise
        async with self._database.write() as work:
            work.caller, work.device = await sessions.identify(work, claims), attempt.known
            await directory.change_own_password(work, hashed, verified=row.password_hash)
            opened = await sessions.open_session(work, row.id, verified=hashed, lifetime=self._lifetime)
            assert opened is not None  # the account is locked
            await work.audit("account", row.id, "login", _of(opened.caller.session_id))
            await login_limits.give_back(work, self._settings, source)
            issued = self._issue(opened, await self._first_token(work, opened), now=work.now)
        return replace(issued, device=self._devices.remember(device, row.id, hashed))

    async def _first_token(self, work: Work, opened: Session) -> str:
        return await rotation.issue_first(work, self._refresh_tokens, opened.caller.session_id)

    def _lifetime(self, role: Role) -> Lifetime:
        settings = self._settings
        idle, absolute = (
            (settings.display_token_seconds, settings.display_session_seconds)
            if role is Role.VIEWER
            else (settings.refresh_token_seconds, settings.session_seconds)
        )
        return Lifetime(timedelta(seconds=idle), timedelta(seconds=absolute))

    def _issue(self, opened: Session, refresh_token: str, *, now: datetime) -> IssuedSession:
        lifetime = timedelta(seconds=self._settings.access_token_seconds)
        expires_at = min(now + lifetime, opened.expires_at).replace(microsecond=0)
        claims = Claims(opened.caller.session_id, opened.account_id, expires_at)
        return IssuedSession(
            access_token=self._access_tokens.issue(claims, now=now),
            refresh_token=refresh_token,
            refresh_seconds=int((opened.expires_at - now).total_seconds()),
            expires_at=expires_at,
            caller=opened.caller,
            account_id=opened.account_id,
            email=opened.email,
        )


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An attempt to show that one knows an account's password."""

    source: Source
    account_id: int | None
    """None if there is no such account."""
    known: str | None
    """The id of the known device."""
    cookie: str | None
    """What the device sent."""


_Error = TypeVar("_Error", bound=Exception)


def _of(session_id: str) -> dict[str, str]:
    """The details of an entry about a session, so that a login, a logout and a theft can be put together."""
    return {"session": session_id}


def _bad_credentials() -> Refusal:
    return Refusal(ErrorCode.BAD_CREDENTIALS, "The email or the password is wrong.")


def _wrong_password() -> Refusal:
    return Refusal(ErrorCode.BAD_CREDENTIALS, "The current password is wrong.", "currentPassword")


def _bad_refresh_token() -> Refusal:
    message = "The session has ended. Log in again."
    return Refusal(ErrorCode.BAD_CREDENTIALS, message, "refreshToken")
