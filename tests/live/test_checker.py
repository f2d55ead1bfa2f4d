"""The checker catches what it is there for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.clock import TODAY
from tests.soak.history import (
    EndedEpoch,
    Entry,
    Fresh,
    History,
    Nested,
    Place,
    Said,
    State,
    StateWatcher,
    Summary,
    Watcher,
)
from tests.soak.verdict import verdict

STATUSES = ["PRESENT", "ABSENT", "LATE", "ABSENT", "LATE"]
LOG = [Entry(position, "Amina", position, status, f"w-{position}") for position, status in enumerate(STATUSES, start=1)]


def summary(**counts: int) -> Summary:
    on_site = sum(counts.get(name, 0) for name in ("present", "late", "halfDay"))
    return frozenset({**dict.fromkeys(FIELDS, 0), "total": 1, "onSite": on_site, **counts}.items())


FIELDS = ["present", "late", "halfDay", "remote", "absent", "onLeave", "unmarked"]
STATE = State(3, summary(late=1))
FRESH = {TODAY: Fresh({"Amina": ("LATE", 5)}, STATE)}
NESTED = Nested("Amina", "Amina", "OPEN", summary(absent=1), ((4, "ABSENT"), (3, "LATE")))
"""What belongs to position 4."""


def history(seen: list[Entry], *, start: int = 2) -> History:
    watcher = Watcher("board", TODAY, start, {"Amina": (STATUSES[start - 1], start)}, seen)
    acknowledged = {f"w-{entry.position}": Place(TODAY, entry.position) for entry in LOG}
    return History(acknowledged=acknowledged, watchers=[watcher])


def judge(seen: list[Entry]) -> list[str]:
    return verdict(history(seen), {TODAY: LOG}, FRESH)


def test_a_run_without_fault_is_acquitted() -> None:
    assert judge(LOG[2:]) == []


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([LOG[2], LOG[4]], ["board did not see positions 4 to 4"]),
        (LOG[2:4], ["board did not see positions 5 to 5, the last"]),
        ([LOG[2], LOG[3], LOG[3], LOG[4]], ["board saw position 4 again, or late"]),
        (
            [LOG[3], LOG[2], LOG[4]],
            ["board did not see positions 3 to 3", "board saw position 3 again, or late"],
        ),
        (
            [*LOG[2:], Entry(6, "Amina", 6, "LATE", "w-6")],
            [
                "board saw position 6, which was never committed",
                "board did not see positions 7 to 5, the last",
            ],
        ),
        (
            [replace(LOG[2], status="ABSENT"), *LOG[3:]],
            ["board saw something else at position 3 than the log holds"],
        ),
    ],
    ids=["lost", "lost at the end", "repeated", "reordered", "uncommitted", "altered"],
)
def test_an_event_that_is_not_as_promised_is_caught(seen: list[Entry], words: list[str]) -> None:
    assert judge(seen) == words


def test_an_acknowledged_mutation_that_is_gone_is_caught() -> None:
    told = history(LOG[2:])
    told.acknowledged["w-lost"] = Place(TODAY, 6)
    assert verdict(told, {TODAY: LOG}, FRESH) == ["the acknowledged w-lost is in the log 0 times"]


def test_a_mutation_that_happened_twice_is_caught() -> None:
    log = [*LOG, replace(LOG[4], position=6, version=6)]
    told = history(log[2:])
    assert verdict(told, {TODAY: log}, {TODAY: Fresh({"Amina": ("LATE", 6)}, STATE)}) == [
        "the acknowledged w-5 is in the log 2 times",
        "w-5 is in the log 2 times",
    ]


def test_a_hole_in_the_log_is_caught() -> None:
    log = [entry for entry in LOG if entry.position != 4]
    told = history([LOG[2], LOG[4]])
    assert "2026-01-12: the log's positions have a hole or a repeat" in verdict(told, {TODAY: log}, FRESH)


def test_a_change_that_nobody_sent_is_caught() -> None:
    told = history(LOG[2:])
    del told.acknowledged["w-1"]
    assert verdict(told, {TODAY: LOG}, FRESH) == ["w-1 is in the log, and nobody sent it"]


def test_a_board_that_does_not_add_up_is_caught() -> None:
    fresh = {TODAY: Fresh({"Amina": ("ABSENT", 5)}, STATE)}
    words = ["board: its snapshot and its changes are not the fresh snapshot"]
    assert verdict(history(LOG[2:]), {TODAY: LOG}, fresh) == words


def test_times_that_do_not_follow_from_the_marks_are_caught() -> None:
    eight, nine = f"{TODAY}T08:00:00.000Z", f"{TODAY}T09:00:00.000Z"
    statuses = ["PRESENT", "LATE", "ABSENT", "PRESENT", "PRESENT"]
    times = [(eight, None), (eight, None), (None, None), (None, None), (eight, nine)]
    log = [replace(entry, status=status, times=two) for entry, status, two in zip(LOG, statuses, times, strict=True)]
    told = history(log[2:])
    told.watchers[0].board = {"Amina": ("LATE", 2)}
    told.said = {"w-1": Said(occurred_at=eight), "w-2": Said(occurred_at=nine), "w-5": Said(None, eight, nine)}
    fresh = {TODAY: Fresh({"Amina": ("PRESENT", 5)}, STATE)}
    assert verdict(told, {TODAY: log}, fresh) == []
    del told.said["w-5"]
    assert verdict(told, {TODAY: log}, fresh) == [
        f"{TODAY}: position 5 has the times ('{eight}', '{nine}'), and not (None, None)"
    ]


@pytest.mark.parametrize(
    "nested",
    [
        NESTED,
        replace(NESTED, summary=summary(late=1)),
        replace(NESTED, history=((5, "LATE"), (4, "ABSENT"))),
    ],
    ids=["of the change itself", "a newer summary", "a newer history"],
)
def test_what_is_read_at_rendering_may_be_newer(nested: Nested) -> None:
    assert judge([LOG[2], replace(LOG[3], nested=nested), LOG[4]]) == []


@pytest.mark.parametrize(
    ("nested", "words"),
    [
        (replace(NESTED, history=((3, "LATE"), (2, "ABSENT"))), "a history older than the change"),
        (replace(NESTED, history=((4, "LATE"), (3, "LATE"))), "a history that the log does not hold"),
        (replace(NESTED, history=((4, "ABSENT"), (2, "ABSENT"))), "a history that the log does not hold"),
        (replace(NESTED, history=((4, "ABSENT"),)), "a history that the log does not hold"),
        (replace(NESTED, history=()), "a history older than the change"),
        (replace(NESTED, summary=summary(present=1)), "a summary older than the change"),
        (replace(NESTED, summary=summary(remote=1)), "a summary that the day never had"),
        (replace(NESTED, summary=summary(absent=1, total=2)), "a summary that the day never had"),
        (replace(NESTED, name=None), "another person"),
        (replace(NESTED, state="LOCKED"), "another state of the day"),
    ],
    ids=[
        *("old history", "altered history", "history with a hole", "short history", "no history"),
        *("old summary", "summary of no time", "other total", "no person", "other state"),
    ],
)
def test_what_is_read_at_rendering_must_not_be_older_or_made_up(nested: Nested, words: str) -> None:
    assert judge([LOG[2], replace(LOG[3], nested=nested), LOG[4]]) == [f"board saw {words} at position 4"]


def test_an_event_with_an_error_is_caught() -> None:
    told = history(LOG[2:])
    told.watchers[0].errors["INTERNAL"] = 2
    words = ["board was sent an event with the error INTERNAL (2×)"]
    assert verdict(told, {TODAY: LOG}, FRESH) == words


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("UNAVAILABLE", []),
        ("INTERNAL", ["board had an operation ended by INTERNAL (1×)"]),
        ("UNAUTHENTICATED", ["board had an operation ended by UNAUTHENTICATED (1×)"]),
        ("close code 1011", ["board had an operation ended by close code 1011 (1×)"]),
        ("RESTART_REQUIRED", ["board was sent back to the start, though the log holds everything"]),
    ],
)
def test_an_operation_may_end_only_as_unavailable(code: str, words: list[str]) -> None:
    told = history(LOG[2:])
    told.watchers[0].ends[code] = 1
    assert verdict(told, {TODAY: LOG}, FRESH) == words


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([State(3, summary(absent=1)), STATE], []),
        ([], ["board: the last state that it saw is not the fresh one"]),
        ([STATE, State(3, summary(absent=1))], ["board: the last state that it saw is not the fresh one"]),
        ([State(2, summary(late=1))], ["board: the last state that it saw is not the fresh one"]),
        ([State(3, summary(remote=1)), STATE], ["board saw a summary that the day never had"]),
    ],
    ids=["current", "none", "old summary", "old roster", "summary of no time"],
)
def test_a_last_state_that_is_not_the_days_is_caught(seen: list[State], words: list[str]) -> None:
    told = history(LOG[2:])
    told.states.append(StateWatcher("board", TODAY, seen))
    assert verdict(told, {TODAY: LOG}, FRESH) == words


@pytest.fixture
def failed_over() -> History:
    """Epoch 1 has ended after position 3: 4 and 5, of two other boards, are lost, and made again in epoch 2."""
    told = history(LOG[2:])
    told.ended[1] = EndedEpoch({TODAY: 3}, synchronous=False)
    lost = [replace(entry, token=f"lost-{entry.position}") for entry in LOG[3:]]
    told.acknowledged |= {f"lost-{position}": Place(TODAY, position, 1) for position in (4, 5)}
    told.watchers[0].epoch = 2
    old = Watcher("old", TODAY, 2, {"Amina": ("ABSENT", 2)}, [LOG[2], *lost], epoch=1)
    old.ends["RESTART_REQUIRED"] = 1
    told.watchers.append(old)
    return told


def test_a_failover_may_lose_what_was_acknowledged_if_every_board_is_told(failed_over: History) -> None:
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == []
    assert failed_over.lost == 2


def test_a_failover_to_a_synchronous_standby_may_not(failed_over: History) -> None:
    failed_over.ended[1] = EndedEpoch({TODAY: 3}, synchronous=True)
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == [
        "the acknowledged lost-4 is lost, though a standby had to have it",
        "the acknowledged lost-5 is lost, though a standby had to have it",
    ]


def test_a_failover_may_not_lose_what_the_standby_had(failed_over: History) -> None:
    failed_over.acknowledged["gone"] = Place(TODAY, 3, 1)
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == ["the acknowledged gone is in the log 0 times"]


def test_what_was_lost_may_not_come_back(failed_over: History) -> None:
    failed_over.acknowledged["w-5"] = Place(TODAY, 5, 1)
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == ["w-5 was lost, and is in the log"]


def test_a_board_of_an_ended_epoch_that_was_not_told_is_caught(failed_over: History) -> None:
    failed_over.watchers[1].ends.clear()
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == ["old was never told that its history has ended"]


def test_a_board_that_saw_two_histories_is_caught(failed_over: History) -> None:
    failed_over.watchers[1].strays = 1
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == ["old saw changes of another epoch (1×)"]


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        ([LOG[3]], "old saw position 4 in place of 3"),
        ([replace(LOG[2], status="ABSENT")], "old saw something else at position 3 than the log holds"),
        ([LOG[2], replace(LOG[3], token="made up")], "old saw position 4, which nobody committed"),
        ([LOG[2], replace(LOG[3], token="lost-5")], "old saw position 4, which nobody committed"),
    ],
    ids=["a hole", "altered", "made up", "at another place"],
)
def test_a_board_of_an_ended_epoch_that_was_told_wrongly_is_caught(
    failed_over: History, seen: list[Entry], words: str
) -> None:
    failed_over.watchers[1].seen = seen
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == [words]


def test_a_state_of_an_ended_epoch_is_not_judged_by_the_log_that_survived(failed_over: History) -> None:
    seen = [State(3, summary(remote=1), 1), State(3, summary(late=1), 2)]
    states = StateWatcher("state", TODAY, seen)
    states.ends["RESTART_REQUIRED"] = 1
    failed_over.states.append(states)
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == []
    states.ends["RESTART_REQUIRED"] = 2
    assert verdict(failed_over, {TODAY: LOG}, FRESH) == [
        "state was sent back to the start, though the log holds everything"
    ]


@pytest.fixture
def restored(failed_over: History) -> History:
    """Then a backup is restored that was made in epoch 1, when `lost-4` was there and `lost-5` not yet.

    In epoch 2 the board that began it had seen 4 and 5; in epoch 3 position 5 is made again.
    """
    told = failed_over
    for position in (4, 5):  # of epoch 2
        told.acknowledged[f"w-{position}"] = Place(TODAY, position, 2)
    told.watchers[0].ends["RESTART_REQUIRED"] = 1
    told.restore(2, 1, {TODAY: 4}, ["w-1", "w-2", "w-3", "lost-4"])
    told.acknowledged["again"] = Place(TODAY, 5, 3)
    return told


RESTORED = [*LOG[:3], replace(LOG[3], token="lost-4"), replace(LOG[4], token="again")]


def test_a_restore_may_lose_what_came_after_the_backup_and_bring_back_what_a_failover_had_lost(
    restored: History,
) -> None:
    assert verdict(restored, {TODAY: RESTORED}, FRESH) == []
    assert sorted(token for token, place in restored.acknowledged.items() if restored.is_lost(place)) == [
        "lost-5",
        "w-4",
        "w-5",
    ]


def test_a_restore_may_not_lose_what_the_backup_holds(restored: History) -> None:
    log = [replace(entry, token=None) if entry.position == 2 else entry for entry in RESTORED]
    assert "the acknowledged w-2 is in the log 0 times" in verdict(restored, {TODAY: log}, FRESH)


def test_a_backup_holds_what_was_acknowledged_before_it(failed_over: History) -> None:
    failed_over.restore(2, 1, {TODAY: 3}, ["w-1", "lost-4"])
    assert failed_over.not_held == ["lost-4"]
    words = "the backup does not hold lost-4, which was acknowledged before it"
    assert words in verdict(failed_over, {TODAY: LOG}, FRESH)


def test_what_came_after_a_backup_may_not_come_back(restored: History) -> None:
    log = [*RESTORED[:4], LOG[4]]
    assert "w-5 was lost, and is in the log" in verdict(restored, {TODAY: log}, FRESH)


def test_a_board_that_was_open_during_a_restore_and_not_told_is_caught(restored: History) -> None:
    restored.watchers[0].ends.clear()
    words = "board was never told that its history has ended"
    assert verdict(restored, {TODAY: RESTORED}, FRESH) == [words]
