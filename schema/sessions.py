"""Login, refresh and logout; and the viewer."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry

from memberstaff.access import Caller, Role
from memberstaff.accounts.service import IssuedSession
from memberstaff.db.clock import today
from memberstaff.engine.limits import ONCE
from memberstaff.errors import ErrorCode, Refusal
from memberstaff.server.connection import Connection
from memberstaff.server.session_cookie import SessionCookie

from .context import Info
from .ids import global_id
from .payloads import ONE_ERROR, InputError, UserError
from .relay import Node


@strawberry.type(
    description=(
        "Whoever is logged in, and what they need to know of the organisation. Not live: `today` changes at midnight "
        "in the time zone, and the name and the role when an ADMIN changes them. Ask again then."
    )
)
class Viewer(Node):
    """See `Caller`."""

    account_id: strawberry.ID = strawberry.field(
        description="Id of your Account, which an ADMIN meets in `accounts`, in the audit log and beside marks."
    )
    display_name: str = strawberry.field(description="Shown next to the marks made by this account.")
    role: Role = strawberry.field(description="What the account may do.")
    time_zone: str = strawberry.field(
        description="IANA name of the organisation's time zone, which decides what day is today."
    )
    organisation: str = strawberry.field(description="The organisation's name.")
    today: dt.date = strawberry.field(description="Today in the organisation's time zone.")
    correction_days: int = strawberry.field(description="How many days before today a MARKER may mark, too.")

    @classmethod
    def of(cls, info: Info, caller: Caller) -> Viewer:
        """From the domain's caller."""
        settings, now = info.context.application.settings, info.context.application.database.now()
        return cls(
            id=global_id("Viewer", caller.account_id),
            account_id=global_id("Account", caller.account_id),
            display_name=caller.display_name,
            role=caller.role,
            time_zone=settings.time_zone,
            organisation=settings.organisation,
            today=today(now, settings.zone),
            correction_days=settings.correction_days,
        )


@strawberry.input(description="Credentials.")
class LoginInput:
    """Never logged."""

    email: str = strawberry.field(description="The account's email address; not case-sensitive.")
    password: str = strawberry.field(description="At most 256 bytes in UTF-8.")
    cookie: bool = strawberry.field(
        default=False,
        description=(
            "Set the refresh token as an HttpOnly cookie instead of returning it, and another by which this device is "
            "known: wrong attempts elsewhere do not lock it out. Over HTTP only, for pages of this server."
        ),
    )


@strawberry.input(description="A refresh token, to be sent before the access token expires.")
class RefreshSessionInput:
    """Never logged."""

    refresh_token: str | None = strawberry.field(
        default=None,
        description="The token from the last login or refresh. Default: the one in the browser's cookie.",
    )


@strawberry.type(description="The tokens of a session, or why there is none.")
class SessionPayload:
    """Returned by login and refreshSession."""

    access_token: str | None = strawberry.field(
        default=None,
        description="Send it as `Authorization: Bearer …`, and in the `connection_init` of a socket.",
    )
    refresh_token: str | None = strawberry.field(
        default=None,
        description=(
            "Valid for one refreshSession, which can be repeated if its answer was lost. Using one that was replaced "
            "ends the session. Null when it is in a cookie."
        ),
    )
    expires_at: dt.datetime | None = strawberry.field(default=None, description="When the access token expires.")
    viewer: Viewer | None = strawberry.field(default=None, description="Who is logged in now; null if refused.")
    errors: list[UserError] = strawberry.field(
        default_factory=list,
        description="Empty on success. BAD_CREDENTIALS, whichever of them was wrong.",
        metadata=ONE_ERROR,
    )

    @classmethod
    def of(cls, info: Info, issued: IssuedSession, cookie: SessionCookie | None) -> SessionPayload:
        """For an issued session; with a cookie, the refresh token is set there and not returned."""
        if cookie is not None:
            cookie.set(issued.refresh_token, max_age=issued.refresh_seconds)
        return cls(
            access_token=issued.access_token,
            refresh_token=None if cookie is not None else issued.refresh_token,
            expires_at=issued.expires_at,
            viewer=Viewer.of(info, issued.caller),
        )


@strawberry.type(description="The result of a logout.")
class LogoutPayload:
    """Returned by logout."""

    errors: list[UserError] = strawberry.field(default_factory=list, description="Always empty.", metadata=ONE_ERROR)


@strawberry.type
class SessionsQuery:
    """Root fields about the session."""

    @strawberry.field(description="Whoever is logged in; null if no access token was sent.")
    async def viewer(self, info: Info) -> Viewer | None:
        """Null without a token; an invalid token is an error."""
        if not info.context.connection.authorization:
            return None
        return Viewer.of(info, await info.context.caller())


@strawberry.type
class SessionsMutation:
    """Root fields about the session. Login and refresh ignore the access token, which may have expired."""

    @strawberry.mutation(
        description="Log in with an email address and a password. RATE_LIMITED after a few attempts.",
        metadata={ONCE: True},
    )
    async def login(
        self, info: Info, input: Annotated[LoginInput, strawberry.argument(description="Who, and their password.")]
    ) -> SessionPayload | None:
        """The error does not reveal whether the account exists."""
        accounts, connection = info.context.application.accounts, info.context.connection
        try:
            cookie = _cookie(connection, "cookie") if input.cookie else None
            device = connection.device
            issued = await accounts.login(input.email, input.password, connection.address, connection.device_value)
        except Refusal as refusal:
            return SessionPayload(errors=[InputError.of(refusal)])
        if input.cookie and device is not None and issued.device is not None:
            device.set(issued.device)
        return SessionPayload.of(info, issued, cookie)

    @strawberry.mutation(
        description="Exchange a refresh token, which can be used once, for new tokens of the same session."
    )
    async def refresh_session(
        self,
        info: Info,
        input: Annotated[
            RefreshSessionInput, strawberry.argument(description="The token; {} if it is in the browser's cookie.")
        ],
    ) -> SessionPayload | None:
        accounts, connection = info.context.application.accounts, info.context.connection
        cookie = None
        try:
            if (token := input.refresh_token) is None:
                cookie = _cookie(connection, "refreshToken")
                token = cookie.token or ""
            issued = await accounts.refresh(token, connection.device_value)
        except Refusal as refusal:
            if cookie is not None and cookie.token is not None:
                cookie.clear()
            return SessionPayload(errors=[InputError.of(refusal)])
        return SessionPayload.of(info, issued, cookie)

    @strawberry.mutation(
        description="End the session and close its sockets, on every node. Needs the access token or the cookie."
    )
    async def logout(self, info: Info) -> LogoutPayload | None:
        """Ends the access token's session and the cookie's."""
        accounts, connection = info.context.application.accounts, info.context.connection
        cookie_token = connection.cookie.token if connection.cookie is not None else None
        if connection.cookie is not None and cookie_token is not None:
            connection.cookie.clear()
        await accounts.logout(connection.authorization, cookie_token, connection.device_value)
        return LogoutPayload()


def _cookie(connection: Connection, path: str) -> SessionCookie:
    """The request's cookie, to be read and set; raises Refusal."""
    if connection.cookie is None:
        message = "The session cookie needs an HTTP request from a page of this server. Elsewhere, log in without it."
        raise Refusal(ErrorCode.INVALID, message, path)
    if connection.cookie.ambiguous:
        message = "There are two session cookies, so neither is used. Delete this site's cookies, then log in again."
        raise Refusal(ErrorCode.INVALID, message, path)
    return connection.cookie
