"""The verdict over what happened. No I/O, so that the checker itself is tested."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from tests.soak.history import (
    COUNTS,
    HISTORY,
    ON_SITE,
    RESTART_REQUIRED,
    RETRYABLE,
    Entry,
    Follower,
    Fresh,
    History,
    Nested,
    Place,
    Said,
    StateWatcher,
    Summary,
    Watcher,
)


def verdict(history: History, logs: Mapping[str, Sequence[Entry]], fresh: Mapping[str, Fresh]) -> list[str]:
    """Every violation, in words; empty when all promises were kept. `logs` is what the database holds for each day."""
    days = {day: _Day(log, fresh[day]) for day, log in logs.items()}
    return [
        *_log_violations(history, logs),
        *(words for watcher in history.watchers for words in _watcher_violations(watcher, days[watcher.day], history)),
        *(words for watcher in history.states for words in _state_violations(watcher, days[watcher.day], history)),
    ]


class _Day:
    """A day's log, and what follows from it."""

    def __init__(self, log: Sequence[Entry], fresh: Fresh) -> None:
        self.fresh = fresh
        self.log = {entry.position: entry for entry in log}
        self.statuses = {(entry.staff, entry.version): entry.status for entry in log}
        self.last_with = {summary: position for position, summary in enumerate(_summaries(log, len(fresh.records)))}
        """The last position at which the day had this summary."""


def _summaries(log: Sequence[Entry], people: int) -> Iterator[Summary]:
    """The day's summary at position 0, and after each change."""
    counts = {**dict.fromkeys(COUNTS.values(), 0), "unmarked": people, "total": people, "onSite": 0}
    statuses: dict[str, str] = {}
    on_site: set[str] = set()
    yield frozenset(counts.items())
    for entry in log:
        counts[COUNTS[statuses.get(entry.staff, "UNMARKED")]] -= 1
        counts[COUNTS[entry.status]] += 1
        statuses[entry.staff] = entry.status
        is_there = entry.status in ON_SITE and entry.times[1] is None
        on_site = on_site | {entry.staff} if is_there else on_site - {entry.staff}
        counts["onSite"] = len(on_site)
        yield frozenset(counts.items())


def _time_violations(history: History, day: str, log: Sequence[Entry]) -> Iterator[str]:
    """Times that are not those of a simple model, given the order in which the servers took the marks.

    The days of the soak are long over, so that nobody comes at the moment of a mark, unless it says when that was.
    """
    before: dict[str, Entry] = {}
    for entry in log:
        was, said = before.get(entry.staff), history.said.get(str(entry.token), Said())
        arrived, left = was.times if was is not None else (None, None)
        if entry.status not in ON_SITE:
            arrived = left = None
        elif was is None or was.status not in ON_SITE:
            arrived, left = said.occurred_at, None
        model = said.arrived_at or arrived, said.left_at or left
        if entry.times != model:
            yield f"{day}: position {entry.position} has the times {entry.times}, and not {model}"
        before[entry.staff] = entry


def _log_violations(history: History, logs: Mapping[str, Sequence[Entry]]) -> list[str]:
    found = [f"the backup does not hold {token}, which was acknowledged before it" for token in history.not_held]
    for day, log in logs.items():
        if [entry.position for entry in log] != list(range(1, len(log) + 1)):
            found.append(f"{day}: the log's positions have a hole or a repeat")
        found += _time_violations(history, day, log)
    times = Counter(entry.token for log in logs.values() for entry in log if entry.token is not None)
    places = {entry.token: (day, entry.position) for day, log in logs.items() for entry in log}
    for token, place in history.acknowledged.items():
        if history.is_lost(place):
            ended = history.ended[place.epoch]
            if ended.synchronous and place.position > ended.survived.get(place.day, 0):
                found.append(f"the acknowledged {token} is lost, though a standby had to have it")
            if times[token]:
                found.append(f"{token} was lost, and is in the log")
        elif times[token] != 1:
            found.append(f"the acknowledged {token} is in the log {times[token]} times")
        elif places[token] != place[:2]:
            found.append(f"{token} was acknowledged at {place[:2]} and is at {places[token]}")
    for token, number in times.items():
        if number > 1:
            found.append(f"{token} is in the log {number} times")
        if token not in history.acknowledged and token not in history.unknown:
            found.append(f"{token} is in the log, and nobody sent it")
    return found


def _follower_violations(follower: Follower, *, restarts: int) -> Iterator[str]:
    """`restarts` is how often it may be sent back to the start."""
    for code, number in follower.errors.items():
        yield f"{follower.name} was sent an event with the error {code} ({number}×)"
    for code, number in follower.ends.items():
        if code == RESTART_REQUIRED and number > restarts:
            yield f"{follower.name} was sent back to the start, though the log holds everything"
        elif code not in RETRYABLE:
            yield f"{follower.name} had an operation ended by {code} ({number}×)"


def _watcher_violations(watcher: Watcher, day: _Day, history: History) -> list[str]:
    if watcher.epoch in history.ended:
        return _ended_violations(watcher, day, history)
    log = day.log
    found = [*_follower_violations(watcher, restarts=0), *_stray_violations(watcher)]
    expected = watcher.start + 1
    for entry in watcher.seen:
        if entry.position not in log:
            found.append(f"{watcher.name} saw position {entry.position}, which was never committed")
        elif entry != log[entry.position]:
            found.append(f"{watcher.name} saw something else at position {entry.position} than the log holds")
        elif entry.nested is not None:
            found += (
                f"{watcher.name} saw {words} at position {entry.position}"
                for words in _nested_violations(entry, entry.nested, day)
            )
        if entry.position < expected:
            found.append(f"{watcher.name} saw position {entry.position} again, or late")
        elif entry.position > expected:
            found.append(f"{watcher.name} did not see positions {expected} to {entry.position - 1}")
        expected = max(expected, entry.position + 1)
    if expected != len(log) + 1 and RESTART_REQUIRED not in watcher.ends:
        found.append(f"{watcher.name} did not see positions {expected} to {len(log)}, the last")
    board = dict(watcher.board)
    for entry in watcher.seen:
        board[entry.staff] = (entry.status, entry.version)
    if not found and board != day.fresh.records:
        found.append(f"{watcher.name}: its snapshot and its changes are not the fresh snapshot")
    return found


def _ended_violations(watcher: Watcher, day: _Day, history: History) -> list[str]:
    """Of a board of an epoch that has ended: what came after the last change that survived is known by its token."""
    ended = history.ended[watcher.epoch]
    found = [*_follower_violations(watcher, restarts=1), *_stray_violations(watcher)]
    if RESTART_REQUIRED not in watcher.ends:
        found.append(f"{watcher.name} was never told that its history has ended")
    for expected, entry in enumerate(watcher.seen, start=watcher.start + 1):
        if entry.position != expected:
            found.append(f"{watcher.name} saw position {entry.position} in place of {expected}")
            break
        if ended.has(watcher.day, entry.position):
            if entry != day.log.get(entry.position):
                found.append(f"{watcher.name} saw something else at position {entry.position} than the log holds")
        elif entry.token not in history.unknown and history.acknowledged.get(str(entry.token)) != Place(
            watcher.day, entry.position, watcher.epoch
        ):
            found.append(f"{watcher.name} saw position {entry.position}, which nobody committed")
    return found


def _stray_violations(watcher: Watcher) -> Iterator[str]:
    if watcher.strays:
        yield f"{watcher.name} saw changes of another epoch ({watcher.strays}×)"


def _nested_violations(entry: Entry, nested: Nested, day: _Day) -> Iterator[str]:
    if nested.name != nested.staff_name:
        yield "another person"
    if nested.state != "OPEN":
        yield "another state of the day"
    if nested.summary not in day.last_with:
        yield "a summary that the day never had"
    elif day.last_with[nested.summary] < entry.position:
        yield "a summary older than the change"
    newest = nested.history[0][0] if nested.history else 0
    versions = range(newest, max(newest - HISTORY, 0), -1)
    if [*nested.history] != [(version, day.statuses.get((entry.staff, version))) for version in versions]:
        yield "a history that the log does not hold"
    elif newest < entry.version:
        yield "a history older than the change"


def _state_violations(watcher: StateWatcher, day: _Day, history: History) -> Iterator[str]:
    yield from _follower_violations(watcher, restarts=len(history.ended))
    if any(state.summary not in day.last_with for state in watcher.seen if state.epoch not in history.ended):
        yield f"{watcher.name} saw a summary that the day never had"
    if watcher.last != day.fresh.state:
        yield f"{watcher.name}: the last state that it saw is not the fresh one"
