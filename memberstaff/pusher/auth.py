"""POST /broadcasting/auth: authorises subscriptions to private and presence channels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from memberstaff import metrics
from memberstaff.access import Caller, Right
from memberstaff.accounts.sessions import identify
from memberstaff.application import Application
from memberstaff.attendance.cursor import LONGEST
from memberstaff.engine.request import Malformed, decode, require_storable
from memberstaff.errors import Forbidden, RequestError
from memberstaff.keyring import Keys
from memberstaff.pusher import protocol
from memberstaff.pusher.channels import Channel, Kind, find
from memberstaff.pusher.grants import Grant, Grants
from memberstaff.server.body import UnreadableBody, read_body
from memberstaff.server.connection import bearer
from memberstaff.server.refusals import STATUS, retry_after

PATH = "/broadcasting/auth"
LONGEST_BODY = 10_000


class Authorisation:
    """The endpoint. `account_id` converts the number of an account to the id that clients see."""

    def __init__(
        self,
        application: Application,
        key: str,
        keys: Keys,
        grants: Grants,
        account_id: Callable[[int | None], str],
    ) -> None:
        self.application = application
        self.key = key
        self.keys = keys
        self.grants = grants
        self.account_id = account_id

    async def __call__(self, request: Request) -> Response:
        """Respond to a request; errors have a `message`, like Laravel's."""
        try:
            return JSONResponse(await self.respond(request))
        except UnreadableBody as error:
            return JSONResponse({"message": str(error)}, error.status)
        except Malformed as error:
            return JSONResponse({"message": str(error)}, 422)
        except RequestError as error:
            metrics.ERRORS.labels(error.code.value).inc()
            headers = retry_after([error.extensions])
            return JSONResponse({"message": error.message}, STATUS.get(error.code, 500), headers)

    async def respond(self, request: Request) -> dict[str, Any]:
        """The response's body. Raises UnreadableBody, Malformed and RequestError."""
        fields = await self.fields(request)
        claims = await self.application.accounts.claims(bearer(request.headers.get("authorization")))
        async with self.application.database.read() as reading:
            caller = await identify(reading, claims)
        channel = find(fields.get("channel_name", ""))
        if channel is None or channel.kind is Kind.PUBLIC:
            raise Forbidden("There is no such private or presence channel.")
        caller.require(Right.READ)
        member = self.member(caller) if channel.kind is Kind.PRESENCE else None
        if "socket_id" not in fields:
            return self.for_echo_server(caller, channel, member)
        socket_id = fields["socket_id"]
        if not protocol.SOCKET_ID.fullmatch(socket_id):
            raise Malformed("`socket_id` is not valid; send the one from pusher:connection_established.")
        after = fields.get("cursor") or None
        if after is not None and channel.kind is not Kind.DAY:
            raise Malformed("Only private-attendance.YYYY-MM-DD channels can be resumed with a `cursor`.")
        if after is not None and len(after) > LONGEST:
            raise Malformed("`cursor` is not valid.")
        await self.grants.record(socket_id, channel.name, Grant(claims, after))
        if member is None:
            return {"auth": f"{self.key}:{protocol.signature(self.keys.current.secret, socket_id, channel.name)}"}
        text = msgspec.json.encode(member).decode()
        signed = protocol.signature(self.keys.current.secret, socket_id, channel.name, text)
        return {"auth": f"{self.key}:{signed}", "channel_data": text}

    def member(self, caller: Caller) -> dict[str, Any]:
        """A member of a presence channel, as other members see it."""
        return {"user_id": self.account_id(caller.account_id), "user_info": {"name": caller.display_name}}

    def for_echo_server(self, caller: Caller, channel: Channel, member: dict[str, Any] | None) -> dict[str, Any]:
        """The response to laravel-echo-server, which has the sockets itself and needs no signature."""
        return (
            {"channel_data": member} if member is not None else {"channel": channel.name, "name": caller.display_name}
        )

    async def fields(self, request: Request) -> dict[str, str]:
        """The fields of a form or JSON body; raises UnreadableBody and Malformed."""
        body = await read_body(
            request.receive,
            declared=request.headers.get("content-length"),
            limit=LONGEST_BODY,
            import_limit=LONGEST_BODY,
            seconds=self.application.settings.body_seconds,
            may_import=_never,
        )
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json":
            found = decode(body)
            if not isinstance(found, dict):
                raise Malformed("The body must be a form or a JSON object.")
            pairs = [(name, value) for name, value in found.items() if value is not None]
        else:
            try:
                pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
            except ValueError:
                raise Malformed("The body must be a form or a JSON object.") from None
        fields = dict(pairs)
        for name in ("socket_id", "channel_name", "cursor"):
            if not isinstance(fields.get(name, ""), str):
                raise Malformed(f"`{name}` must be a string.")
        require_storable(fields)
        return fields


async def _never() -> bool:
    return False
