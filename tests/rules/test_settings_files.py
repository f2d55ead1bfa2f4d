"""A secret may stand in a file, where container engines and systemd put it, and in no variable."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from memberstaff.settings import CREDENTIALS, InvalidSettings, Settings, load

SECRET = "a secret in a file, and long enough for HS256"


@pytest.fixture(autouse=True)
def secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of a container engine; no variable sets anything."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MEMBERSTAFF_{name.upper()}", raising=False)
    folder = tmp_path / "secrets"
    folder.mkdir()
    monkeypatch.setattr("memberstaff.settings.SECRETS", folder)
    monkeypatch.delenv(CREDENTIALS, raising=False)
    return folder


@pytest.fixture
def credentials(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of systemd."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    monkeypatch.setenv(CREDENTIALS, str(folder))
    return folder


def complaint() -> str:
    with pytest.raises(InvalidSettings) as refused:
        load()
    return str(refused.value)


@pytest.mark.parametrize("name", ["memberstaff_secret_key", "MEMBERSTAFF_SECRET_KEY"])
def test_a_file_sets_what_it_is_named_after(secrets: Path, name: str) -> None:
    (secrets / name).write_text(f"{SECRET}\n", encoding="utf-8")
    (secrets / "memberstaff_oidc_roles").write_text('{"teacher": "MARKER"}', encoding="utf-8")
    (secrets / "memberstaff_working_days").write_text("sun,mon", encoding="utf-8")
    settings = load()
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == SECRET
    assert settings.oidc_roles == {"teacher": "MARKER"}
    assert settings.working_weekdays == {6, 0}


def test_the_environment_wins_over_a_file_unless_it_is_empty(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secrets / "memberstaff_organisation").write_text("Hill School", encoding="utf-8")
    (secrets / "memberstaff_time_zone").write_text("Europe/Lisbon", encoding="utf-8")
    monkeypatch.setenv("MEMBERSTAFF_ORGANISATION", "Lake School")
    monkeypatch.setenv("MEMBERSTAFF_TIME_ZONE", "")
    assert (load().organisation, load().time_zone) == ("Lake School", "Europe/Lisbon")


def test_systemds_credentials_win_over_a_container_engines_secrets(secrets: Path, credentials: Path) -> None:
    (secrets / "memberstaff_organisation").write_text("Hill School", encoding="utf-8")
    (credentials / "memberstaff_organisation").write_text("Lake School", encoding="utf-8")
    assert load().organisation == "Lake School"


def test_a_folder_of_versions_is_read_through_its_links(secrets: Path) -> None:
    (secrets / "..2026").mkdir()
    (secrets / "..2026" / "memberstaff_secret_key").write_text(SECRET, encoding="utf-8")
    (secrets / "..data").symlink_to("..2026")
    (secrets / "memberstaff_secret_key").symlink_to("..data/memberstaff_secret_key")
    settings = load()
    assert settings.secret_key is not None
    assert settings.secret_key.get_secret_value() == SECRET


def test_other_programs_files_are_nobodys_settings(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (secrets / "postgres_password").write_text("theirs", encoding="utf-8")
    (secrets / "rhsm").mkdir()
    assert load() == Settings()
    monkeypatch.setenv(CREDENTIALS, str(secrets / "gone"))
    assert load() == Settings()


def test_a_file_that_is_named_like_a_setting_and_is_none_is_refused(secrets: Path) -> None:
    (secrets / "memberstaff_secret").write_text(SECRET, encoding="utf-8")
    assert complaint() == (
        f"{secrets}/memberstaff_secret: there is no such setting; did you mean MEMBERSTAFF_SECRET_KEY?"
    )


def test_what_is_wrong_in_a_file_is_said_without_repeating_it(secrets: Path) -> None:
    file = secrets / "memberstaff_secret_key"
    file.write_text("s3cr3t", encoding="utf-8")
    assert complaint() == (
        "MEMBERSTAFF_SECRET_KEY: is shorter than 32 characters; generate one with `openssl rand -base64 48`"
    )
    file.write_bytes(b"\xff" * 40)
    assert complaint() == f"A file in {secrets} is not text in UTF-8"


def test_credentials_that_cannot_be_read_are_named(credentials: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: path != credentials)
    assert complaint() == f"{credentials}, which CREDENTIALS_DIRECTORY names, cannot be read by this user"


def test_a_file_that_cannot_be_read_is_named(secrets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = secrets / "memberstaff_secret_key"
    file.write_text(SECRET, encoding="utf-8")

    def denied(self: Path, *_: object, **__: object) -> str:
        raise PermissionError(13, "Permission denied", str(self))

    if os.geteuid() == 0:  # whom no mode keeps out
        monkeypatch.setattr(Path, "read_text", denied)
    else:
        file.chmod(0)
    assert complaint() == f"{file} cannot be read: Permission denied"
