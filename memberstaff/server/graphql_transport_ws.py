"""GraphQL over WebSocket (`graphql-transport-ws`): whatever arrives, the answer is the protocol's."""

from __future__ import annotations

import asyncio
import logging
from contextlib import aclosing, suppress
from datetime import timedelta
from typing import Any, cast

import strawberry
from strawberry.http.exceptions import NonTextMessageReceived, WebSocketDisconnected
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import (
    BaseGraphQLTransportWSHandler,
    Operation,
)
from strawberry.types.execution import ExecutionResult, PreExecutionError

from memberstaff.access import Caller
from memberstaff.engine.request import (
    Malformed,
    OperationRequest,
    Unstorable,
    authorization_of,
    decode,
    id_of,
    operation_request,
    payload_of,
    text_map,
)
from memberstaff.errors import RequestError, RequestErrorCode
from memberstaff.server.connection import Connection, Context, Host, bearer
from memberstaff.server.connection_limiter import ConnectionLimiter
from memberstaff.server.listeners import SocketListener
from memberstaff.server.operation import Running
from memberstaff.server.token_bucket import TokenBucket
from memberstaff.server.websocket import WebSocketAdapter

log = logging.getLogger("memberstaff.server")

COME_BACK = 1013
"""For a client that sends or opens too much: graphql-ws comes back after a while; after 4429 it would give up."""


class SocketHandler(BaseGraphQLTransportWSHandler[Any, None]):
    """Strawberry's handler, made strict, with a fresh context for each operation."""

    websocket: WebSocketAdapter
    operations: dict[str, Running]  # type: ignore[assignment]  # each is begun in `start`

    def __init__(
        self,
        schema: strawberry.Schema,
        host: Host,
        connection: Connection,
        wire: WebSocketAdapter,
        accounts: ConnectionLimiter,
    ) -> None:
        settings = host.settings
        super().__init__(
            view=cast("Any", None),  # only its hooks use it, and they are all overridden here
            websocket=wire,
            context=None,
            root_value=None,
            schema=schema,
            connection_init_wait_timeout=timedelta(seconds=settings.init_seconds),
            max_subscriptions_per_connection=settings.max_operations_per_socket,
        )
        self.host = host
        self.connection = connection
        self.bucket = TokenBucket(settings.messages_per_second, settings.message_burst)
        self.tasks: set[asyncio.Task[None]] = set()
        self.accounts = accounts
        self.caller: Caller | None = None
        self.patience: asyncio.TimerHandle | None = None
        """Runs until `connection_init` is here."""

    async def handle(self) -> None:
        """Serve the socket until it is closed; never raises."""
        self.connection.ending = self.end
        loop = asyncio.get_running_loop()
        self.patience = loop.call_later(self.host.settings.init_seconds, self.lose_patience)
        try:
            async for text in self.websocket.texts():
                if not self.bucket.take(loop.time()):
                    await self.websocket.close(COME_BACK, "Too many messages: slow down and connect again")
                else:
                    await self.handle_text(text)
                if self.websocket.closed:
                    break
        except NonTextMessageReceived:
            await self.websocket.close(4400, "Messages are text, never binary")
        except Malformed as error:
            await self.websocket.close(4400, str(error))
        except WebSocketDisconnected:
            pass
        except Exception:
            log.exception("a socket failed")
            await self.websocket.close(4500, "Internal server error")
        finally:
            self.connection.ending = None
            self.patience.cancel()
            if self.caller is not None:
                self.accounts.leave(self.caller.account_id)
            await self.shutdown()
            for task in list(self.tasks):
                task.cancel()
            for task in list(self.tasks):
                with suppress(Exception, asyncio.CancelledError):
                    await task

    def end(self, code: int, reason: str) -> None:
        """Close from the outside; what was running sends nothing any more."""
        for operation in self.operations.values():
            operation.stop()
        self.operations.clear()
        self.keep(asyncio.ensure_future(self.websocket.close(code, reason)))

    def lose_patience(self) -> None:
        """Close a socket that does not say who it is (Strawberry's own timer is a task)."""
        self.connection_timed_out = True
        self.keep(asyncio.ensure_future(self.websocket.close(4408, "Connection initialisation timeout")))

    def keep(self, task: asyncio.Task[None]) -> None:
        """Hold a task until it is done: asyncio itself holds it but weakly."""
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def handle_text(self, text: str) -> None:
        """Answer one message; raises Malformed for what is none of the protocol's."""
        message = decode(text)
        if not isinstance(message, dict):
            raise Malformed("A message must be a JSON object")
        kind = message.get("type")
        if kind == "connection_init":
            await self.handle_init(payload_of(message))
        elif kind == "ping" or kind == "pong":
            payload = payload_of(message)
            if kind == "ping":
                await self.handle_renewal(payload)
                await self.send_message({"type": "pong"})
        elif kind == "subscribe":
            await self.handle_request(id_of(message), message)
        elif kind == "complete":
            await self.cleanup_operation(id_of(message))
        else:
            raise Malformed("A message must have a known type")

    async def handle_init(self, payload: dict[str, Any]) -> None:
        """Find out who it is; raises Malformed."""
        if self.connection_timed_out:
            return
        if self.connection_init_received:
            await self.websocket.close(4429, "Too many initialisation requests")
            return
        self.connection_init_received = True
        if self.patience is not None:
            self.patience.cancel()
        given = authorization_of(payload)
        if given is not None:
            self.connection.authorization = bearer(given)
        self.connection.resume = text_map(payload.get("resume"), "resume")
        caller = await self.authenticate()
        if caller is None:
            return
        if not self.accounts.arrive(caller.account_id):
            await self.websocket.close(COME_BACK, "Too many connections of this account; close some")
            return
        self.caller = caller
        await self.send_message({"type": "connection_ack"})
        self.connection_acknowledged = True

    async def authenticate(self) -> Caller | None:
        """Who holds the connection's token; None when the socket was closed because it lets nobody in."""
        try:
            return await self.host.authenticate(self.connection)
        except RequestError as fault:
            await self.websocket.close(4403, fault.message)
        except Exception:
            # The database is away, most likely. After 4500 graphql-ws would give up for good.
            log.exception("a socket could not be authenticated")
            await self.websocket.close(COME_BACK, "We cannot check your login just now; come back later")
        return None

    async def handle_renewal(self, payload: dict[str, Any]) -> None:
        """A ping may bring a fresh token, so that a socket outlives its first one: the pong says that it was taken."""
        given = authorization_of(payload)
        if given is None or self.caller is None:
            return
        self.connection.authorization = bearer(given)
        caller = await self.authenticate()
        if caller is not None and (caller.account_id, caller.role) != (self.caller.account_id, self.caller.role):
            # What runs on this socket was begun with other rights.
            await self.websocket.close(4403, "The token is somebody else's, or your role has changed. Connect again.")

    async def handle_request(self, operation_id: str, message: dict[str, Any]) -> None:
        """Begin an operation, or say why not; raises Malformed."""
        if not self.connection_acknowledged:
            await self.websocket.close(4401, "Unauthorized")
            return
        if operation_id in self.operations:
            await self.websocket.close(4409, f"Subscriber for {operation_id} already exists")
            return
        try:
            request = operation_request(message.get("payload"))
        except Unstorable as error:
            await self.refuse(operation_id, str(error), RequestErrorCode.BAD_REQUEST)
            return
        limit = self.max_subscriptions_per_connection
        if limit is not None and len(self.operations) >= limit:
            why = f"{limit} operations are under way on this socket; complete one first."
            await self.refuse(operation_id, why, RequestErrorCode.RATE_LIMITED)
            return
        self.start(operation_id, request)

    def start(self, operation_id: str, request: OperationRequest) -> None:
        """Run an operation beside the others: reading goes on."""
        operation = Running(self, operation_id, request)
        operation.task = asyncio.create_task(self.run_operation(operation))
        self.operations[operation_id] = operation
        self.keep(operation.task)

    async def refuse(self, operation_id: str, message: str, code: RequestErrorCode, **extensions: Any) -> None:
        """End an operation with one error; the socket and the others go on."""
        payload = [{"message": message, "extensions": {**extensions, "code": code.value}}]
        await self.websocket.send_json({"type": "error", "id": operation_id, "payload": payload})

    async def run_operation(self, operation: Running) -> None:  # type: ignore[override]  # as begun in `start`
        """Run one operation with a context of its own, closed however it ends."""
        request = operation.request
        context = None
        try:
            context = self.host.context(self.connection, operation.id)
            if await self.join(operation, context):
                return
            results = await self.schema.stream(
                request.query,
                variable_values=request.variables,
                context_value=context,
                operation_name=request.operation_name,
                operation_extensions=request.extensions,
            )
            async with aclosing(results):
                await self.send_results(operation, results)
        except WebSocketDisconnected:
            pass
        except Exception:
            log.exception("an operation failed")
            await self.apologise(operation)
        finally:
            if operation.leave is None and self.operations.get(operation.id) is operation:
                del self.operations[operation.id]
            if context is not None:
                await finish(context)

    async def join(self, operation: Running, context: Context) -> bool:
        """Have a group send the operation's results, or refuse it; False when it has to run by itself."""
        protocol = self.websocket.protocol
        if protocol is None:
            return False

        def ended(error: Exception) -> None:
            if self.operations.get(operation.id) is operation:
                del self.operations[operation.id]
                self.keep(asyncio.ensure_future(self.explain(operation, error)))

        listener = SocketListener(protocol, operation.id, ended)
        try:
            leave = await self.host.join(context, operation.request, listener)
        except RequestError as fault:
            ended(fault)
            return True
        if leave is None:
            return False
        operation.leave = leave
        operation.task = None
        operation.forget_request()
        if self.operations.get(operation.id) is not operation:  # it was completed meanwhile
            leave()
        return True

    async def explain(self, operation: Running, error: Exception) -> None:
        """Tell why an operation that a group served has ended."""
        if not isinstance(error, RequestError):
            why = f"Something went wrong on our side; the reference is {self.connection.request_id}."
            error = RequestError(RequestErrorCode.INTERNAL, why)
        with suppress(WebSocketDisconnected):
            await self.refuse(operation.id, error.message, error.code, **error.extensions)

    async def cleanup_operation(self, operation_id: str) -> None:
        """Stop an operation, if it is under way."""
        operation = self.operations.pop(operation_id, None)
        if operation is not None:
            operation.stop()

    async def send_results(self, operation: Operation[Any, None], results: Any) -> None:
        """Send results until they end, or until one says that the operation did not run or broke off."""
        async for result in results:
            if isinstance(result, PreExecutionError):
                await operation.send_initial_errors(result.errors or [])
                return
            if not isinstance(result, ExecutionResult):
                await self._reject_incremental_delivery(operation)
                return
            await operation.send_next(result)
        await operation.send_operation_message({"type": "complete", "id": operation.id})

    async def apologise(self, operation: Running) -> None:
        """End an operation that failed for a reason of ours."""
        if self.operations.get(operation.id) is operation:
            del self.operations[operation.id]
            await self.explain(operation, RuntimeError())


async def finish(context: Context) -> None:
    """Close a context; what goes wrong then is the log's, the client has its answer."""
    try:
        await context.close()
    except Exception:
        log.exception("an operation's context did not close")
