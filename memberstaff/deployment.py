"""What to set: what differs from one installation to another, each with its unit and default."""

from __future__ import annotations

import json
import re
from ipaddress import ip_network
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from memberstaff.addresses import ENCODED, is_host_pattern, is_origin, is_private
from memberstaff.changes import Status
from memberstaff.redis_client import FORMS as REDIS_FORMS
from memberstaff.redis_client import parse as parse_redis

PREFIX = "MEMBERSTAFF_"
SMALLEST_SECRET = 32
"""Characters; HS256 needs a key as long as its 256-bit hash."""
GENERATE = "generate one with `openssl rand -base64 48`"
FEWEST_CHARACTERS = 8
"""Different ones in it."""
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")

HEADER_NAME = re.compile(r"[!#$%&'+.^_`|~0-9A-Za-z-]+")
"""A token of RFC 9110, but for `*`, which would mean all of them."""

CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Deployment(BaseSettings):
    """What to set: what differs from one installation to another. The first part of docs/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True, allow_inf_nan=False
    )

    # Database, Redis and secrets
    database_url: SecretStr = Field(
        SecretStr("sqlite+aiosqlite:///memberstaff.db"),
        description="The database: sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME, or "
        "…@/NAME?host=HOST:PORT&host=HOST:PORT (docs/postgresql.md); without one, the file memberstaff.db.",
    )
    database_pgbouncer: bool = Field(
        False, description="The database is reached by PgBouncer with pool_mode = transaction (docs/postgresql.md)."
    )
    broadcast_url: SecretStr = Field(
        SecretStr("memory://"),
        description=f"Redis: {', '.join(REDIS_FORMS)}, or rediss… with TLS (docs/redis.md); without one, memory://, "
        "for one process only.",
    )
    broadcast_channel: str = Field(
        "memberstaff", min_length=1, max_length=100, description="Redis channel; each installation needs its own."
    )
    secret_key: SecretStr | None = Field(
        None,
        description="Signs tokens and seals what crosses Redis; "
        f"at least {SMALLEST_SECRET} characters, the same on every node.",
    )
    accepted_secret_key: SecretStr | None = Field(
        None, description="What it signed is accepted too, while the secret is being changed: docs/secrets.md."
    )

    # The organisation
    organisation: str = Field("memberstaff", min_length=1, max_length=200, description="The organisation's name.")
    time_zone: str = Field("UTC", description="IANA time zone, such as Europe/Lisbon; decides which day is today.")
    working_days: CommaSeparated = Field(
        ("mon", "tue", "wed", "thu", "fri"), description="Working days, unless a day says otherwise."
    )

    audit_days: int = Field(
        730, ge=0, le=36_500, description="Days that the audit log is kept (docs/retention.md); 0 keeps it for ever."
    )

    # Where this server, front ends and proxies are
    allowed_hosts: CommaSeparated = Field(
        (),
        description="Names under which this server is reached, such as attendance.school.example, or *.school.example "
        "for all below. Others are refused, but for localhost, this machine's own name and IP addresses.",
    )
    allowed_origins: CommaSeparated = Field(
        (), description="Origins of front ends on other hosts, such as https://board.example.org."
    )
    cors_headers: CommaSeparated = Field(
        (),
        description="More request headers that those front ends send, such as X-Tenant. Those of the usual GraphQL "
        "clients, of OpenTelemetry and of Sentry are allowed.",
    )
    trusted_proxies: CommaSeparated = Field(
        (), description="Networks whose X-Forwarded-For is trusted, such as 10.0.0.0/8."
    )
    image_origins: CommaSeparated = Field((), description="Other origins whose photos the dashboard may show.")

    # OpenID Connect; all of it or nothing
    oidc_issuer: str | None = Field(None, description="Identity provider whose tokens are accepted too: their `iss`.")
    oidc_audience: str | None = Field(None, description="The `aud` that its tokens must have.")
    oidc_jwks_url: str | None = Field(None, description="URL of its public keys (JWKS).")
    oidc_role_claim: str = Field(
        "role", description="Claim that holds the role: its name, or else a dotted path, such as realm_access.roles."
    )
    oidc_roles: Annotated[dict[str, Literal["ADMIN", "MARKER", "VIEWER"]], NoDecode] = Field(
        default_factory=dict, description='JSON map from claim values to roles, such as {"teacher":"MARKER"}.'
    )

    # Marks
    late_mark_days: int = Field(
        7,
        ge=0,
        le=3_660,
        description="How old a mark may be that comes late, from a desk without a network (`occurredAt`).",
    )
    correction_days: int = Field(
        1, ge=0, le=366, description="How many days before today a MARKER may mark, too, until they are locked."
    )
    viewers_see_times: bool = Field(False, description="Show a VIEWER when people came and left.")

    # Features
    introspection: bool | None = Field(
        None, description="Allow introspection, and /schema.graphql, to everyone; default: in demo mode only."
    )
    playground: bool | None = Field(
        None,
        description="Serve GraphiQL at /graphiql and, where introspection is allowed to everyone, the schema's "
        "reference at /reference; default: in demo mode only.",
    )
    metrics: bool = Field(
        False,
        description="Serve /metrics for Prometheus, to anybody who can reach this server: by its IP address, or by a "
        "name in MEMBERSTAFF_ALLOWED_HOSTS.",
    )
    tracing: bool = Field(
        False,
        description="Send traces by OpenTelemetry to what the OTEL_… variables name; needs memberstaff[tracing] "
        "(docs/tracing.md).",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    log_format: Literal["console", "json"] = Field("console", description="Format of the log.")

    # Front ends that use Laravel Echo (docs/from-laravel.md)
    echo_key: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="App key of Laravel Echo; without one /app is not served, except in demo mode (`memberstaff`).",
    )
    echo_public: bool = Field(
        False,
        description="Open the channel `attendance` to anybody: names and statuses, but no notes, reasons, photos of "
        "marks or times.",
    )
    echo_statuses: Annotated[dict[Status, str], NoDecode] = Field(
        default_factory=dict, description='JSON map from statuses to names for Echo, such as {"HALF_DAY":"half-day"}.'
    )
    echo_flat: bool = Field(False, description="Send the event's fields at the top level, not in `attendanceData`.")
    echo_channel: str | None = Field(
        None,
        min_length=1,
        max_length=100,
        description="Redis channel from which laravel-echo-server reads changes, such as attendance.",
    )
    echo_prefix: str = Field("", max_length=100, description="Prefix of that channel: Laravel's REDIS_PREFIX.")

    @field_validator(
        *("allowed_hosts", "allowed_origins", "cors_headers", "trusted_proxies", "working_days", "image_origins"),
        mode="before",
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    # A validator's message never repeats the value, which may be a password put into the wrong variable.

    @field_validator("oidc_roles", "echo_statuses", mode="before")
    @classmethod
    def _json(cls, value: Any, field: ValidationInfo) -> Any:
        try:
            return json.loads(value) if isinstance(value, str) else value
        except (ValueError, RecursionError):
            example = '{"teacher":"MARKER"}' if field.field_name == "oidc_roles" else '{"HALF_DAY":"half-day"}'
            raise ValueError(f"is not JSON such as {example}") from None

    @field_validator("allowed_hosts")
    @classmethod
    def _hosts(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for number, name in enumerate(names, start=1):
            if not is_host_pattern(name):
                raise ValueError(f"entry {number} is not a name such as board.school.example or *.school.example")
        return names

    @field_validator("allowed_origins", "image_origins")
    @classmethod
    def _origins(cls, origins: tuple[str, ...]) -> tuple[str, ...]:
        for number, origin in enumerate(origins, start=1):
            if not is_origin(origin):
                raise ValueError(
                    f"entry {number} is not an origin as browsers send it, such as https://board.example.org"
                )
        return origins

    @field_validator("cors_headers")
    @classmethod
    def _headers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for number, name in enumerate(names, start=1):
            if not HEADER_NAME.fullmatch(name):
                raise ValueError(f"entry {number} is not the name of a header such as X-Tenant")
        return names

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for number, network in enumerate(networks, start=1):
            try:
                trusts_everybody = ip_network(network).prefixlen == 0
            except ValueError:
                raise ValueError(f"entry {number} is not a network such as 10.0.0.0/8") from None
            if trusts_everybody:
                raise ValueError(f"entry {number} is everybody, who could then claim any address; name the proxy's")
        return networks

    @field_validator("working_days")
    @classmethod
    def _weekdays(cls, days: tuple[str, ...]) -> tuple[str, ...]:
        for number, day in enumerate(days, start=1):
            if day not in WEEKDAYS:
                raise ValueError(f"entry {number} is not among {', '.join(WEEKDAYS)}")
        return days

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError):
            raise ValueError("is not an IANA time zone such as Europe/Lisbon") from None
        return name

    @field_validator("database_url")
    @classmethod
    def _database(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if not text.startswith(("sqlite+aiosqlite://", "postgresql+asyncpg://")):
            raise ValueError("must name its driver: sqlite+aiosqlite:// or postgresql+asyncpg://")
        try:
            address = make_url(text)
        except (ArgumentError, ValueError):
            raise ValueError(f"is not an address; {ENCODED}") from None
        if address.get_backend_name() == "postgresql":
            _require_primary(address)
        else:
            file = address.database or ""
            if file in {"", ":memory:"} or file.startswith("file:") or address.query:
                raise ValueError("must name a file, such as sqlite+aiosqlite:///memberstaff.db, without options")
        return url

    @field_validator("broadcast_url")
    @classmethod
    def _broadcast(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if not text.startswith("memory://"):
            parse_redis(text)
        return url

    @field_validator("secret_key", "accepted_secret_key")
    @classmethod
    def _secret(cls, key: SecretStr | None) -> SecretStr | None:
        text = key.get_secret_value() if key else ""
        if key is not None and len(text) < SMALLEST_SECRET:
            raise ValueError(f"is shorter than {SMALLEST_SECRET} characters; {GENERATE}")
        if key is not None and (len(set(text)) < FEWEST_CHARACTERS or text in (text + text)[1:-1]):
            raise ValueError(f"repeats itself, so it can be guessed; {GENERATE}")
        return key

    @field_validator("oidc_issuer", "oidc_jwks_url")
    @classmethod
    def _provider(cls, address: str | None) -> str | None:
        if address is not None and not is_private(address):
            raise ValueError("must be an address that begins with https://; http:// only on this machine")
        return address


def _require_primary(address: URL) -> None:
    """Raise ValueError if the address could lead to a standby."""
    try:
        address.get_dialect()().create_connect_args(address)
    except ArgumentError:
        raise ValueError("names hosts otherwise than …@/NAME?host=HOST:PORT&host=HOST:PORT") from None
    if address.query.get("target_session_attrs", "primary") not in {"primary", "read-write"}:
        raise ValueError("must have target_session_attrs=read-write, or nothing about it")
