"""Accounts, for administrators, and changing one's own password."""

from __future__ import annotations

import datetime as dt
from typing import Annotated

import strawberry
from strawberry import Maybe

from memberstaff.access import Right, Role
from memberstaff.accounts import directory
from memberstaff.accounts.directory import AccountPosition
from memberstaff.accounts.passwords import PasswordHash
from memberstaff.engine.limits import ONCE
from memberstaff.errors import ErrorCode, Refusal

from .context import Info
from .ids import account_key, global_id
from .optional import value_or_none
from .payloads import ONE_ERROR, InputError, UserError
from .relay import After, First, Node, PageInfo, page_cursor, page_size, parse_page_cursor
from .scope import LONGEST_SEARCH

ACCEPTABLE = (
    "At least 12 characters, at most 256 bytes in UTF-8; not a common password, a pattern, or the account's own names."
)


@strawberry.type(
    description=(
        "An account to log in with. Visible to ADMINs only. Not live: ask again after a change, your own or another "
        "ADMIN's. Your own is the one whose id is the `accountId` of the viewer."
    )
)
class Account(Node):
    """A GraphQL type; the domain's is `directory.Account`."""

    email: str | None = strawberry.field(description="Null for an account of an identity provider.")
    display_name: str = strawberry.field(description="Shown next to the marks made by this account.")
    role: Role | None = strawberry.field(
        description="What the account may do; null for a role of a later release, which gives no rights here."
    )
    issuer: str | None = strawberry.field(description="The identity provider; null for accounts with a password.")
    is_disabled: bool = strawberry.field(description="Whether logging in is disabled.")
    created_at: dt.datetime = strawberry.field(description="When it was created or first used.")

    @classmethod
    def of(cls, account: directory.Account) -> Account:
        """From the domain's account."""
        return cls(
            id=global_id("Account", account.id),
            email=account.email,
            display_name=account.display_name,
            role=account.role,
            issuer=account.issuer,
            is_disabled=account.disabled_at is not None,
            created_at=account.created_at,
        )


async def account_for_admins(info: Info, number: int | None) -> Account | None:
    """The account with this number; None unless the reader may see accounts.

    A rendering that administrators share has no caller, so this looks at the rights of their role alone.
    """
    if number is None or not await info.context.may(Right.MANAGE_ACCOUNTS):
        return None
    found = await info.context.load.account.load(number)
    return Account.of(found) if found is not None else None


@strawberry.type(description="An account in a page.")
class AccountEdge:
    """See the Relay Cursor Connections Specification."""

    cursor: str = strawberry.field(description="Cursor of this edge.")
    node: Account = strawberry.field(description="The account.")


@strawberry.type(description="A page of accounts. Not live: ask again after a change.")
class AccountConnection:
    """See the Relay Cursor Connections Specification."""

    edges: list[AccountEdge] = strawberry.field(description="Ordered by name.")
    page_info: PageInfo = strawberry.field(description="Where this page is in the list.")
    total_count: int = strawberry.field(description="Number of matching accounts, on all pages.")


@strawberry.input(description="An account to create.")
class CreateAccountInput:
    """The password is never logged."""

    email: str = strawberry.field(description="Used to log in; not case-sensitive.")
    display_name: str | None = strawberry.field(
        default=None, description="One line, up to 200 characters. Default: derived from the email address."
    )
    role: Role = strawberry.field(description="What the account may do.")
    password: str = strawberry.field(description=ACCEPTABLE)


@strawberry.input(
    description="Changes to an account. Omitted fields are not changed; null is INVALID, as none can be cleared."
)
class UpdateAccountInput:
    """The password is never logged."""

    id: strawberry.ID = strawberry.field(description="Id of the Account.")
    display_name: Maybe[str | None] = strawberry.field(description="One line, up to 200 characters.")
    role: Maybe[Role | None] = strawberry.field(description="Takes effect immediately, on open sockets too.")
    is_disabled: Maybe[bool | None] = strawberry.field(description="True ends its sessions and closes its sockets.")
    password: Maybe[str | None] = strawberry.field(description=f"A new password; ends its sessions. {ACCEPTABLE}")


@strawberry.input(description="Changes your own password.")
class ChangePasswordInput:
    """Neither field is ever logged."""

    current_password: str = strawberry.field(description="The current password.")
    new_password: str = strawberry.field(description=ACCEPTABLE)


@strawberry.type(description="The account, or why it was not created or changed.")
class AccountPayload:
    """Returned by createAccount and updateAccount."""

    account: Account | None = strawberry.field(default=None, description="The account as stored; null if refused.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success.", metadata=ONE_ERROR
    )


@strawberry.type(description="The tokens of your new session, or why the password was not changed.")
class ChangePasswordPayload:
    """Returned by changePassword."""

    access_token: str | None = strawberry.field(
        default=None, description="To be sent from now on: the one that was sent is no longer valid."
    )
    refresh_token: str | None = strawberry.field(
        default=None, description="Null when it is in the cookie, if the session's was there."
    )
    expires_at: dt.datetime | None = strawberry.field(default=None, description="When the access token expires.")
    errors: list[UserError] = strawberry.field(
        default_factory=list, description="Empty on success.", metadata=ONE_ERROR
    )


@strawberry.type
class AccountsQuery:
    """Root fields about accounts."""

    @strawberry.field(description="Accounts by name. Requires ADMIN.")
    async def accounts(
        self,
        info: Info,
        first: First = 50,
        after: After = None,
        search: Annotated[
            str | None,
            strawberry.argument(
                description=(
                    "Words that the name or the email address contains, ignoring case and accents; up to "
                    f"{LONGEST_SEARCH} characters."
                )
            ),
        ] = None,
    ) -> AccountConnection | None:
        if search is not None and len(search) > LONGEST_SEARCH:
            raise Refusal(ErrorCode.INVALID, f"A search may have at most {LONGEST_SEARCH} characters.", "search")
        snapshot = await info.context.snapshot()
        place = parse_page_cursor(after, str, int)
        size = page_size(first, default=50)
        found, total = await directory.page(
            snapshot, search=search, first=size + 1, after=AccountPosition(*place) if place else None
        )
        edges = [
            AccountEdge(cursor=page_cursor(each.sort_key, each.id), node=Account.of(each)) for each in found[:size]
        ]
        page = PageInfo.of([edge.cursor for edge in edges], after=after, more=len(found) > size)
        return AccountConnection(edges=edges, page_info=page, total_count=total)


async def _hashed(info: Info, input: UpdateAccountInput, password: str, display_name: str | None) -> PasswordHash:
    """The hash of an account's new password. Raises Forbidden and Refusal."""
    snapshot = await info.context.snapshot()
    caller, owner = snapshot.caller, await directory.by_id(snapshot, account_key(input.id))
    names = (owner.email, owner.display_name) if owner is not None else ()
    await info.context.release()  # no connection is held while a password is hashed
    return await info.context.application.accounts.hashed(caller, password, *names, display_name)


@strawberry.type
class AccountsMutation:
    """Root fields about accounts."""

    @strawberry.mutation(description="Create an account. Requires ADMIN.")
    async def create_account(
        self,
        info: Info,
        input: Annotated[CreateAccountInput, strawberry.argument(description="The account.")],
    ) -> AccountPayload | None:
        accounts = info.context.application.accounts
        try:
            caller = await info.context.caller()
            await info.context.release()  # no connection is held while a password is hashed
            hashed = await accounts.hashed(caller, input.password, input.email, input.display_name)
            async with info.context.work() as work:
                created = await directory.add(
                    work,
                    email=input.email,
                    role=input.role,
                    password_hash=hashed,
                    display_name=input.display_name,
                )
        except Refusal as refusal:
            return AccountPayload(errors=[InputError.of(refusal)])
        return AccountPayload(account=Account.of(created))

    @strawberry.mutation(description="Change an account's role, name or password, or disable it. Requires ADMIN.")
    async def update_account(
        self,
        info: Info,
        input: Annotated[UpdateAccountInput, strawberry.argument(description="The account, and what to change.")],
    ) -> AccountPayload | None:
        try:
            await info.context.caller()  # reject unauthenticated callers before they learn what was wrong
            display_name = value_or_none(input.display_name, "displayName")
            password = value_or_none(input.password, "password")
            role, is_disabled = value_or_none(input.role, "role"), value_or_none(input.is_disabled, "isDisabled")
            hashed = await _hashed(info, input, password, display_name) if password is not None else None
            async with info.context.work() as work:
                changed = await directory.change(
                    work,
                    account_key(input.id),
                    display_name=display_name,
                    role=role,
                    is_disabled=is_disabled,
                    password_hash=hashed,
                )
        except Refusal as refusal:
            return AccountPayload(errors=[InputError.of(refusal)])
        return AccountPayload(account=Account.of(changed))

    @strawberry.mutation(
        description=(
            "Change your own password. All sessions of the account end, and their sockets close; you go on in a new "
            "session. RATE_LIMITED after a few attempts."
        ),
        metadata={ONCE: True},
    )
    async def change_password(
        self,
        info: Info,
        input: Annotated[ChangePasswordInput, strawberry.argument(description="Both passwords.")],
    ) -> ChangePasswordPayload | None:
        """Rate-limited like a login, since it reveals whether a password is right."""
        accounts, connection = info.context.application.accounts, info.context.connection
        token, cookie, device = connection.authorization, connection.cookie, connection.device
        try:
            if cookie is not None and not await accounts.is_of_session(cookie.token or "", token):
                cookie = None
            issued = await accounts.change_password(
                token,
                input.current_password,
                input.new_password,
                connection.address,
                connection.device_value,
            )
        except Refusal as refusal:
            return ChangePasswordPayload(errors=[InputError.of(refusal)])
        if device is not None and device.value is not None and issued.device is not None:
            device.set(issued.device)
        if cookie is not None:
            cookie.set(issued.refresh_token, max_age=issued.refresh_seconds)
        return ChangePasswordPayload(
            access_token=issued.access_token,
            refresh_token=issued.refresh_token if cookie is None else None,
            expires_at=issued.expires_at,
        )
