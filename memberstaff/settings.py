"""Every setting, read from the environment as MEMBERSTAFF_…; each with its unit and default."""

from __future__ import annotations

import json
import os
from difflib import get_close_matches
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from memberstaff.addresses import is_host_pattern, is_origin, is_private
from memberstaff.changes import Status
from memberstaff.keyring import Keyring

PREFIX = "MEMBERSTAFF_"
SMALLEST_SECRET = 32
"""Characters; HS256 needs a key as long as its 256-bit hash."""
GENERATE = "generate one with `openssl rand -base64 48`"
ENCODED = "characters of a password such as / : @ # are written as %2F, %3A, %40, %23"
FEWEST_CHARACTERS = 8
"""Different ones in it."""


class InvalidSettings(Exception):
    """The settings are invalid; the message says what to change."""


CommaSeparated = Annotated[tuple[str, ...], NoDecode]


class Deployment(BaseSettings):
    """What to set: what differs from one installation to another. The first part of docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, allow_inf_nan=False)

    # Database, Redis and secrets
    database_url: SecretStr = Field(
        SecretStr("sqlite+aiosqlite:///memberstaff.db"),
        description="The database: sqlite+aiosqlite:///FILE or postgresql+asyncpg://USER:PASSWORD@HOST/NAME; "
        "without one, the file memberstaff.db.",
    )
    broadcast_url: SecretStr = Field(
        SecretStr("memory://"),
        description="Pub/sub: redis://HOST:PORT/DB or rediss://…; without one, memory://, for one process only.",
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

    # Features
    introspection: bool | None = Field(None, description="Allow introspection to everyone; default: in demo mode only.")
    playground: bool | None = Field(None, description="Serve GraphiQL at /graphiql; default: in demo mode only.")
    metrics: bool = Field(False, description="Serve /metrics for Prometheus, to anybody who can reach this server.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged.")
    log_format: Literal["console", "json"] = Field("console", description="Format of the log.")

    # Front ends that use Laravel Echo (docs/from-laravel.md)
    echo_key: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]{1,64}$",
        description="App key of Laravel Echo; without one /app is not served, except in demo mode (`memberstaff`).",
    )
    echo_public: bool = Field(
        False, description="Open the channel `attendance`, without notes and photos of marks, to anybody."
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


class Settings(Deployment):
    """All settings of this installation: with what to leave alone, the second part of docs/settings.md.

    Build them with `load()`, which explains errors in plain words.
    """

    # The demo, which sets both itself
    demo: bool = Field(
        False, description="Set by `memberstaff serve --demo`: playground, introspection and an Echo key for anybody."
    )

    # Sessions and logins
    access_token_seconds: int = Field(900, ge=10, le=86_400, description="Lifetime of an access token.")
    refresh_token_seconds: int = Field(
        30 * 86_400, ge=60, le=366 * 86_400, description="Lifetime of a session without a refresh."
    )
    display_token_seconds: int = Field(
        90 * 86_400, ge=60, le=366 * 86_400, description="The same for a VIEWER, such as a wall display."
    )
    session_seconds: int = Field(
        90 * 86_400, ge=60, le=3_660 * 86_400, description="Lifetime of a session, however often it is refreshed."
    )
    display_session_seconds: int = Field(
        366 * 86_400, ge=60, le=3_660 * 86_400, description="The same for a VIEWER, such as a wall display."
    )
    refresh_grace_seconds: int = Field(
        30,
        ge=0,
        le=300,
        description="How long a used refresh token gets the same successor again (two tabs, a lost answer).",
    )
    logins_per_minute: int = Field(5, ge=1, description="Login attempts per account and address, or known device.")
    logins_per_minute_per_address: int = Field(
        100, ge=1, description="Login attempts per address, which a school shares; known devices are not counted."
    )
    wrong_logins_per_hour: int = Field(
        60,
        ge=1,
        description="Wrong login attempts per account, from all new devices together; as many from each other.",
    )
    refreshes_per_minute: int = Field(60, ge=1, description="Refreshes per session: a page needs one when it opens.")

    anonymous_requests_per_minute: int = Field(
        300,
        ge=1,
        description="GraphQL requests without a valid login, per address and process; for IPv6 per /64, twice as many "
        "per /56 and four times per /48. With a refresh token of ours they count by session.",
    )

    # Limits of documents and requests
    max_depth: int = Field(8, ge=1, description="Nesting depth of a GraphQL document.")
    max_aliases: int = Field(15, ge=0, description="Aliases in a document; fragments count once per spread.")
    max_directives: int = Field(9, ge=0, description="Directives in a document.")
    max_tokens: int = Field(1_000, ge=10, description="Lexical tokens of a document.")
    max_characters: int = Field(10_000, ge=100, description="Characters of a document.")
    max_root_fields: int = Field(10, ge=1, description="Top-level fields of an operation.")
    max_cost: int = Field(5_000, ge=1, description="Objects in a response, with list sizes multiplied.")
    max_subscription_cost: int = Field(500, ge=1, description="The same for each event of a subscription.")
    max_body_bytes: int = Field(100_000, ge=1_000, description="Size of a GraphQL request.")
    max_import_bytes: int = Field(8_000_000, ge=1_000, description="Size of a request that imports a roster.")
    headers_seconds: float = Field(30.0, gt=0, description="Time to receive a request's headers.")
    body_seconds: float = Field(5.0, gt=0, description="Time to receive a request's body.")

    # Limits of sockets and event streams
    max_frame_bytes: int = Field(65_536, ge=1_024, description="Size of a WebSocket message from a client.")
    messages_per_second: float = Field(20.0, gt=0, description="WebSocket messages from a client, sustained.")
    message_burst: int = Field(100, ge=1, description="WebSocket messages from a client, at once.")
    max_operations_per_socket: int = Field(20, ge=1, description="Concurrent GraphQL operations on a socket.")
    max_sockets_per_account: int = Field(100, ge=1, description="WebSockets and event streams per account and process.")
    max_sockets_per_address: int = Field(
        5_000, ge=1, description="WebSockets and event streams per address, which a school shares, and process."
    )
    max_connections_per_address: int = Field(
        15_000,
        ge=1,
        description="TCP connections per address and process, whatever they say; three for each board of a school, "
        "since a page loads over several. Never more than half of what the process may open; IPv6 by /64.",
    )
    init_seconds: float = Field(5.0, gt=0, description="Time for `connection_init` after a socket opens.")
    max_backlog_bytes: int = Field(1_048_576, ge=65_536, description="Data that may be queued for a client.")
    ping_seconds: float = Field(20.0, gt=0, description="Interval of the server's WebSocket pings.")
    silence_seconds: float = Field(45.0, gt=0, description="Silence after which a client counts as gone.")
    echo_idle_seconds: float = Field(30.0, gt=0, description="How long an Echo socket may stay without a channel.")
    drain_seconds: float = Field(5.0, ge=0, description="Time over which open sockets close at shutdown.")
    shutdown_seconds: int = Field(20, ge=1, description="Time that a shutdown may take.")

    # The database, the live feed and the caches of a process
    database_pool_size: int = Field(10, ge=1, le=500, description="Database connections of one process, at most.")
    database_seconds: float = Field(
        5.0, ge=0.1, le=600, description="Time for PostgreSQL's answer: a connection, a lock, a statement, a commit."
    )
    poll_seconds: float = Field(
        2.0, gt=0, le=60, description="How often a quiet feed asks the database for missed changes."
    )
    recent_changes: int = Field(2_048, ge=0, description="Changes cached for each watched day.")
    max_groups: int = Field(
        1_000,
        ge=1,
        description="Different subscriptions of a process; above it accounts get fair shares, up to twice as many.",
    )
    max_groups_per_account: int = Field(
        100, ge=1, description="Different subscriptions of one account, and so the days that it watches."
    )
    max_event_cost_per_account: int = Field(
        5_000, ge=1, description="Objects that an event may send to all subscriptions of one account."
    )
    rendering_cache_bytes: int = Field(
        16_777_216, ge=0, description="Cache of rendered changes, for boards that catch up."
    )
    response_cache_bytes: int = Field(67_108_864, ge=0, description="Cache of responses with a day's board.")
    document_cache_bytes: int = Field(
        54_000_000, ge=0, description="Cache of parsed GraphQL documents, each counted as 270 times its text."
    )
    board_cache_boards: int = Field(
        16, ge=1, description="Cache of days' records: boards of up to 1,000 people, a megabyte each."
    )
    token_cache_tokens: int = Field(
        10_000, ge=0, description="Cache of verified access tokens, ours and the OIDC issuer's, each under a kilobyte."
    )
    max_replay: int = Field(100_000, ge=1, description="Changes that a feed may replay when it resumes.")

    @field_validator(
        "allowed_hosts", "allowed_origins", "trusted_proxies", "working_days", "image_origins", mode="before"
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

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, networks: tuple[str, ...]) -> tuple[str, ...]:
        for number, network in enumerate(networks, start=1):
            try:
                ip_network(network)
            except ValueError:
                raise ValueError(f"entry {number} is not a network such as 10.0.0.0/8") from None
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
        if address.get_backend_name() == "sqlite":
            file = address.database or ""
            if file in {"", ":memory:"} or file.startswith("file:") or address.query:
                raise ValueError("must name a file, such as sqlite+aiosqlite:///memberstaff.db, without options")
        return url

    @field_validator("broadcast_url")
    @classmethod
    def _broadcast(cls, url: SecretStr) -> SecretStr:
        text = url.get_secret_value()
        if not text.startswith(("memory://", "redis://", "rediss://")):
            raise ValueError("must begin with memory://, redis:// or rediss://")
        try:
            parts = urlsplit(text)
            is_whole = text.startswith("memory:") or (bool(parts.hostname) and parts.port != 0)
        except ValueError:
            is_whole = False
        if not is_whole or "@" in parts.path:
            raise ValueError(f"is not an address; {ENCODED}")
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

    @model_validator(mode="after")
    def _combinations(self) -> Settings:
        oidc = (self.oidc_issuer, self.oidc_audience, self.oidc_jwks_url)
        if any(oidc) and not all(oidc):
            raise ValueError(f"{PREFIX}OIDC_ISSUER, _AUDIENCE and _JWKS_URL belong together: set all three or none")
        if self.accepted_secret_key is not None and self.accepted_secret_key == self.secret_key:
            raise ValueError(f"{PREFIX}ACCEPTED_SECRET_KEY must differ from {PREFIX}SECRET_KEY")
        if self.echo_channel is not None and self.one_process_only:
            raise ValueError(f"{PREFIX}ECHO_CHANNEL needs Redis: set {PREFIX}BROADCAST_URL")
        if self.silence_seconds <= self.ping_seconds:
            raise ValueError(f"{PREFIX}SILENCE_SECONDS must be more than {PREFIX}PING_SECONDS")
        return self

    @cached_property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    @cached_property
    def keyring(self) -> Keyring:
        """The keys of the secrets. Raises InvalidSettings without a secret key."""
        if self.secret_key is None:
            raise InvalidSettings(f"{PREFIX}SECRET_KEY: is missing; {GENERATE}")
        accepted = self.accepted_secret_key
        return Keyring(self.secret_key.get_secret_value(), accepted.get_secret_value() if accepted else None)

    @cached_property
    def working_weekdays(self) -> frozenset[int]:
        """Working days as Python numbers them: Monday is 0."""
        return frozenset(WEEKDAYS.index(day) for day in self.working_days)

    @cached_property
    def proxy_networks(self) -> tuple[IPv4Network | IPv6Network, ...]:
        return tuple(ip_network(network) for network in self.trusted_proxies)

    @property
    def introspects_to_anybody(self) -> bool:
        """Whether introspection needs no login."""
        return self.demo if self.introspection is None else self.introspection

    @property
    def one_process_only(self) -> bool:
        """Whether changes reach only the process that made them."""
        return self.broadcast_url.get_secret_value().startswith("memory:")


WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def load(**overrides: Any) -> Settings:
    """Read the settings from the environment; `overrides` win over it.

    Raises InvalidSettings with a line for each invalid setting. It repeats no value, which may be a password put
    into the wrong variable.
    """
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    ours = {name for name in os.environ if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_")}
    if unknown := sorted(ours - known):
        guesses = {name: get_close_matches(name, known, n=1) for name in unknown}
        raise InvalidSettings(
            "\n".join(
                f"{name}: there is no such setting{f'; did you mean {guess[0]}?' if guess else ''}"
                for name, guess in guesses.items()
            )
        )
    try:
        return Settings(**overrides)
    except ValidationError as error:
        lines: dict[str, None] = {}
        for problem in error.errors(include_input=False, include_url=False):
            # Only the variable's name: what follows it are keys of its value.
            name = f"{PREFIX}{problem['loc'][0]}".upper() if problem["loc"] else "Settings"
            lines[f"{name}: {problem['msg'].removeprefix('Value error, ')}"] = None
        raise InvalidSettings("\n".join(lines)) from None
