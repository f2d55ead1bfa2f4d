"""Devices in which somebody has logged in before: nobody else's wrong attempts lock them out."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from memberstaff.accounts import directory
from memberstaff.accounts.known_devices import LONGEST, MOST_ACCOUNTS, KnownDevices
from memberstaff.db.database import Database
from memberstaff.errors import RateLimited, Refusal
from memberstaff.keyring import Keyring
from tests.clock import TurnedClock
from tests.databases import Engine
from tests.services.office import PASSWORD, Office, process

AMINA, BEN = "amina@example.org", "ben@example.org"
SCHOOL = "192.0.2.1"
NEW = "a new password of hers"


async def wrong(office: Office, email: str = AMINA, address: str = SCHOOL, device: str | None = None) -> bool:
    """Whether a wrong password is still looked at."""
    try:
        await office.login(email, "wrong horse battery", address, device)
    except Refusal:
        return True
    except RateLimited:
        return False
    raise AssertionError("a wrong password was right")


async def laptop_of(office: Office, email: str = AMINA, device: str | None = None) -> str:
    """The cookie of a device in which this account has just logged in."""
    opened = await office.login(email, address="203.0.113.99", device=device)
    assert opened.device is not None
    return opened.device


@pytest.fixture
def engine() -> Engine:
    """Who is counted as whom; how it is counted is for test_login_limits.py to show on both."""
    return "sqlite"


async def test_wrong_attempts_from_the_schools_address_lock_out_strangers_and_no_known_device(office: Office) -> None:
    await office.employ(AMINA)
    laptop = await laptop_of(office)
    while await wrong(office):
        pass
    for number in range(100):
        await wrong(office, f"pupil{number}@example.org")
    with pytest.raises(RateLimited):
        await office.login(AMINA, address=SCHOOL)
    assert await office.login(AMINA, address=SCHOOL, device=laptop)


async def test_wrong_attempts_from_everywhere_lock_out_no_known_device(office: Office) -> None:
    await office.employ(AMINA)
    laptop = await laptop_of(office)
    for number in range(61):
        await wrong(office, address=f"198.51.100.{number}")
    with pytest.raises(RateLimited):
        await office.login(AMINA, address="203.0.113.7")
    for _ in range(4):
        laptop = (await office.login(AMINA, address="203.0.113.7", device=laptop)).device or ""


async def test_a_known_device_has_five_attempts_a_minute_and_sixty_wrong_ones_an_hour(office: Office) -> None:
    await office.employ(AMINA)
    laptop, phone = await laptop_of(office), await laptop_of(office)
    outcomes: list[bool] = []
    for _ in range(25):  # within which the hour's allowance gives 25 back
        outcomes += [await wrong(office, device=laptop) for _ in range(6)]
        office.clock.turn(minutes=1)
    assert outcomes[:6] == [True] * 5 + [False]
    assert sum(outcomes) == 60 + 24
    assert await wrong(office, device=phone)


async def test_a_device_is_known_to_the_accounts_that_logged_in_there_and_to_no_other(office: Office) -> None:
    for email in (AMINA, BEN):
        await office.employ(email)
    of_amina = await laptop_of(office)
    of_both = await laptop_of(office, BEN, of_amina)
    for email in (AMINA, BEN):
        while await wrong(office, email):
            pass
    with pytest.raises(RateLimited):
        await office.login(BEN, address=SCHOOL, device=of_amina)
    for email in (AMINA, BEN):
        assert await office.login(email, address=SCHOOL, device=of_both)


async def test_a_new_password_makes_strangers_of_all_devices_but_the_one_in_which_it_was_chosen(
    office: Office,
) -> None:
    amina = await office.employ(AMINA)
    laptop, phone = await laptop_of(office), await laptop_of(office)
    opened = await office.login(AMINA, address="203.0.113.98", device=laptop)
    changed = await office.accounts.change_password(opened.access_token, PASSWORD, NEW, SCHOOL, laptop)
    assert changed.device is not None
    laptop = changed.device
    while await wrong(office):
        pass
    with pytest.raises(RateLimited):
        await office.login(AMINA, NEW, SCHOOL, phone)
    assert await office.login(AMINA, NEW, SCHOOL, laptop)
    async with office.as_administrator() as work:
        await directory.set_password(work, amina.id, await office.passwords.hash(PASSWORD))
    with pytest.raises(RateLimited):
        await office.login(AMINA, PASSWORD, SCHOOL, laptop)


async def test_another_process_knows_the_device_too(office: Office, database: Database, clock: TurnedClock) -> None:
    await office.employ(AMINA)
    laptop = await laptop_of(office)
    while await wrong(office):
        pass
    async with process(database, clock) as other:
        assert await other.login(AMINA, address=SCHOOL, device=laptop)


async def test_a_cookie_opens_nothing(office: Office) -> None:
    await office.employ(AMINA)
    laptop = await laptop_of(office)
    assert await wrong(office, device=laptop)
    for password in ("", laptop):
        with pytest.raises(Refusal):
            await office.login(AMINA, password, SCHOOL, laptop)


KEYS = Keyring("k" * 32)
HASH = "$argon2id$of$somebody"


def test_a_cookie_that_was_changed_is_no_cookie() -> None:
    devices = KnownDevices(KEYS)
    cookie = devices.remember(None, 1, HASH)
    device, mac, account, its_mac = cookie.split(".")
    assert (devices.known(cookie, 1, HASH), devices.device(cookie)) == (device, device)
    other = devices.remember(None, 2, HASH).split(".")
    for forged in (
        "",
        ".",
        device,
        f"{device}.{mac}",
        f"{device}.{mac}.{account}",
        f"{device}.{mac}.2.{its_mac}",
        f"{other[0]}.{other[1]}.{account}.{its_mac}",
        f"{other[0]}.{mac}.{account}.{its_mac}",
        f"{device}.{its_mac}.{account}.{mac}",
        f"{cookie}é",
        cookie + "x" * LONGEST,
        cookie.upper(),
    ):
        assert devices.known(forged, 1, HASH) is None, forged
        assert devices.known(forged, 2, HASH) is None, forged
    assert devices.known(cookie, 1, None) is None
    assert devices.known(cookie, 1, f"{HASH}s new password") is None
    assert KnownDevices(Keyring("other" * 7)).known(cookie, 1, HASH) is None


def test_a_device_keeps_its_id_and_forgets_the_account_that_logged_in_longest_ago() -> None:
    devices = KnownDevices(KEYS)
    cookie: str | None = None
    for account in [10**18 + number for number in range(MOST_ACCOUNTS + 1)]:
        cookie = devices.remember(cookie, account, HASH)
    known = [devices.known(cookie, 10**18 + number, HASH) for number in range(MOST_ACCOUNTS + 1)]
    assert cookie is not None
    assert known == [None, *[cookie.partition(".")[0]] * MOST_ACCOUNTS]
    assert len(cookie) <= LONGEST


def test_a_device_stays_known_while_the_secret_is_changed() -> None:
    old, both = KnownDevices(KEYS), KnownDevices(Keyring("new" * 11, "k" * 32))
    cookie = old.remember(None, 1, HASH)
    device = cookie.partition(".")[0]
    assert both.known(cookie, 1, HASH) == device
    assert KnownDevices(Keyring("new" * 11)).known(both.remember(cookie, 1, HASH), 1, HASH) == device


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(codec=None)) | st.from_regex(r"[a-z.0-9]{0,40}"))
def test_any_text_is_read_as_a_cookie_and_none_is_believed(text: str) -> None:
    devices = KnownDevices(KEYS)
    assert (devices.known(text, 1, HASH), devices.device(text)) == (None, None)
    assert devices.known(devices.remember(text, 1, HASH), 1, HASH) is not None
