"""Every setting, read as MEMBERSTAFF_… from the environment or a file; each with its unit and default."""

from __future__ import annotations

import os
from collections.abc import Iterator
from difflib import get_close_matches
from functools import cached_property
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, model_validator
from pydantic_settings import SettingsError

from memberstaff.deployment import GENERATE, PREFIX, WEEKDAYS, Deployment
from memberstaff.keyring import Keyring

SECRETS = Path("/run/secrets")
"""Where Docker, Podman, Compose and our manifests for Kubernetes put the files of secrets."""
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The variable by which systemd names the folder of a service's credentials."""


class InvalidSettings(Exception):
    """The settings are invalid; the message says what to change."""


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
        "per /56 and four times per /48. With a refresh token or an expired token of ours they count by session.",
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
    body_seconds: float = Field(
        5.0, gt=0, description="Time to receive a request's body; an import's may take twelve times as long."
    )

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
        "since a page loads over several. Never more than half of what the process may open. For "
        "IPv6 per /64, twice as many per /56 and four times per /48.",
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


def load(**overrides: Any) -> Settings:
    """Read the settings from the environment, or else from files; `overrides` win over both.

    Raises InvalidSettings with a line for each invalid setting. It repeats no value, which may be a password put
    into the wrong variable.
    """
    folders = list(_folders())
    if unknown := sorted(_unknown(folders)):
        raise InvalidSettings("\n".join(unknown))
    try:
        return Settings(_secrets_dir=folders or None, **overrides)
    except SettingsError as error:
        raise InvalidSettings(_unreadable(error.__cause__, folders)) from None
    except ValidationError as error:
        lines: dict[str, None] = {}
        for problem in error.errors(include_input=False, include_url=False):
            # Only the variable's name: what follows it are keys of its value.
            name = f"{PREFIX}{problem['loc'][0]}".upper() if problem["loc"] else "Settings"
            lines[f"{name}: {problem['msg'].removeprefix('Value error, ')}"] = None
        raise InvalidSettings("\n".join(lines)) from None


def _unreadable(cause: BaseException | None, folders: list[Path]) -> str:
    """Why a file could not be read."""
    if isinstance(cause, OSError):
        return f"{cause.filename} cannot be read: {cause.strerror}"
    return f"A file in {' or '.join(map(str, folders))} is not text in UTF-8"


def _folders() -> Iterator[Path]:
    """Of files that hold a setting each; what stands in the second wins. Raises InvalidSettings."""
    if os.access(SECRETS, os.R_OK | os.X_OK):  # on a whole machine it may be somebody else's
        yield SECRETS
    credentials = Path(os.environ.get(CREDENTIALS) or SECRETS)
    if credentials != SECRETS and credentials.is_dir():
        if not os.access(credentials, os.R_OK | os.X_OK):
            raise InvalidSettings(f"{credentials}, which {CREDENTIALS} names, cannot be read by this user")
        yield credentials


def _unknown(folders: list[Path]) -> Iterator[str]:
    """What is named like a setting and is none."""
    known = {f"{PREFIX}{name}".upper() for name in Settings.model_fields}
    names = {name: name for name in os.environ if name.startswith(PREFIX) and not name.startswith(f"{PREFIX}TEST_")}
    for file in (file for folder in folders for file in folder.iterdir()):
        if file.name.upper().startswith(PREFIX):
            names[str(file)] = file.name.upper()
    for place, name in names.items():
        if name not in known:
            guess = get_close_matches(name, known, n=1)
            yield f"{place}: there is no such setting{f'; did you mean {guess[0]}?' if guess else ''}"
