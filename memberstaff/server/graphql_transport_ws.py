"""GraphQL over WebSocket: the `graphql-transport-ws` protocol of graphql-ws.

https://github.com/enisdenjo/graphql-ws/blob/master/PROTOCOL.md describes it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from contextlib import nullcontext, suppress
from typing import Any

from starlette.types import Message
from strawberry.types.execution import ExecutionResult, PreExecutionError
from strawberry.types.graphql import OperationType

from memberstaff import metrics
from memberstaff.access import Caller
from memberstaff.engine.masking import internal_error
from memberstaff.engine.request import (
    Malformed,
    OperationRequest,
    Unstorable,
    authorization_in,
    decode,
    message_id,
    message_payload,
    operation_request,
    string_map,
)
from memberstaff.engine.schema import OperationRefused, Schema
from memberstaff.engine.shared_subscriptions import subscribe
from memberstaff.errors import BadRequest, PersistedQueryNotSupported, RequestError, RequestErrorCode
from memberstaff.fanout.event_source import Batch, Listener
from memberstaff.server.connection import Connection, bearer
from memberstaff.server.connection_limiter import ConnectionLimits
from memberstaff.server.event_streams import count_errors, error_body, response_body
from memberstaff.server.host import Host, OperationContext, close
from memberstaff.server.listeners import ASGIListener, NextMessages, WebSocketListener
from memberstaff.server.operation import Operation
from memberstaff.server.refusals import RETRY_SECONDS
from memberstaff.server.strangers import Strangers
from memberstaff.server.token_bucket import TokenBucket
from memberstaff.server.websocket import Disconnected, WebSocketAdapter

log = logging.getLogger("memberstaff.server")


class SocketHandler:
    """Serves one socket. Each operation has its own context."""

    __slots__ = (
        "acknowledged",
        "bucket",
        "caller",
        "connection",
        "host",
        "init_timer",
        "initialised",
        "limits",
        "operations",
        "schema",
        "strangers",
        "tasks",
        "websocket",
    )

    def __init__(
        self,
        schema: Schema,
        host: Host,
        connection: Connection,
        websocket: WebSocketAdapter,
        limits: ConnectionLimits,
        strangers: Strangers,
    ) -> None:
        settings = host.settings
        self.schema = schema
        self.host = host
        self.connection = connection
        self.websocket = websocket
        self.limits = limits
        """In which it counts: in its account's from `connection_init` on, in its address's from before."""
        self.strangers = strangers
        self.bucket = TokenBucket(settings.messages_per_second, settings.message_burst)
        self.operations: dict[str, Operation] = {}
        self.tasks: list[asyncio.Task[None]] = []
        """A few; an empty set would be larger."""
        self.caller: Caller | None = None
        self.initialised = False
        """Whether `connection_init` has been received, or has timed out."""
        self.acknowledged = False
        self.init_timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        """Serve the socket from now on: `take` is called with its messages."""
        self.connection.on_end = self.end
        seconds = self.host.settings.init_seconds
        self.init_timer = asyncio.get_running_loop().call_later(seconds, self.init_timed_out)

    async def take(self, message: Message) -> None:
        """Handle an ASGI message; never raises. `websocket.disconnect` is the last one."""
        if message["type"] == "websocket.disconnect":
            self.websocket.closed = True
            await self.finish()
        elif not self.websocket.closed:
            await self.handle_message(message.get("text"))

    async def handle_message(self, text: str | None) -> None:
        """Handle a message, None if it is binary; never raises."""
        try:
            if text is None:
                await self.websocket.close(4400, "Binary messages are not supported; send text")
            elif not self.bucket.take(asyncio.get_running_loop().time()):
                await self.websocket.close_for_now("Too many messages; slow down and reconnect.", RETRY_SECONDS)
            else:
                await self.handle_text(text)
        except Malformed as error:
            await self.websocket.close(4400, str(error))
        except Disconnected:
            pass
        except Exception:
            log.exception("Socket failed")
            await self.websocket.close(4500, "Internal server error")

    async def finish(self) -> None:
        """Release what the socket holds, once it is closed; never raises."""
        self.limits.addresses.release(self.connection.network)
        self.connection.on_end = None
        if self.init_timer is not None:
            self.init_timer.cancel()
        if self.caller is not None:
            self.limits.accounts.release(self.caller.account_id)
        self.stop_operations()
        for task in list(self.tasks):
            task.cancel()
        for task in list(self.tasks):
            with suppress(Exception, asyncio.CancelledError):
                await task

    def end(self, code: int, reason: str) -> None:
        """Close the socket; its operations send nothing after this call."""
        self.stop_operations()
        self.hold(asyncio.ensure_future(self.websocket.close(code, reason)))

    def stop_operations(self) -> None:
        """Stop all operations; they send nothing after this call."""
        for operation in self.operations.values():
            operation.stop()
        self.operations.clear()

    def init_timed_out(self) -> None:
        """Close a socket that has not sent `connection_init` in time."""
        self.initialised = True
        self.hold(asyncio.ensure_future(self.websocket.close(4408, "Connection initialisation timeout")))

    def hold(self, task: asyncio.Task[None]) -> None:
        """Hold a reference to a task until it is done: asyncio holds only a weak one."""
        self.tasks.append(task)
        task.add_done_callback(self.tasks.remove)

    async def handle_text(self, text: str) -> None:
        """Handle one message; raises Malformed if it is not one of the protocol's."""
        message = decode(text)
        if not isinstance(message, dict):
            raise Malformed("A message must be a JSON object")
        kind = message.get("type")
        if kind == "connection_init":
            await self.handle_init(message_payload(message))
        elif kind == "ping" or kind == "pong":
            payload = message_payload(message)
            if kind == "ping":
                await self.refresh_token(payload)
                await self.websocket.send_json({"type": "pong"})
        elif kind == "subscribe":
            await self.handle_subscribe(message_id(message), message)
        elif kind == "complete":
            self.complete(message_id(message))
        else:
            raise Malformed("Unknown message type")

    async def handle_init(self, payload: dict[str, Any]) -> None:
        """Authenticate and acknowledge the connection; raises Malformed."""
        if self.initialised:
            await self.websocket.close(4429, "Too many initialisation requests")
            return
        self.initialised = True
        if self.init_timer is not None:
            self.init_timer.cancel()
            self.init_timer = None
        given = authorization_in(payload)
        if given is not None:
            self.connection.authorization = bearer(given)
        self.connection.resume = string_map(payload.get("resume"), "resume")
        self.connection.continue_trace(payload.get("traceparent"))
        caller = await self.authenticate()
        if caller is None:
            return
        if not self.limits.accounts.acquire(caller.account_id):
            await self.websocket.close_for_now("Too many connections from this account; close some.", RETRY_SECONDS)
            return
        self.caller = caller
        await self.websocket.send_json({"type": "connection_ack"})
        self.acknowledged = True

    async def authenticate(self) -> Caller | None:
        """The holder of the connection's token; None if there is none, and the socket was closed.

        A new socket waits for admission; for one that has left meanwhile nothing is done.
        """
        try:
            await self.strangers.check(self.connection)
            async with nullcontext() if self.acknowledged else self.host.admission(self.connection):
                if not self.websocket.has_left:
                    return await self.host.authenticate(self.connection)
        except RequestError as error:
            if (seconds := error.extensions.get("retryAfter")) is None:
                await self.websocket.close(4403, error.message)
            else:
                await self.websocket.close_for_now(error.message, seconds)
        except Exception:
            log.exception("Failed to authenticate a socket")  # after 4500 graphql-ws would give up
            await self.websocket.close_for_now("Your login cannot be checked right now.", RETRY_SECONDS)
        return None

    async def refresh_token(self, payload: dict[str, Any]) -> None:
        """Take over the new token in a ping, so that the socket can outlive its first one; the pong confirms it."""
        given = authorization_in(payload)
        if given is None or self.caller is None:
            return
        self.connection.authorization = bearer(given)
        caller = await self.authenticate()
        if caller is not None and (caller.account_id, caller.role) != (self.caller.account_id, self.caller.role):
            # The operations on this socket were authorised as another account or role.
            await self.websocket.close(4403, "The token is for another account, or your role has changed; reconnect")

    async def handle_subscribe(self, operation_id: str, message: dict[str, Any]) -> None:
        """Start an operation, or refuse it; raises Malformed."""
        if not self.acknowledged:
            await self.websocket.close(4401, "Unauthorized")
            return
        if operation_id in self.operations:
            await self.websocket.close(4409, f"Subscriber for {operation_id} already exists")
            return
        try:
            request = operation_request(message.get("payload"))
        except (Unstorable, PersistedQueryNotSupported) as error:
            refused = error if isinstance(error, RequestError) else BadRequest(str(error), error.reason)
            await self.send_error(operation_id, refused)
            return
        if len(self.operations) >= (limit := self.host.settings.max_operations_per_socket):
            metrics.RATE_LIMITED.labels("operations").inc()
            why = f"Too many operations on this socket; the limit is {limit}. Complete one first."
            await self.send_error(operation_id, RequestError(RequestErrorCode.RATE_LIMITED, why))
            return
        operation = self.operations[operation_id] = Operation(operation_id)
        operation.task = asyncio.create_task(self.run(operation, request), context=self.connection.context())
        self.hold(operation.task)

    def complete(self, operation_id: str) -> None:
        """Stop an operation, unless it has on_end."""
        if (operation := self.operations.pop(operation_id, None)) is not None:
            operation.stop()

    async def run(self, operation: Operation, request: OperationRequest) -> None:
        """Send the result of a query or mutation, or have a group send a subscription's; never raises."""
        context = self.host.context(self.connection, operation.id)
        try:
            kind = await self.schema.check(request, context)
            if kind is OperationType.SUBSCRIPTION:
                await self.join(operation, context, request)
                return
            result = await self.schema.answer(request, context)
            await close(context)  # releases the database connection before the result is sent
            await self.send_result(operation, result)
        except Disconnected:
            pass
        except OperationRefused as refused:
            await self.end_operation(operation, [error.formatted for error in refused.errors])
        except RequestError as error:
            await self.end_operation(operation, [error.formatted])
        except Exception:
            log.exception("Operation failed")
            await self.end_operation(operation, [internal_error(self.connection.request_id).formatted])
        finally:
            await close(context)

    async def join(self, operation: Operation, context: OperationContext, request: OperationRequest) -> None:
        """Join a group, which sends the results. Raises OperationRefused and RequestError."""
        leave, _ = await subscribe(self.schema, context, request, self.listener(operation))
        operation.leave, operation.task = leave, None
        if self.operations.get(operation.id) is not operation:  # the client has completed it meanwhile
            leave()

    def listener(self, operation: Operation) -> Listener:
        """The operation's listener in its group."""
        messages = NextMessages(operation.id)

        def on_end(error: Exception | None) -> None:
            if error is None:
                self.hold(asyncio.ensure_future(self.send_complete(operation)))
                return
            to_send = error if isinstance(error, RequestError) else internal_error(self.connection.request_id)
            self.hold(asyncio.ensure_future(self.end_operation(operation, [to_send.formatted])))

        protocol = self.websocket.protocol
        if protocol is not None:
            return WebSocketListener(protocol, messages, on_end)

        async def send(batch: Batch) -> None:
            for text in messages.texts(batch):
                await self.websocket.send_text(text)

        listener = ASGIListener(send, on_end)
        listener.begin()
        return listener

    async def send_result(self, operation: Operation, result: ExecutionResult) -> None:
        """Send a single result, with its keys in the same order as NextMessages."""
        if isinstance(result, PreExecutionError):
            await self.end_operation(operation, [error.formatted for error in result.errors or []])
        elif self.operations.get(operation.id) is operation:
            text = json.dumps(response_body(result), separators=(",", ":"))
            await self.websocket.send_text(f'{{"type":"next","payload":{text},"id":{json.dumps(operation.id)}}}')
            await self.send_complete(operation)

    async def send_complete(self, operation: Operation) -> None:
        """Send `complete`, unless the operation has on_end."""
        if self.operations.get(operation.id) is operation:
            del self.operations[operation.id]
            with suppress(Disconnected):
                await self.websocket.send_json({"type": "complete", "id": operation.id})

    async def end_operation(self, operation: Operation, errors: list[Any]) -> None:
        """Send `error`, unless the operation has on_end."""
        if self.operations.get(operation.id) is operation:
            del self.operations[operation.id]
            count_errors(errors)
            with suppress(Disconnected):
                await self.websocket.send_json({"type": "error", "id": operation.id, "payload": errors})

    async def send_error(self, operation_id: str, error: RequestError) -> None:
        """Refuse an operation, with the protocol's `error` message."""
        await self.websocket.send_json({"type": "error", "id": operation_id, "payload": error_body(error)["errors"]})
