"""A setting that is wrong is named in one line, which never repeats what was in it."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from memberstaff.settings import InvalidSettings, Settings, load

SECRET = "s3cr3t-hunter2"
"""What must not be repeated, wherever it landed."""


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what a test sets."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MEMBERSTAFF_{name.upper()}", raising=False)


def complaint(**overrides: Any) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load(**overrides)
    assert refused.value.__suppress_context__
    return str(refused.value)


def test_without_any_setting_it_is_one_process_on_a_file() -> None:
    settings = load()
    assert settings.database_url.get_secret_value() == "sqlite+aiosqlite:///memberstaff.db"
    assert settings.broadcast_url.get_secret_value() == "memory://"
    assert settings.one_process_only
    assert (settings.secret_key, settings.demo, settings.introspection) == (None, False, None)
    assert settings.zone == ZoneInfo("UTC")
    assert settings.working_weekdays == {0, 1, 2, 3, 4}
    assert (settings.allowed_origins, settings.proxy_networks, settings.oidc_roles) == ((), (), {})
    assert (settings.max_depth, settings.max_aliases, settings.max_tokens, settings.max_cost) == (8, 15, 1_000, 5_000)
    assert (settings.max_body_bytes, settings.body_seconds) == (100_000, 5.0)
    assert (settings.poll_seconds, settings.recent_changes) == (2.0, 2_048)


def test_a_variable_that_is_empty_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(f"MEMBERSTAFF_{name.upper()}", "")
    assert load() == Settings()


def test_the_environment_sets_what_it_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERSTAFF_TIME_ZONE", "Europe/Lisbon")
    monkeypatch.setenv("MEMBERSTAFF_WORKING_DAYS", " sun, mon ,")
    monkeypatch.setenv("MEMBERSTAFF_TRUSTED_PROXIES", "10.0.0.0/8, 2001:db8::/32")
    monkeypatch.setenv("MEMBERSTAFF_ALLOWED_ORIGINS", "https://board.example.org,http://localhost:5173")
    monkeypatch.setenv("MEMBERSTAFF_BROADCAST_URL", "rediss://redis.example:6380/2")
    monkeypatch.setenv("MEMBERSTAFF_OIDC_ROLES", '{"teacher": "MARKER"}')
    settings = load()
    assert settings.zone == ZoneInfo("Europe/Lisbon")
    assert settings.working_weekdays == {6, 0}
    assert settings.proxy_networks == (ip_network("10.0.0.0/8"), ip_network("2001:db8::/32"))
    assert settings.allowed_origins == ("https://board.example.org", "http://localhost:5173")
    assert settings.oidc_roles == {"teacher": "MARKER"}
    assert not settings.one_process_only


def test_what_the_command_line_says_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERSTAFF_ORGANISATION", "Hill School")
    assert load(organisation="Lake School").organisation == "Lake School"


WRONG = {
    "database_url": (f"postgres://{SECRET}@db/x", "must name its driver: sqlite+aiosqlite:// or postgresql+asyncpg://"),
    "database_pool_size": ("0", "Input should be greater than or equal to 1"),
    "broadcast_url": (
        f"{SECRET}",
        "must begin with redis://, redis+sentinel:// or redis+cluster://; with TLS, rediss…",
    ),
    "broadcast_channel": ("c" * 101, "String should have at most 100 characters"),
    "secret_key": (SECRET, "is shorter than 32 characters; generate one with `openssl rand -base64 48`"),
    "accepted_secret_key": (SECRET, "is shorter than 32 characters; generate one with `openssl rand -base64 48`"),
    "demo": (SECRET, "Input should be a valid boolean, unable to interpret input"),
    "organisation": (SECRET * 20, "String should have at most 200 characters"),
    "time_zone": (f"Europe/{SECRET}", "is not an IANA time zone such as Europe/Lisbon"),
    "working_days": (f"mon,{SECRET}", "entry 2 is not among mon, tue, wed, thu, fri, sat, sun"),
    "allowed_hosts": (
        f"localhost,https://{SECRET}",
        "entry 2 is not a name such as board.school.example or *.school.example",
    ),
    "allowed_origins": (
        f"https://{SECRET}/path",
        "entry 1 is not an origin as browsers send it, such as https://board.example.org",
    ),
    "cors_headers": (f"X-Tenant,{SECRET}: x", "entry 2 is not the name of a header such as X-Tenant"),
    "image_origins": (
        f"https://[{SECRET}",
        "entry 1 is not an origin as browsers send it, such as https://board.example.org",
    ),
    "trusted_proxies": (f"10.0.0.0/8,{SECRET}", "entry 2 is not a network such as 10.0.0.0/8"),
    "access_token_seconds": (SECRET, "Input should be a valid integer, unable to parse string as an integer"),
    "session_seconds": ("59", "Input should be greater than or equal to 60"),
    "refresh_token_seconds": ("59", "Input should be greater than or equal to 60"),
    "max_import_bytes": ("8e6", "Input should be a valid integer, unable to parse string as an integer"),
    "body_seconds": ("inf", "Input should be a finite number"),
    "ping_seconds": ("nan", "Input should be a finite number"),
    "poll_seconds": ("61", "Input should be less than or equal to 60"),
    "recent_changes": ("-1", "Input should be greater than or equal to 0"),
    "log_level": (SECRET, "Input should be 'debug', 'info', 'warning' or 'error'"),
    "oidc_roles": (f'{{"{SECRET}": "BOSS"}}', "Input should be 'ADMIN', 'MARKER' or 'VIEWER'"),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_setting_is_one_line_that_names_its_variable(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    value, message = WRONG[name]
    monkeypatch.setenv(f"MEMBERSTAFF_{name.upper()}", value)
    assert complaint() == f"MEMBERSTAFF_{name.upper()}: {message}"


@pytest.mark.parametrize("value", [SECRET, "{", "[" * 100_000, f'{{"{SECRET}"'])
def test_roles_that_are_no_json_are_told_what_to_write(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("MEMBERSTAFF_OIDC_ROLES", value)
    assert complaint() == 'MEMBERSTAFF_OIDC_ROLES: is not JSON such as {"teacher":"MARKER"}'


@pytest.mark.parametrize(
    ("entry", "variable"),
    [
        ("board.example.org", "allowed_origins"),
        ("ftp://board.example.org", "allowed_origins"),
        ("https://board.example.org/", "allowed_origins"),
        ("https://board.example.org?x", "allowed_origins"),
        ("https://board.example.org#x", "allowed_origins"),
        (f"https://amina:{SECRET}@board.example.org", "image_origins"),
        ("*", "allowed_origins"),
        ("*", "cors_headers"),
        ("X Tenant", "cors_headers"),
        ("https://*.example.org", "allowed_origins"),
        ("https://board.example.org:443", "allowed_origins"),
        ("http://board.example.org:80", "allowed_origins"),
        ("https://Board.example.org", "allowed_origins"),
        ("HTTPS://board.example.org", "allowed_origins"),
        ("https://board.example.org:99999", "allowed_origins"),
        ("https://board.example.org:", "allowed_origins"),
        ("https://board.example.org?", "allowed_origins"),
        ("https://..", "allowed_origins"),
        ("https://-", "allowed_origins"),
        ("https://[::1", "allowed_origins"),
        ("https://board example.org", "allowed_origins"),
        ("10.0.0.1/8", "trusted_proxies"),
        ("proxy.example", "trusted_proxies"),
        ("Monday", "working_days"),
        ("*", "allowed_hosts"),
        ("*.example", "allowed_hosts"),
        ("board.*.example", "allowed_hosts"),
        ("board.school.example:443", "allowed_hosts"),
        ("board.school.example/", "allowed_hosts"),
        ("https://board.school.example", "allowed_hosts"),
        ("[::1]", "allowed_hosts"),
    ],
)
def test_each_entry_of_a_list_is_looked_at(monkeypatch: pytest.MonkeyPatch, entry: str, variable: str) -> None:
    monkeypatch.setenv(f"MEMBERSTAFF_{variable.upper()}", entry)
    assert complaint().startswith(f"MEMBERSTAFF_{variable.upper()}: entry 1 is not ")


def test_every_wrong_setting_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERSTAFF_DEMO", "perhaps")
    monkeypatch.setenv("MEMBERSTAFF_MAX_DEPTH", "0")
    monkeypatch.setenv("MEMBERSTAFF_OIDC_ROLES", '{"a": "BOSS", "b": "CHIEF"}')
    assert complaint().splitlines() == [
        "MEMBERSTAFF_OIDC_ROLES: Input should be 'ADMIN', 'MARKER' or 'VIEWER'",
        "MEMBERSTAFF_DEMO: Input should be a valid boolean, unable to interpret input",
        "MEMBERSTAFF_MAX_DEPTH: Input should be greater than or equal to 1",
    ]


@pytest.mark.parametrize(
    "origin",
    [
        "https://board.example.org",
        "http://localhost:5173",
        "https://[::1]:8443",
        "http://10.0.0.7",
        "https://xn--bcher-kva.de",
    ],
)
def test_an_origin_as_browsers_send_it_is_accepted(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("MEMBERSTAFF_ALLOWED_ORIGINS", origin)
    assert load().allowed_origins == (origin,)


@pytest.mark.parametrize(
    ("variable", "address"),
    [
        ("BROADCAST_URL", f"redis://:{SECRET}/pw@redis:6379/0"),
        ("BROADCAST_URL", f"redis://:1234/{SECRET}@redis:6379/0"),
        ("BROADCAST_URL", f"redis://:{SECRET}#@redis:6379/0"),
        ("BROADCAST_URL", "redis://"),
        ("DATABASE_URL", f"postgresql+asyncpg://user:x@host:{SECRET}@db:5x/db"),
        ("DATABASE_URL", f"postgresql+asyncpg://user:{SECRET}@db:port/db"),
    ],
)
def test_an_address_with_a_password_that_is_not_encoded_says_so_and_repeats_nothing(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    monkeypatch.setenv(f"MEMBERSTAFF_{variable}", address)
    assert complaint() == (
        f"MEMBERSTAFF_{variable}: is not an address; "
        "characters of a password such as / : @ # are written as %2F, %3A, %40, %23"
    )


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("host=one&host=two", "names hosts otherwise than …@/NAME?host=HOST:PORT&host=HOST:PORT"),
        ("host=one:x&host=two:5432", "names hosts otherwise than …@/NAME?host=HOST:PORT&host=HOST:PORT"),
        ("target_session_attrs=any", "must have target_session_attrs=read-write, or nothing about it"),
        (
            "host=one:1&host=two:2&target_session_attrs=prefer-standby",
            "must have target_session_attrs=read-write, or nothing about it",
        ),
    ],
)
def test_hosts_of_which_one_must_accept_changes(monkeypatch: pytest.MonkeyPatch, query: str, message: str) -> None:
    monkeypatch.setenv("MEMBERSTAFF_DATABASE_URL", f"postgresql+asyncpg://staff:{SECRET}@/school?{query}")
    assert complaint() == f"MEMBERSTAFF_DATABASE_URL: {message}"


@pytest.mark.parametrize("query", ["", "host=one:1&host=two:2", "host=one:1&target_session_attrs=read-write"])
def test_hosts_of_postgresql_are_named_as_sqlalchemy_does(monkeypatch: pytest.MonkeyPatch, query: str) -> None:
    address = f"postgresql+asyncpg://staff:{SECRET}@/school?{query}"
    monkeypatch.setenv("MEMBERSTAFF_DATABASE_URL", address)
    assert load().database_url.get_secret_value() == address


@pytest.mark.parametrize("rest", ["", "/", "/:memory:", "/file:school.db?uri=true", "/school.db?mode=ro"])
def test_sqlite_is_a_file_with_a_plain_name(monkeypatch: pytest.MonkeyPatch, rest: str) -> None:
    monkeypatch.setenv("MEMBERSTAFF_DATABASE_URL", f"sqlite+aiosqlite://{rest}")
    assert complaint() == (
        "MEMBERSTAFF_DATABASE_URL: must name a file, such as sqlite+aiosqlite:///memberstaff.db, without options"
    )


@pytest.mark.parametrize("key", ["a" * 64, "abababab" * 8, "0123456789" * 4, "aabbccdd" * 4])
def test_a_secret_that_repeats_itself_is_refused(monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.setenv("MEMBERSTAFF_SECRET_KEY", key)
    assert complaint() == (
        "MEMBERSTAFF_SECRET_KEY: repeats itself, so it can be guessed; generate one with `openssl rand -base64 48`"
    )


def test_a_secret_that_is_accepted_beside_the_current_one_is_another() -> None:
    secret = f"{SECRET}, and long enough for HS256"
    both = {"secret_key": SecretStr(secret), "accepted_secret_key": SecretStr(secret)}
    assert complaint(**both) == "Settings: MEMBERSTAFF_ACCEPTED_SECRET_KEY must differ from MEMBERSTAFF_SECRET_KEY"


@pytest.mark.parametrize("variable", ["OIDC_ISSUER", "OIDC_JWKS_URL"])
@pytest.mark.parametrize(
    "address",
    [
        "http://id.example.org/keys",
        "file:///etc/passwd",
        "ftp://id.example.org",
        "memberstaff",
        "https://",
        "http://[x",
        "https://id.example.org:99999/keys",
        " https://id.example.org",
        "https://user:password@id.example.org",
    ],
)
def test_a_provider_that_others_could_impersonate_is_refused(
    monkeypatch: pytest.MonkeyPatch, variable: str, address: str
) -> None:
    monkeypatch.setenv(f"MEMBERSTAFF_{variable}", address)
    told = "must be an address that begins with https://; http:// only on this machine"
    assert complaint() == f"MEMBERSTAFF_{variable}: {told}"


@pytest.mark.parametrize("address", ["https://id.example.org/keys", "http://localhost:8080/keys", "http://[::1]/keys"])
def test_a_provider_behind_tls_or_on_this_machine_is_accepted(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    for variable in ("ISSUER", "JWKS_URL"):
        monkeypatch.setenv(f"MEMBERSTAFF_OIDC_{variable}", address)
    monkeypatch.setenv("MEMBERSTAFF_OIDC_AUDIENCE", "board")
    assert load().oidc_jwks_url == address


@pytest.mark.parametrize("given", [{"oidc_issuer"}, {"oidc_issuer", "oidc_audience"}, {"oidc_jwks_url"}])
def test_an_outside_issuer_is_described_whole_or_not_at_all(given: set[str]) -> None:
    expected = "MEMBERSTAFF_OIDC_ISSUER, _AUDIENCE and _JWKS_URL belong together: set all three or none"
    assert complaint(**dict.fromkeys(given, "https://id.example.org")) == f"Settings: {expected}"


def test_silence_is_longer_than_the_time_between_pings() -> None:
    message = "MEMBERSTAFF_SILENCE_SECONDS must be more than MEMBERSTAFF_PING_SECONDS"
    assert complaint(ping_seconds=20, silence_seconds=20) == f"Settings: {message}"


def test_a_setting_that_does_not_exist_is_refused() -> None:
    assert complaint(colour=SECRET) == "MEMBERSTAFF_COLOUR: Extra inputs are not permitted"


def test_settings_that_are_printed_show_no_secret() -> None:
    settings = load(
        secret_key=SecretStr(f"{SECRET}, and long enough for HS256"),
        database_url=SecretStr(f"postgresql+asyncpg://{SECRET}@db/memberstaff"),
    )
    assert SECRET not in repr(settings)
    assert SECRET not in str(settings.model_dump())


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


@given(name=st.sampled_from(sorted(Settings.model_fields)), value=st.text(min_size=10, max_size=40))
def test_no_complaint_repeats_what_was_set(name: str, value: str) -> None:
    try:
        load(**{name: value})
    except InvalidSettings as refused:
        whole = ("Settings: MEMBERSTAFF_OIDC_ISSUER, ", "Settings: MEMBERSTAFF_ECHO_CHANNEL needs Redis")
        assert str(refused).startswith((f"MEMBERSTAFF_{name.upper()}: ", *whole))
        assert "\n" not in str(refused)
        assert value not in str(refused)


def test_a_misspelt_setting_is_told_and_not_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERSTAFF_SECRET_KY", "hunter2")
    monkeypatch.setenv("MEMBERSTAFF_TEST_REDIS_URL", "redis://the-tests-own")
    with pytest.raises(InvalidSettings) as told:
        load()
    assert str(told.value) == ("MEMBERSTAFF_SECRET_KY: there is no such setting; did you mean MEMBERSTAFF_SECRET_KEY?")


@pytest.mark.parametrize("everybody", ["0.0.0.0/0", "::/0"])
def test_not_everybody_is_a_trusted_proxy(monkeypatch: pytest.MonkeyPatch, everybody: str) -> None:
    monkeypatch.setenv("MEMBERSTAFF_TRUSTED_PROXIES", f"10.0.0.0/8, {everybody}")
    with pytest.raises(InvalidSettings) as invalid:
        load()
    told = "entry 2 is everybody, who could then claim any address; name the proxy's"
    assert str(invalid.value) == f"MEMBERSTAFF_TRUSTED_PROXIES: {told}"
