"""Accounts: who may log in and as what, for administrators; and one's own password."""

from __future__ import annotations

import datetime as dt

import strawberry

from memberstaff.access import Caller, Role
from memberstaff.accounts import directory
from memberstaff.accounts.directory import AccountPosition
from memberstaff.engine.limits import ONCE
from memberstaff.errors import ErrorCode, Refusal
from schema.context import Info
from schema.ids import account_key, global_id
from schema.payloads import InputError, UserError
from schema.relay import Node, PageInfo, page_cursor, page_place, page_size
from schema.scope import LONGEST_SEARCH


@strawberry.type(description="Somebody who may log in. Only an ADMIN sees accounts.")
class Account(Node):
    """An account."""

    email: str | None = strawberry.field(description="Null for an account of an identity provider.")
    display_name: str = strawberry.field(description="The name that stands beside what this account marks.")
    role: Role = strawberry.field(description="What it may do.")
    issuer: str | None = strawberry.field(description="The identity provider that it belongs to; null for our own.")
    is_disabled: bool = strawberry.field(description="Whether it lets nobody in.")
    created_at: dt.datetime = strawberry.field(description="When it was made, or first seen.")
    is_viewer: bool = strawberry.field(description="Whether this is the caller's own.")

    @classmethod
    def of(cls, account: directory.Account, caller: Caller) -> Account:
        """For an account, as this caller sees it."""
        return cls(
            id=global_id("Account", account.id),
            email=account.email,
            display_name=account.display_name,
            role=account.role,
            issuer=account.issuer,
            is_disabled=account.disabled_at is not None,
            created_at=account.created_at,
            is_viewer=account.id == caller.account_id,
        )


@strawberry.type(description="An account in a page.")
class AccountEdge:
    """Relay's edge."""

    cursor: str = strawberry.field(description="Of this edge.")
    node: Account = strawberry.field(description="The account.")


@strawberry.type(description="A page of the accounts.")
class AccountConnection:
    """Relay's connection."""

    edges: list[AccountEdge] = strawberry.field(description="By name.")
    page_info: PageInfo = strawberry.field(description="Where this page lies.")
    total_count: int = strawberry.field(description="Accounts that the search finds, on all pages.")


@strawberry.input(description="An account to make.")
class CreateAccountInput:
    """The password is never logged."""

    email: str = strawberry.field(description="What its holder logs in with; upper and lower case are the same.")
    display_name: str | None = strawberry.field(default=None, description="Omitted: made of the address.")
    role: Role = strawberry.field(description="What it may do.")
    password: str = strawberry.field(description="12 characters at least, 256 bytes in UTF-8 at most.")


@strawberry.input(description="Changes of an account: omitted or null fields stay as they are.")
class UpdateAccountInput:
    """The password is never logged."""

    id: strawberry.ID = strawberry.field(description="Of the Account.")
    display_name: str | None = strawberry.field(default=None, description="One line, up to 200 characters.")
    role: Role | None = strawberry.field(default=None, description="In effect at once, also in open sockets.")
    is_disabled: bool | None = strawberry.field(default=None, description="True ends what it has open everywhere.")
    password: str | None = strawberry.field(default=None, description="A new one; ends all sessions of the account.")


@strawberry.input(description="A new password of one's own.")
class ChangePasswordInput:
    """Neither field is ever logged."""

    current_password: str = strawberry.field(description="The one that is good now.")
    new_password: str = strawberry.field(description="12 characters at least, 256 bytes in UTF-8 at most.")


@strawberry.type(description="An account, or why it was not made or changed.")
class AccountPayload:
    """What createAccount and updateAccount answer."""

    account: Account | None = strawberry.field(default=None, description="As stored now; null when refused.")
    errors: list[UserError] = strawberry.field(default_factory=list, description="Empty when it succeeded.")


@strawberry.type(description="The password has been changed, or why not.")
class ChangePasswordPayload:
    """What changePassword answers."""

    errors: list[UserError] = strawberry.field(default_factory=list, description="Empty when it succeeded.")


@strawberry.type
class AccountsQuery:
    """The root's part about accounts."""

    @strawberry.field(description="The accounts, by name. For an ADMIN. Search looks in names and email addresses.")
    async def accounts(
        self, info: Info, first: int | None = 50, after: str | None = None, search: str | None = None
    ) -> AccountConnection:
        """A page of accounts."""
        if search is not None and len(search) > LONGEST_SEARCH:
            raise Refusal(ErrorCode.INVALID, f"A search has {LONGEST_SEARCH} characters at most.", "search")
        snapshot = await info.context.snapshot()
        place = page_place(after, str, int)
        size = page_size(first, default=50)
        found, total = await directory.page(
            snapshot, search=search, first=size + 1, after=AccountPosition(*place) if place else None
        )
        edges = [
            AccountEdge(cursor=page_cursor(each.sort_key, each.id), node=Account.of(each, snapshot.caller))
            for each in found[:size]
        ]
        page = PageInfo.of([edge.cursor for edge in edges], after=after, more=len(found) > size)
        return AccountConnection(edges=edges, page_info=page, total_count=total)


@strawberry.type
class AccountsMutation:
    """The root's part about accounts."""

    @strawberry.mutation(description="Let somebody in. For an ADMIN.")
    async def create_account(self, info: Info, input: CreateAccountInput) -> AccountPayload:
        """One account."""
        accounts = info.context.application.accounts
        try:
            hashed = await accounts.hashed(await info.context.caller(), input.password)
            async with info.context.work() as work:
                made = await directory.add(
                    work,
                    email=input.email,
                    role=input.role,
                    password_hash=hashed,
                    display_name=input.display_name,
                )
        except Refusal as refusal:
            return AccountPayload(errors=[InputError.of(refusal)])
        return AccountPayload(account=Account.of(made, work.caller))

    @strawberry.mutation(description="Change what an account may do, its name or its password. For an ADMIN.")
    async def update_account(self, info: Info, input: UpdateAccountInput) -> AccountPayload:
        """One account."""
        accounts, new = info.context.application.accounts, input.password
        try:
            hashed = None if new is None else await accounts.hashed(await info.context.caller(), new)
            async with info.context.work() as work:
                changed = await directory.change(
                    work,
                    account_key(input.id),
                    display_name=input.display_name,
                    role=input.role,
                    is_disabled=input.is_disabled,
                    password_hash=hashed,
                )
        except Refusal as refusal:
            return AccountPayload(errors=[InputError.of(refusal)])
        return AccountPayload(account=Account.of(changed, work.caller))

    @strawberry.mutation(
        description=(
            "Replace one's own password. Other sessions of the account end, this one stays. "
            "RATE_LIMITED after a few attempts."
        ),
        metadata={ONCE: True},
    )
    async def change_password(self, info: Info, input: ChangePasswordInput) -> ChangePasswordPayload:
        """Counted as a login is: it answers whether a password is right."""
        accounts, connection = info.context.application.accounts, info.context.connection
        try:
            await accounts.change_password(
                connection.authorization, input.current_password, input.new_password, connection.address
            )
        except Refusal as refusal:
            return ChangePasswordPayload(errors=[InputError.of(refusal)])
        return ChangePasswordPayload()
