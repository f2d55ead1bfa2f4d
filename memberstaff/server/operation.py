"""One operation on a socket, from its `subscribe` to its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from strawberry.http import process_result
from strawberry.subscriptions.protocols.graphql_transport_ws.handlers import Operation
from strawberry.subscriptions.protocols.graphql_transport_ws.types import Message
from strawberry.types.execution import ExecutionResult

from memberstaff.engine.request import OperationRequest
from memberstaff.server.event_streams import encode

if TYPE_CHECKING:
    from memberstaff.server.graphql_transport_ws import SocketHandler

NO_REQUEST = OperationRequest("", None, None, None)


class Running(Operation[Any, None]):
    """An operation that knows when it is no longer the one that its id stands for."""

    handler: SocketHandler

    def __init__(self, handler: SocketHandler, operation_id: str, request: OperationRequest) -> None:
        super().__init__(handler, operation_id, request.query, request.variables, request.operation_name)
        self.request = request
        self.leave: Callable[[], None] | None = None
        """How it leaves the group that sends it its results; without one its task does."""

    def forget_request(self) -> None:
        """Let go of what a group has taken over: a thousand members need not each keep their document."""
        self.query, self.variables, self.request = "", None, NO_REQUEST

    def stop(self) -> None:
        """Send nothing any more, from this moment on."""
        if self.leave is not None:
            self.leave()
        if self.task is not None:
            self.task.cancel()

    async def send_operation_message(self, message: Message) -> None:
        """Send one of the operation's own messages."""
        if self.handler.operations.get(self.id) is self:
            await super().send_operation_message(message)

    async def send_next(self, execution_result: ExecutionResult) -> None:
        """Send a result, its keys in the order in which a group's are."""
        if not self.completed and self.handler.operations.get(self.id) is self:
            text = encode(process_result(execution_result))
            await self.handler.websocket.send_text(f'{{"type":"next","payload":{text},"id":{json.dumps(self.id)}}}')
