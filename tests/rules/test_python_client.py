"""The Python client's rules: when to try again, and what makes a login."""

from __future__ import annotations

import inspect
import os
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

import memberstaff_client
from memberstaff_client import Attendance, AttendanceError, RequestRefused, SessionEnded, Storage, TokenFile, sync
from memberstaff_client.patience import Patience

ADDRESS = "https://attendance.school.example"


class Waits(Patience):
    """One that only says how long it would have waited."""

    def __init__(self) -> None:
        self.seconds: list[float] = []
        super().__init__(self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.seconds.append(seconds)


def refusal(code: str, retry_after: float | None = None) -> RequestRefused:
    return RequestRefused("No.", code, extensions={} if retry_after is None else {"retryAfter": retry_after})


@pytest.fixture
def longest(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without luck."""
    monkeypatch.setattr(random, "uniform", lambda _, most: most)


async def test_each_failure_makes_the_next_wait_longer_up_to_ten_seconds(longest: None) -> None:
    waits = Waits()
    for error in [refusal("UNAVAILABLE")] * 7 + [None]:
        await waits.wait_after(error)
    assert waits.seconds == [0.25, 0.5, 1, 2, 4, 8, 10, 10]
    waits.succeeded()
    await waits.wait_after(refusal("UNAVAILABLE"))
    assert waits.seconds[-1] == 0.25


async def test_waits_are_spread_and_never_shorter_than_the_server_asks_for() -> None:
    waits = Waits()
    for _ in range(20):
        waits.succeeded()
        await waits.wait_after(refusal("RATE_LIMITED", retry_after=7))
    assert len(set(waits.seconds)) > 1
    assert all(7.125 <= seconds <= 7.25 for seconds in waits.seconds)


@pytest.mark.parametrize("code", ["FORBIDDEN", "BAD_REQUEST", "INTERNAL", "OF_A_LATER_SERVER"])
async def test_what_trying_again_cannot_mend_is_raised(code: str) -> None:
    waits = Waits()
    with pytest.raises(RequestRefused) as raised:
        await waits.wait_after(refusal(code))
    assert (raised.value.code, waits.seconds) == (code, [])


async def test_a_stream_says_how_long_to_wait_before_it_is_begun_anew_within_bounds(longest: None) -> None:
    waits = Waits()
    waits.asked_to_wait(2_000)
    waits.asked_to_wait(None)
    for error in (None, refusal("UNAVAILABLE"), refusal("UNAUTHENTICATED")):  # which is no fault of the server
        waits.succeeded()
        await waits.wait_after(error)
    for milliseconds in (0, -5, 10**400, 86_400_000):
        waits.succeeded()
        waits.asked_to_wait(milliseconds)
        await waits.wait_after(None)
    assert waits.seconds == [2.25, 2.25, 0.25, 0.25, 0.25, 10.25, 10.25]


@pytest.mark.parametrize(
    ("told", "at_least"),
    [(7, 7), (1e308, 300), (10**400, 300), (float("inf"), 300), (float("nan"), 0), (-3, 0), ("7", 0), ([], 0)],
)
async def test_however_long_a_server_asks_to_wait_it_is_asked_again(
    longest: None, told: object, at_least: float
) -> None:
    waits = Waits()
    await waits.wait_after(RequestRefused("No.", "UNAVAILABLE", extensions={"retryAfter": told}))
    assert waits.seconds == [at_least + 0.25]


async def test_what_is_waited_for_is_logged(longest: None, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "memberstaff_client")
    waits = Waits()
    for error in (refusal("UNAVAILABLE"), refusal("UNAUTHENTICATED"), None):
        await waits.wait_after(error)
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "Trying again in 0.2 seconds: No."),
        ("INFO", "Trying again in 0.5 seconds: No."),
        ("INFO", "Trying again in 1.0 seconds: The server has ended the stream."),
    ]


@pytest.mark.parametrize(
    ("address", "email", "password", "has_storage", "has_token", "why"),
    [
        (ADDRESS, "a@b.example", None, True, False, "An email and a password go together."),
        (ADDRESS, None, "secret", True, False, "An email and a password go together."),
        (ADDRESS, None, None, False, False, "Give an email and a password, a storage with a refresh token, or a token"),
        (ADDRESS, "a@b.example", "secret", False, True, "A token callback needs neither an email and a password nor"),
        (ADDRESS, None, None, True, True, "A token callback needs neither an email and a password nor"),
    ],
)
def test_what_cannot_be_a_login_is_refused_at_once(
    tmp_path: Path, address: str, email: str | None, password: str | None, has_storage: bool, has_token: bool, why: str
) -> None:
    async def token() -> str:
        return ""

    storage: Storage | None = TokenFile(tmp_path / "token") if has_storage else None
    with pytest.raises(ValueError, match=f"^{why}") as refused:
        Attendance(address, email=email, password=password, storage=storage, token=token if has_token else None)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("attendance.example", "The address begins with https://, or http://, and a host."),
        ("localhost:8000", "The address begins with https://, or http://, and a host."),
        ("ftp://attendance.example", "The address begins with https://, or http://, and a host."),
        ("https://", "The address begins with https://, or http://, and a host."),
        ("", "The address begins with https://, or http://, and a host."),
        ("https://attendance.example:99999", "The address has a port that does not exist."),
        ("https://[::1", "The address is no URL."),
        ("https://me:secret@attendance.example", "The address is one without a user, a query and a fragment."),
        ("https://attendance.example/?day=1", "The address is one without a user, a query and a fragment."),
        ("https://attendance.example/#day", "The address is one without a user, a query and a fragment."),
    ],
)
def test_what_cannot_be_a_server_is_refused_at_once(address: str, why: str) -> None:
    for kind in (Attendance, sync.Attendance):
        with pytest.raises(ValueError, match=f"^{why}$"):
            kind(address, email="a@b.example", password="secret")


def test_an_address_may_be_in_capitals_in_any_script_and_of_version_six() -> None:
    for address in ("HTTPS://ATTENDANCE.example", "https://größe.example/desk/", "http://[::1]:8000"):
        sync.Attendance(address, email="a@b.example", password="secret").close()


def full_disk(_: int) -> None:
    raise OSError("full")


def test_a_token_file_holds_the_last_token_whole_and_half_a_write_leaves_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = TokenFile(tmp_path / "token")
    assert file.load() is None
    for token in ("first", "second"):
        file.save(token)
        assert file.load() == token
    with pytest.raises(UnicodeEncodeError):
        file.save("ä")
    with monkeypatch.context() as patched, pytest.raises(OSError, match="full"):
        patched.setattr(os, "fsync", full_disk)
        file.save("third")
    assert file.load() == "second"
    assert [each.name for each in tmp_path.iterdir()] == ["token"]
    file.clear()
    file.clear()
    assert [*tmp_path.iterdir()] == []


SAVED_AND_KILLED = """
import os, sys
from memberstaff_client import TokenFile
os.fsync = lambda _: os.kill(os.getpid(), 9)
TokenFile(sys.argv[1]).save("newest")
"""


def test_what_a_crash_leaves_beside_a_token_file_is_read_by_nobody_else_and_gone_with_the_next_token(
    tmp_path: Path,
) -> None:
    file = TokenFile(tmp_path / "token")
    for end in (partial(file.save, "next"), file.clear):
        for _ in range(2):
            killed = subprocess.run([sys.executable, "-c", SAVED_AND_KILLED, str(file.path)], check=False)
            assert killed.returncode == -9
        [left] = [each for each in tmp_path.iterdir() if each != file.path]
        assert (left.name, oct(left.stat().st_mode & 0o777)) == ("token.new", "0o600")
        left.chmod(0o644)  # as somebody else may have made it
        end()
        assert {each.name: oct(each.stat().st_mode & 0o777) for each in tmp_path.iterdir()} in ({"token": "0o600"}, {})
    assert [*tmp_path.iterdir()] == []


def test_everything_that_goes_wrong_is_an_error_of_the_package() -> None:
    assert issubclass(SessionEnded, AttendanceError)
    assert issubclass(RequestRefused, AttendanceError)


def test_without_an_event_loop_there_are_the_same_names_with_the_same_parameters() -> None:
    other = {"Attendance", "Day"}
    assert sync.__all__ == memberstaff_client.__all__
    for name in memberstaff_client.__all__:
        assert (getattr(sync, name) is getattr(memberstaff_client, name)) == (name not in other)
    for name in other:
        ours, theirs = (vars(getattr(package, name)) for package in (sync, memberstaff_client))
        public = {each for each, value in theirs.items() if inspect.isfunction(value) and not each.startswith("_")}
        for method in public:
            assert [*inspect.signature(ours[method]).parameters] == [*inspect.signature(theirs[method]).parameters]
    parameters = [set(inspect.signature(each.Attendance).parameters) for each in (sync, memberstaff_client)]
    assert parameters[1] - parameters[0] == {"transport"}
