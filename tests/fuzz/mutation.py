"""Changes valid input: bytes, texts and JSON values, by a random generator that decides everything.

How often the generator is asked depends on nothing that differs between two runs, such as the length of a token: the
same seed makes the same changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Any

INTEGERS = (0, -1, 1, 2, 100, 1_001, 2**31 - 1, 2**31, -(2**31) - 1, 2**53 + 1, 2**63 - 1, 2**63, -(2**63) - 1, 10**40)
FLOATS = (0.5, -0.0, 1e308, 1e-320)
TEXTS = (
    "",
    " ",
    "a",
    "0",
    "null",
    "\0",
    "a\0b",
    "\ud800",
    "\udfff\ud800",
    "\u202eevil",
    "\ufeff",
    "é" * 300,
    "😀" * 100,
    "x" * 2_001,
    "y" * 20_000,
    "'; DROP TABLE staff; --",
    "%s%n%x",
    "{}",
    "${jndi:ldap://x}",
    "../../etc/passwd",
    "javascript:alert(1)",
    "<script>",
    "\r\nSet-Cookie: a=b",
    "%00",
    "%",
    "_",
    "\\",
    '"',
    "2026-02-30",
    "20260115",
    "2026-W03-4",
    "0000-01-01",
    "9999-12-31",
    "10000-01-01",
    "١٢",
    "1e5",
    "-0",
    "NaN",
)
BYTES = (
    *(bytes([each]) for each in (0, 9, 10, 13, 32, 34, 58, 92, 127, 128, 255)),
    *(b"\r\n", b"\r\n\r\n", b"\n\n", b"\xff\xfe", b"\xc0\x80", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xf4\x90\x80\x80"),
    *(b"%00", b"%2e%2e%2f", b"{", b"}", b"[", b"]", b'"', b"\\u0000", b"\\ud800", b"-1", b"18446744073709551616"),
    *(b"0" * 50, b"A" * 5_000, b"\0" * 100, b"[" * 2_000, b"{" * 200),
)


def one_of(random: Random, choices: Sequence[Any]) -> Any:
    """One of them, or None if there are none; the generator is asked once in any case."""
    at = random.random()
    return choices[int(at * len(choices))] if choices else None


def mutate_bytes(random: Random, data: bytes, times: int = 1) -> bytes:
    """Flip, remove, repeat, insert or replace something somewhere, so many times."""
    for _ in range(times):
        what, where, until = one_of(random, _CHANGES), random.random(), random.random()
        inserted, bit = one_of(random, BYTES), 1 << random.randrange(8)
        start = int(where * (len(data) + 1))
        end = start + 1 + int(until**4 * len(data))
        data = what(data, start, end, inserted, bit)
    return data


def _flip(data: bytes, start: int, _end: int, _inserted: bytes, bit: int) -> bytes:
    return data[:start] + bytes(each ^ bit for each in data[start : start + 1]) + data[start + 1 :]


def _remove(data: bytes, start: int, end: int, _inserted: bytes, _bit: int) -> bytes:
    return data[:start] + data[end:]


def _cut(data: bytes, start: int, _end: int, _inserted: bytes, _bit: int) -> bytes:
    return data[:start]


def _repeat(data: bytes, start: int, end: int, _inserted: bytes, bit: int) -> bytes:
    return data[:start] + data[start:end] * min(bit, 1 + 50_000 // (end - start)) + data[end:]


def _insert(data: bytes, start: int, _end: int, inserted: bytes, _bit: int) -> bytes:
    return data[:start] + inserted + data[start:]


def _replace(data: bytes, start: int, end: int, inserted: bytes, _bit: int) -> bytes:
    return data[:start] + inserted + data[end:]


_CHANGES: tuple[Callable[[bytes, int, int, bytes, int], bytes], ...]
_CHANGES = (_flip, _flip, _remove, _cut, _repeat, _insert, _insert, _replace)


def any_value(random: Random) -> Any:
    """A JSON value that is probably not the one that is wanted."""
    kind, number, text, depth = random.randrange(9), one_of(random, INTEGERS), one_of(random, TEXTS), random.random()
    nested: Any = text
    if kind == 6:
        for level in range(int(10 ** (2.7 * depth))):
            nested = [nested] if level % 2 else {text: nested}
    return [None, True, number, one_of(random, FLOATS), text, [], nested, {}, [number, text, None]][kind]


def mutate_value(random: Random, value: Any) -> Any:
    """The value with something in it replaced, removed, renamed, added or wrapped."""
    places = list(_places(value))
    where, how, other, name = random.random(), random.randrange(7), any_value(random), one_of(random, TEXTS)
    path = places[int(where * len(places))]
    if not path:
        return [other, [value], {"": value}, value, value, value, value][how]
    copy, parent = _copied(value, path)
    key = path[-1]
    if how < 3:
        parent[key] = other
    elif how == 3:
        parent[key] = [parent[key]]
    elif how == 4:
        del parent[key]
    elif isinstance(parent, dict):
        parent[name] = parent.pop(key) if how == 5 else other
    else:
        parent.insert(0, other)
    return copy


def _places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    if len(path) < 20:
        inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, each in inside:
            found += _places(each, (*path, key))
    return found


def _copied(value: Any, path: tuple[Any, ...]) -> tuple[Any, Any]:
    """A copy along the path, and in it the parent of the path's end."""
    copy = parent = value.copy()
    for key in path[:-1]:
        parent[key] = parent[key].copy()
        parent = parent[key]
    return copy, parent
