"""Logging in and out, and who is logged in."""

from __future__ import annotations

from collections.abc import Awaitable
from datetime import datetime

import strawberry

from memberstaff.access import Caller, Role
from memberstaff.accounts import sessions
from memberstaff.accounts.service import IssuedSession
from memberstaff.errors import Refusal
from schema.context import Info
from schema.ids import global_id
from schema.node import Node
from schema.payloads import InputError, UserError

RoleEnum = strawberry.enum(
    Role,
    name="Role",
    description=(
        "What an account is for. ADMIN does everything; MARKER marks today and reads; VIEWER reads the board "
        "without notes."
    ),
)


@strawberry.type(description="Whoever is logged in.")
class Viewer(Node):
    """The caller, as the account's row says."""

    display_name: str = strawberry.field(description="The name that stands beside what this account marks.")
    role: RoleEnum = strawberry.field(description="What this account may do.")  # type: ignore[valid-type]
    time_zone: str = strawberry.field(
        description="IANA name of the organisation's time zone, which decides what today is."
    )

    @classmethod
    def of(cls, info: Info, caller: Caller) -> Viewer:
        """For a caller."""
        return cls(
            id=global_id("Viewer", caller.account_id),
            display_name=caller.display_name,
            role=caller.role,
            time_zone=info.context.application.settings.time_zone,
        )


@strawberry.input(description="What a person types to log in.")
class LoginInput:
    """Neither field is ever logged."""

    email: str = strawberry.field(description="The account's email address; upper and lower case are the same.")
    password: str = strawberry.field(description="At most 256 bytes in UTF-8.")


@strawberry.input(description="What a client sends when its access token is about to expire.")
class RefreshSessionInput:
    """The token is never logged."""

    refresh_token: str = strawberry.field(description="The one that the last login or refresh has answered.")


@strawberry.type(description="The tokens of an open session, or why there is none.")
class SessionPayload:
    """What a login or a refresh answers."""

    access_token: str | None = strawberry.field(
        default=None,
        description="Send it as `Authorization: Bearer …`, and in `connection_init` of a socket.",
    )
    refresh_token: str | None = strawberry.field(
        default=None,
        description="Good for one refreshSession; used again later, it ends the session.",
    )
    expires_at: datetime | None = strawberry.field(default=None, description="When the access token expires.")
    viewer: Viewer | None = strawberry.field(default=None, description="Who is logged in now.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="BAD_CREDENTIALS, whatever was wrong with them."
    )

    @classmethod
    async def of(cls, info: Info, issuing: Awaitable[IssuedSession]) -> SessionPayload:
        """For a login or a refresh."""
        try:
            issued = await issuing
        except Refusal as refusal:
            return cls(errors=[InputError.of(refusal)])
        return cls(
            access_token=issued.access_token,
            refresh_token=issued.refresh_token,
            expires_at=issued.expires_at,
            viewer=Viewer.of(info, issued.caller),
        )


@strawberry.type(description="The session has ended.")
class LogoutPayload:
    """What a logout answers."""

    errors: list[UserError] = strawberry.field(default_factory=list, description="None: a logout is not refused.")


@strawberry.type
class AccountsQuery:
    """Who is asking."""

    @strawberry.field(description="Whoever is logged in; null when no access token was sent.")
    async def viewer(self, info: Info) -> Viewer | None:
        """A token that was sent and is not good is an error, not nobody."""
        if not info.context.connection.authorization:
            return None
        return Viewer.of(info, await info.context.caller())


@strawberry.type
class AccountsMutation:
    """Open, prolong and end a session. Login and refresh look at no access token; it may be stale."""

    @strawberry.mutation(
        description="Open a session with an email address and a password. RATE_LIMITED after a few attempts."
    )
    async def login(self, info: Info, input: LoginInput) -> SessionPayload:
        """Counted, checked, and answered alike whatever is wrong."""
        accounts, address = info.context.application.accounts, info.context.connection.address
        return await SessionPayload.of(info, accounts.login(input.email, input.password, address))

    @strawberry.mutation(
        description="Exchange a refresh token, which is then used up, for new tokens; the session lives on."
    )
    async def refresh_session(self, info: Info, input: RefreshSessionInput) -> SessionPayload:
        """The token is the only credential."""
        accounts, address = info.context.application.accounts, info.context.connection.address
        return await SessionPayload.of(info, accounts.refresh(input.refresh_token, address))

    @strawberry.mutation(description="End the session on every node; its open sockets close.")
    async def logout(self, info: Info) -> LogoutPayload:
        """Of the session that the access token names."""
        async with info.context.work() as work:
            await sessions.logout(work)
        return LogoutPayload()
