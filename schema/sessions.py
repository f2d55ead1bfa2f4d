"""Logging in and out, and who is logged in."""

from __future__ import annotations

import datetime as dt

import strawberry

from memberstaff.access import Caller, Role
from memberstaff.accounts.service import IssuedSession
from memberstaff.db.clock import today
from memberstaff.engine.limits import ONCE
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.server.connection import Connection
from memberstaff.server.session_cookie import SessionCookie
from schema.context import Info
from schema.ids import global_id
from schema.payloads import InputError, UserError
from schema.relay import Node


@strawberry.type(description="Whoever is logged in.")
class Viewer(Node):
    """The caller, as the account's row says."""

    display_name: str = strawberry.field(description="The name that stands beside what this account marks.")
    role: Role = strawberry.field(description="What this account may do.")
    time_zone: str = strawberry.field(
        description="IANA name of the organisation's time zone, which decides what today is."
    )
    organisation: str = strawberry.field(description="Its name.")
    today: dt.date = strawberry.field(description="In the organisation's time zone.")

    @classmethod
    def of(cls, info: Info, caller: Caller) -> Viewer:
        """For a caller."""
        settings, now = info.context.application.settings, info.context.application.database.now()
        return cls(
            id=global_id("Viewer", caller.account_id),
            display_name=caller.display_name,
            role=caller.role,
            time_zone=settings.time_zone,
            organisation=settings.organisation,
            today=today(now, settings.zone),
        )


@strawberry.input(description="What a person types to log in.")
class LoginInput:
    """Neither field is ever logged."""

    email: str = strawberry.field(description="The account's email address; upper and lower case are the same.")
    password: str = strawberry.field(description="At most 256 bytes in UTF-8.")
    cookie: bool = strawberry.field(
        default=False,
        description=(
            "Keep the refresh token in an HttpOnly cookie of this browser instead of answering it. "
            "Over HTTP only, for pages of this server."
        ),
    )


@strawberry.input(description="What a client sends when its access token is about to expire.")
class RefreshSessionInput:
    """The token is never logged."""

    refresh_token: str | None = strawberry.field(
        default=None,
        description="The one that the last login or refresh has answered. Null: the one in the browser's cookie.",
    )


@strawberry.type(description="The tokens of an open session, or why there is none.")
class SessionPayload:
    """What a login or a refresh answers."""

    access_token: str | None = strawberry.field(
        default=None,
        description="Send it as `Authorization: Bearer …`, and in `connection_init` of a socket.",
    )
    refresh_token: str | None = strawberry.field(
        default=None,
        description=(
            "Good for one refreshSession; used again after its successor was used, it ends the session. "
            "Null when a cookie keeps it."
        ),
    )
    expires_at: dt.datetime | None = strawberry.field(default=None, description="When the access token expires.")
    viewer: Viewer | None = strawberry.field(default=None, description="Who is logged in now.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="BAD_CREDENTIALS, whatever was wrong with them."
    )

    @classmethod
    def of(cls, info: Info, issued: IssuedSession, cookie: SessionCookie | None) -> SessionPayload:
        """For a login or a refresh; with a cookie, the refresh token goes there and nowhere else."""
        if cookie is not None:
            cookie.set(issued.refresh_token, max_age=issued.refresh_seconds)
        return cls(
            access_token=issued.access_token,
            refresh_token=None if cookie is not None else issued.refresh_token,
            expires_at=issued.expires_at,
            viewer=Viewer.of(info, issued.caller),
        )


@strawberry.type(description="The session has ended.")
class LogoutPayload:
    """What a logout answers."""

    errors: list[UserError] = strawberry.field(default_factory=list, description="None: a logout is not refused.")


@strawberry.type
class SessionsQuery:
    """Who is asking."""

    @strawberry.field(description="Whoever is logged in; null when no access token was sent.")
    async def viewer(self, info: Info) -> Viewer | None:
        """A token that was sent and is not good is an error, not nobody."""
        if not info.context.connection.authorization:
            return None
        return Viewer.of(info, await info.context.caller())


@strawberry.type
class SessionsMutation:
    """Open, prolong and end a session. Login and refresh look at no access token; it may be stale."""

    @strawberry.mutation(
        description="Open a session with an email address and a password. RATE_LIMITED after a few attempts.",
        metadata={ONCE: True},
    )
    async def login(self, info: Info, input: LoginInput) -> SessionPayload:
        """Counted, checked, and answered alike whatever is wrong."""
        accounts, connection = info.context.application.accounts, info.context.connection
        try:
            cookie = _cookie(connection, "cookie") if input.cookie else None
            issued = await accounts.login(input.email, input.password, connection.address)
        except Refusal as refusal:
            return SessionPayload(errors=[InputError.of(refusal)])
        return SessionPayload.of(info, issued, cookie)

    @strawberry.mutation(
        description="Exchange a refresh token, which is then used up, for new tokens; the session lives on."
    )
    async def refresh_session(self, info: Info, input: RefreshSessionInput) -> SessionPayload:
        """The token is the only credential."""
        accounts, connection = info.context.application.accounts, info.context.connection
        cookie = None
        try:
            if (token := input.refresh_token) is None:
                cookie = _cookie(connection, "refreshToken")
                token = cookie.token or ""
            issued = await accounts.refresh(token)
        except Refusal as refusal:
            if cookie is not None and cookie.token is not None:
                cookie.clear()
            return SessionPayload(errors=[InputError.of(refusal)])
        return SessionPayload.of(info, issued, cookie)

    @strawberry.mutation(
        description="End the session on every node; its open sockets close. The access token or the cookie is enough."
    )
    async def logout(self, info: Info) -> LogoutPayload:
        """Of the session that the access token names, and of the cookie's."""
        accounts, connection = info.context.application.accounts, info.context.connection
        kept = connection.cookie.token if connection.cookie is not None else None
        if connection.cookie is not None and kept is not None:
            connection.cookie.clear()
        await accounts.logout(connection.authorization, kept)
        return LogoutPayload()


def _cookie(connection: Connection, path: str) -> SessionCookie:
    """The browser's cookie, to be read and set; raises Refusal."""
    if connection.cookie is None:
        message = "The session cookie needs a plain HTTP request from a page of this server. Use refresh tokens."
        raise Refusal(ErrorCode.INVALID, message, path)
    return connection.cookie
