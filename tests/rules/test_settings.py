"""Settings: a wrong one is a line that names its variable, and never repeats its value."""

from __future__ import annotations

import pytest

from memberstaff.settings import InvalidSettings, load

GOOD = "k" * 32


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("DATABASE_URL", "postgresql://u:hunter2@db/x", "must name its driver"),
        ("BROADCAST_URL", "amqp://hunter2@mq", "must be memory://, redis:// or rediss://"),
        ("SECRET_KEY", "hunter2", "is shorter than 32 characters"),
        ("TIME_ZONE", "Mars/hunter2", "is not an IANA time zone"),
        ("ALLOWED_ORIGINS", "https://a.example/hunter2", "is not an origin"),
        ("WORKING_DAYS", "mon,hunter2", "are not among"),
        ("POLL_SECONDS", "hunter2", "should be a valid number"),
        ("MAX_DEPTH", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str) -> None:
    monkeypatch.setenv("MEMBERSTAFF_SECRET_KEY", GOOD)
    monkeypatch.setenv(f"MEMBERSTAFF_{variable}", value)
    with pytest.raises(InvalidSettings) as told:
        load()
    [line] = str(told.value).splitlines()
    assert line.startswith(f"MEMBERSTAFF_{variable}")
    assert words in line
    if variable in {"DATABASE_URL", "BROADCAST_URL", "SECRET_KEY"}:
        assert "hunter2" not in line


def test_an_outside_issuer_is_set_whole_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERSTAFF_OIDC_ISSUER", "https://login.example")
    with pytest.raises(InvalidSettings, match="set all three or none"):
        load()


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERSTAFF_ALLOWED_ORIGINS", "https://a.example, https://b.example:8443")
    monkeypatch.setenv("MEMBERSTAFF_WORKING_DAYS", "sun,mon")
    settings = load()
    assert settings.allowed_origins == ("https://a.example", "https://b.example:8443")
    assert settings.working_weekdays == {6, 0}
