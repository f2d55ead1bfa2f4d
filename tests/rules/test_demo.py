"""Demo data: the same for the same seed, plausible, and drawn without anything stored."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.changes import Status
from memberstaff.demo import avatar
from memberstaff.demo.logins import prepare
from memberstaff.demo.marks import marks
from memberstaff.demo.people import CATEGORIES, people
from tests.clock import MONDAY

LISBON = ZoneInfo("Europe/Lisbon")


def test_the_same_seed_makes_the_same_people_whatever_their_number() -> None:
    assert list(people(20_000, 1))[:60] == list(people(60, 1))
    assert list(people(60, 2)) != list(people(60, 1))


def test_sixty_people_work_in_six_categories_and_have_names_and_references_of_their_own() -> None:
    made = list(people(60, 1))
    assert {person.category for person in made} == set(CATEGORIES)
    assert len({person.name for person in made}) == 60
    assert len({person.external_ref for person in made}) == 60


def test_a_whole_day_marks_everybody_between_half_past_seven_and_a_quarter_past_ten() -> None:
    made = marks(MONDAY, range(1, 61), 1, LISBON, until=None)
    assert {mark.staff_id for mark in made} == set(range(1, 61))
    assert made == sorted(made, key=lambda mark: mark.at)
    times = [mark.at.astimezone(LISBON).strftime("%H:%M") for mark in made]
    assert "07:30" <= min(times) <= max(times) <= "10:15"
    assert Status.UNMARKED not in {mark.status for mark in made}


def test_a_day_that_is_going_on_is_partly_marked_and_knows_nothing_of_later() -> None:
    early = datetime(2026, 1, 12, 6, 0, tzinfo=UTC)
    made = marks(MONDAY, range(1, 61), 1, LISBON, until=early)
    assert 20 <= len({mark.staff_id for mark in made}) <= 50
    assert max(mark.at for mark in made) == early


@pytest.mark.parametrize(
    ("name", "initials"),
    [
        ("Ada Lovelace", "AL"),
        ("Anne-Marie d’Aramitz", "AD"),
        ("王子轩", "王"),
        ("فاطمة المصري", "ف"),
        ("Eva ß", "ES"),
        ("!", "?"),
    ],
)
def test_initials_suit_the_script(name: str, initials: str) -> None:
    assert avatar.initials(name) == initials


@given(st.text(min_size=1, max_size=40))
def test_every_name_has_an_avatar_that_is_well_formed_and_loads_nothing(name: str) -> None:
    drawn = avatar.draw(avatar.key(name))
    assert drawn is not None
    root = ElementTree.fromstring(drawn)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {element.tag.rpartition("}")[2] for element in root.iter()} == {"svg", "rect", "circle", "text"}
    assert not any("href" in attribute or "url(" in value for e in root.iter() for attribute, value in e.items())


@given(st.text(max_size=30))
def test_an_address_that_is_no_key_draws_nothing_or_an_avatar(key: str) -> None:
    drawn = avatar.draw(key)
    assert drawn is None or drawn.startswith("<svg")


@pytest.mark.parametrize("key", ["", "360-QUI", "10-QUJD", "10-PHNjcmlwdD4", "10-../x", "10-AA"])
def test_a_made_up_key_draws_nothing(key: str) -> None:
    assert avatar.draw(key) is None


def test_every_folder_that_the_demo_makes_is_its_owners_alone_whatever_the_umask(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("DEMO", "SECRET_KEY", "DATABASE_URL", "DRAIN_SECONDS"):
        monkeypatch.setenv(f"MEMBERSTAFF_{name}", "as it was")
    tmp_path.chmod(0o755)
    before = os.umask(0)
    try:
        prepare(tmp_path / "deep" / "er" / "data")
    finally:
        os.umask(before)
    made = (tmp_path, *(folder for folder in sorted(tmp_path.rglob("*")) if folder.is_dir()))
    assert [(each.name, oct(stat.S_IMODE(each.stat().st_mode))) for each in made] == [
        (tmp_path.name, "0o755"),
        *((name, "0o700") for name in ("deep", "er", "data")),
    ]
