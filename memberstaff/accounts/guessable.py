"""Passwords that are guessed early: common ones, patterns, and what is known of the account (NIST SP 800-63B).

A password is taken apart into what attackers try first (common passwords, the account's own words, sequences, dates,
repetitions) and single characters. Each piece has a price, and the password is worth the cheapest way to put it
together: `Password123!` is hardly better than `password`, and three unrelated words in a row are good.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files

ENOUGH = 8
"""What a password must be worth: eight characters that do not follow from each other."""
COMMON = 3
"""The price of a common password or word, of which there are 20,000, as many as three letters make; and of a date."""
PATTERN = 2
"""The price of a sequence, a run of one character, a year, a month, or what stands in the password already."""
PERSONAL = 1
"""The price of a word that belongs to the account."""

SHORTEST_PIECE = 3
"""Characters."""
SHORTEST_COMMON = 4
"""Characters of a common password that counts as a piece; shorter ones cost as much as their characters."""
LONGEST_LOOKED_AT = 64
"""Characters, since the time grows with the square of their number; whatever follows only adds to the worth."""

SEQUENCES = (
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890",
    "qwertyuiop[]",
    "qwertzuiopü",
    "azertyuiop",
    "asdfghjkl;'",
    "zxcvbnm,./",
    "yxcvbnm,.-",
    "!@#$%^&*()",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik,9ol.0p;/",
    "qazwsxedcrfvtgbyhnujmikolp",
    "1q2w3e4r5t6y7u8i9o0p",
    "абвгдежзийклмнопрстуфхцчшщъыьэюя",
    "йцукенгшщзхъ",
)
"""Of alphabets and keyboards; a password is looked at backwards too."""
YEAR = re.compile(r"(19|20)\d\d")
DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])([0-2]\d|3[01])|([0-2]\d|3[01])([0-2]\d|3[01])(19|20)\d\d")
"""In the orders of any country. There are as many in a lifetime as common passwords."""
MONTHS_SEASONS_WEEKDAYS = """
    january february march april may june july august september october november december
    januar februar märz maerz april mai juni juli august september oktober november dezember
    janvier février mars avril juin juillet août septembre octobre novembre décembre
    enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
    spring summer autumn winter frühling fruehling sommer herbst printemps été automne hiver verano otoño invierno
    monday tuesday wednesday thursday friday saturday sunday
    montag dienstag mittwoch donnerstag freitag samstag sonntag
    lundi mardi mercredi jeudi vendredi samedi dimanche lunes martes miércoles jueves viernes sábado domingo
"""
CALENDAR = frozenset(MONTHS_SEASONS_WEEKDAYS.split())
"""What whoever must change a password often puts before the year, in four languages."""
FIRST_PASSWORDS = """
    willkommen passwort kennwort geheim schule bienvenue motdepasse école bienvenido contraseña secreto escuela
"""
"""What administrators give first, in the languages of which the list of common passwords has little."""
SEPARATORS = re.compile(r"[\W_]+")
LOOKALIKES = str.maketrans("@4310!5$7+", "aaeioisstt")
"""Characters that stand for letters, as in `p@ssw0rd`."""


def is_guessable(password: str, about: Iterable[str] = ()) -> bool:
    """Whether a password is worth too little. `about`: texts that belong to its account, such as its email address."""
    text = _folded(password)[:LONGEST_LOOKED_AT]
    words = frozenset(_words(about))
    alone = re.sub(r"(.)\1+", r"\1", text)  # "aaabbbcccddd"
    joined, between = SEPARATORS.sub("", text), set("".join(SEPARATORS.findall(text)))  # "p.a.s.s.w.o.r.d"
    return (
        any(_worth(each, words) < ENOUGH for each in (text, text[::-1], text.translate(LOOKALIKES), _unaccented(text)))
        or _worth(alone, words) + PATTERN < ENOUGH
        or _worth(joined, words) + len(between) < ENOUGH
    )


def _worth(text: str, words: frozenset[str]) -> int:
    """The price of the cheapest way to put the text together."""
    cheapest = [0]
    for end in range(1, len(text) + 1):
        ways = [cheapest[end - 1] + 1]
        for start in range(end - SHORTEST_PIECE + 1):
            price = _price(text, start, end, words)
            if price is not None:
                ways.append(cheapest[start] + price)
        cheapest.append(min(ways))
    return cheapest[-1]


def _price(text: str, start: int, end: int, words: frozenset[str]) -> int | None:
    """The price of a piece of the text; None if it is no piece that attackers try."""
    piece = text[start:end]
    if piece in words:
        return PERSONAL
    repeats = text.find(piece, 0, end - 1) >= 0 or len(set(piece)) == 1
    of_dates = piece in CALENDAR or YEAR.fullmatch(piece)
    if repeats or of_dates or any(piece in sequence for sequence in SEQUENCES):
        return PATTERN
    return COMMON if len(piece) >= SHORTEST_COMMON and (piece in _common() or DATE.fullmatch(piece)) else None


def _words(about: Iterable[str]) -> Iterator[str]:
    for text in map(_folded, about):
        yield from (word for word in (text, *SEPARATORS.split(text)) if len(word) >= SHORTEST_PIECE)


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def _unaccented(text: str) -> str:
    """As `password` for `pässwörd`."""
    return "".join(
        character for character in unicodedata.normalize("NFKD", text) if not unicodedata.combining(character)
    )


@cache
def _common() -> frozenset[str]:
    """The list that Django ships, and the first passwords, folded: see common_passwords.LICENSE."""
    text = files(__package__).joinpath("common_passwords.txt").read_text(encoding="utf-8")
    words = map(_folded, (*text.splitlines(), *FIRST_PASSWORDS.split()))
    return frozenset(each for word in words for each in (word, _unaccented(word)))
