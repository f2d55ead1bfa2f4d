"""The parts of other packages that memberstaff builds on although nobody promises that they stay.

Without one of them a server would start, say that it is ready, and fail each socket; it refuses to start instead.
"""

from __future__ import annotations

from dis import get_instructions
from importlib.metadata import version
from types import FunctionType

from graphql.execution import Executor
from sqlalchemy.engine.default import DefaultDialect
from strawberry import Schema
from uvicorn import Config
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

PARTS: dict[type, tuple[str, ...]] = {
    HttpToolsProtocol: (
        "_start_asgi_task",
        "_unset_keepalive_if_required",
        "app_state",
        "client",
        "config",
        "connection_lost",
        "connection_made",
        "connections",
        "cycle",
        "data_received",
        "expect_100_continue",
        "flow",
        "handle_websocket_upgrade",
        "headers",
        "loop",
        "on_body",
        "on_header",
        "on_headers_complete",
        "on_message_begin",
        "on_message_complete",
        "on_response_complete",
        "on_url",
        "parser",
        "pause_writing",
        "pipeline",
        "resume_writing",
        "scope",
        "send_400_response",
        "server_state",
        "shutdown",
        "transport",
        "url",
        "ws_protocol_class",
    ),
    RequestResponseCycle: (
        "body",
        "disconnected",
        "keep_alive",
        "message_event",
        "more_body",
        "receive",
        "response_complete",
        "response_started",
        "scope",
        "transport",
        "waiting_for_100_continue",
    ),
    FlowControl: ("write_paused",),
    WebSocketsSansIOProtocol: (
        "app",
        "app_state",
        "client",
        "close_sent",
        "close_timeout",
        "close_timer",
        "config",
        "conn",
        "connection_lost",
        "connections",
        "curr_msg_data_type",
        "default_headers",
        "disconnected",
        "frames",
        "handle_connect",
        "handle_parser_exception",
        "handle_ping",
        "handle_text",
        "handshake_complete",
        "handshake_initiated",
        "keepalive_timeout",
        "logger",
        "loop",
        "on_task_complete",
        "pause_writing",
        "pending_ping_payload",
        "ping_timeout",
        "pong_timer",
        "queue",
        "read_paused",
        "receive",
        "request",
        "response",
        "resume_writing",
        "run_asgi",
        "scope",
        "send",
        "send_500_response",
        "send_keepalive_ping",
        "send_receive_event_to_app",
        "server",
        "shutdown",
        "start_keepalive",
        "tasks",
        "transport",
        "writable",
    ),
    Config: ("http_protocol_class", "load", "ssl"),
    Process: ("child_conn", "pid"),
    Multiprocess: ("keep_subprocess_alive", "processes", "run", "sockets", "terminate_all"),
    Executor: (
        "_relevant_sub_fields",
        "build_per_event_executor",
        "collect_subfields",
        "complete_list_value",
        "complete_object_value",
        "operation",
    ),
    Schema: ("_schema", "execute"),
    DefaultDialect: ("_do_ping_w_event",),
}
"""Methods and attributes by the class that must have them."""


def missing(parts: dict[type, tuple[str, ...]] = PARTS) -> list[str]:
    """What the installed packages lack: a sentence for each."""
    return [
        f"{_package(owner)} has no {owner.__module__}.{owner.__name__}.{name}."
        for owner, wanted in parts.items()
        for name in sorted(set(wanted) - names(owner))
    ]


def names(owner: type) -> set[str]:
    """The methods and attributes of a class and its instances: what it has, and what its methods set."""
    found = set(dir(owner))
    for member in (member for class_ in owner.__mro__ for member in vars(class_).values()):
        if isinstance(member, FunctionType):
            found.update(each.argval for each in get_instructions(member) if each.opname == "STORE_ATTR")
    return found


def _package(owner: type) -> str:
    name = owner.__module__.partition(".")[0]
    distribution = {"graphql": "graphql-core", "strawberry": "strawberry-graphql"}.get(name, name)
    return f"{distribution} {version(distribution)}"
