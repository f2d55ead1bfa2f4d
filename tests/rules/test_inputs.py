"""What people type is stored as they meant it, or refused; nothing in between."""

from __future__ import annotations

import unicodedata
from urllib.parse import urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memberstaff.errors import ErrorCode, Refusal
from memberstaff.inputs import LONGEST_NOTE, LONGEST_URL, fold, line, paragraph, photo_address

ANYTHING = st.text(st.characters(codec=None)) | st.text("\x00\ud800\udfff a\u0301\r\n\t")
"""Lone surrogates and NUL included."""

NUL = "The text contains a null character (U+0000), which cannot be stored."
HALF = "The text contains half of a character (a lone surrogate)."


def name(text: str) -> str:
    return line(text, longest=200, what="The name", path="name")


def note(text: str | None) -> str | None:
    return paragraph(text, longest=LONGEST_NOTE, what="The note", path="note")


def photo(url: str | None) -> str | None:
    return photo_address(url, path="photoUrl")


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("Élodie  ĆOSIĆ", "elodie cosic"),
        ("\tBjörn\u00a0Åse\n", "bjorn ase"),
        ("Straße STRASSE", "strasse strasse"),
        ("İstanbul", "istanbul"),
        ("Łukasz Đặng Sørensen", "lukasz dang sorensen"),
        ("Дмитрий", "дмитрии"),
        ("ﬁancée №", "fiancee no"),
        ("𝐀mina ™", "amina tm"),
        ("ΣΊΣΥΦΟΣ σίσυφος", "σισυφοσ σισυφοσ"),
        ("", ""),
        (" \u3000 ", ""),
    ],
)
def test_text_is_folded_as_people_compare_it(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(ANYTHING)
@example("𝐀\u0345")
def test_folded_text_is_folded_no_further(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.text(st.characters(codec="utf-8")))
def test_composed_and_decomposed_text_is_found_alike(text: str) -> None:
    assert fold(unicodedata.normalize("NFD", text)) == fold(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("  Amina \t Diallo\n", "Amina Diallo"),
        ("Bjo\u0308rn", "Björn"),
        ("x" * 200, "x" * 200),
        ("e\u0301" * 200, "é" * 200),
        ("👩‍🏫", "👩‍🏫"),
    ],
)
def test_a_line_is_trimmed_and_composed(text: str, stored: str) -> None:
    assert name(text) == stored


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "The name is empty."),
        (" \u00a0\n", "The name is empty."),
        ("x" * 201, "The name is longer than 200 characters."),
        ("Ami\x00na", NUL),
        ("Ami\ud83dna", HALF),
    ],
)
def test_a_line_that_cannot_be_stored_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        name(text)
    assert (refused.value.code, refused.value.message, refused.value.path) == (ErrorCode.INVALID, message, ("name",))


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        (None, None),
        ("", None),
        (" \r\n\t ", None),
        (" Train delayed.\r\nBack at ten. ", "Train delayed.\nBack at ten."),
        ("x" * 2_000, "x" * 2_000),
        (" " * 5_000 + "x", "x"),
    ],
)
def test_a_paragraph_keeps_its_lines_and_white_space_alone_is_none(text: str | None, stored: str | None) -> None:
    assert note(text) == stored


@pytest.mark.parametrize(
    ("text", "message"),
    [("x" * 2_001, "The note is longer than 2,000 characters."), ("\x00", NUL), ("a\udc00", HALF)],
)
def test_a_paragraph_that_cannot_be_stored_is_refused(text: str, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        note(text)
    assert (refused.value.code, refused.value.message, refused.value.path) == (ErrorCode.INVALID, message, ("note",))


@pytest.mark.parametrize(
    ("url", "stored"),
    [
        (None, None),
        ("", None),
        ("   ", None),
        (" https://photos.example/a.jpg ", "https://photos.example/a.jpg"),
        ("http://localhost:8000/a.jpg?size=2#x", "http://localhost:8000/a.jpg?size=2#x"),
        ("HTTPS://PHOTOS.example/", "HTTPS://PHOTOS.example/"),
        ("https://[2001:db8::1]/a.jpg", "https://[2001:db8::1]/a.jpg"),
        ("https://фото.example/é.jpg", "https://фото.example/é.jpg"),
        ("/avatars/7.svg", "/avatars/7.svg"),
        ("/", "/"),
        ("/a//b:c@d", "/a//b:c@d"),
        ("https://x.example/" + "a" * (LONGEST_URL - 18), "https://x.example/" + "a" * (LONGEST_URL - 18)),
    ],
)
def test_an_image_on_the_web_or_on_this_server_may_be_a_photo(url: str | None, stored: str | None) -> None:
    assert photo(url) == stored


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        " javascript:alert(1)",
        "java\tscript:alert(1)",
        "\x01javascript:alert(1)",
        "javascript://photos.example/%0aalert(1)",
        "data:image/svg+xml;base64,AAAA",
        "blob:https://photos.example/1",
        "file:///etc/passwd",
        "ftp://photos.example/a.jpg",
        "vbscript:x",
        "//evil.example/a.jpg",
        "///evil.example/a.jpg",
        "/\\evil.example/a.jpg",
        "\\\\evil.example\\a.jpg",
        "/\t/evil.example/a.jpg",
        "/\n/evil.example",
        "https:\\\\evil.example",
        "https:/evil.example",
        "https:evil.example",
        "https://",
        "https:///a.jpg",
        "https://:443/a.jpg",
        "https://user@photos.example/",
        "https://user:pass@photos.example/",
        "https://:pass@photos.example/",
        "https://@photos.example/",
        "https://photos.example\\@evil.example/",
        "https://photos.example/a b.jpg",
        "https://photos.example/\u00a0.jpg",
        "https://photos.example/\u2028.jpg",
        "https://photos.example/\x7f.jpg",
        "https://photos.example/\x85.jpg",
        "https://photos.example/\u202egpj.exe",
        "https://photos\u200b.example/",
        "https://photos.example／evil",
        'https://photos.example/"onerror="x',
        "https://photos.example/<script>",
        "https://[::1/",
        "https://[photos]/",
        "photo.jpg",
        "./photo.jpg",
        "?photo",
        "#photo",
        "://photos.example",
    ],
)
def test_what_runs_or_spies_in_an_image_element_is_refused(url: str) -> None:
    with pytest.raises(Refusal) as refused:
        photo(url)
    assert (refused.value.code, refused.value.path) == (ErrorCode.INVALID, ("photoUrl",))
    assert refused.value.message == "A photo URL must start with https://, http:// or a single slash."


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("https://x.example/\x00", NUL),
        ("https://x.example/\ud800", HALF),
        ("https://x.example/" + "a" * (LONGEST_URL - 17), "The photo URL is longer than 2,048 characters."),
    ],
)
def test_a_photo_that_cannot_be_stored_is_refused(url: str, message: str) -> None:
    with pytest.raises(Refusal) as refused:
        photo(url)
    assert refused.value.message == message


@given(ANYTHING)
def test_whatever_is_typed_is_stored_as_text_or_refused(text: str) -> None:
    for rule in (name, note, photo):
        try:
            stored = rule(text)
        except Refusal as refusal:
            assert refusal.code is ErrorCode.INVALID
            continue
        assert stored is None or (stored == stored.strip() and stored and "\x00" not in stored.encode().decode())
        assert rule(stored or "") == stored if rule is not name else name(stored or "x") == stored


PIECES = ["https:", "http:", "/", "//", "\\", "@", ":", "evil.example", "javascript:", "\t", " ", "?", "#", "[", "é"]


@given(st.lists(st.sampled_from(PIECES), max_size=8).map("".join) | ANYTHING)
def test_an_address_that_passes_leads_to_a_host_of_its_own_or_to_this_server(url: str) -> None:
    try:
        stored = photo(url)
    except Refusal:
        return
    if stored is None or (stored[0] == "/" and stored[1:2] not in {"/", "\\"}):
        return
    parts = urlsplit(stored)
    assert parts.scheme in {"http", "https"}
    assert parts.hostname
    assert "@" not in parts.netloc


@pytest.mark.parametrize(
    ("text", "words"), [("A\x1b[31mna", "contains a control character"), ("\u200b\u200d", "is empty")]
)
def test_a_name_can_be_seen_and_does_nothing_to_a_terminal(text: str, words: str) -> None:
    with pytest.raises(Refusal, match=words):
        name(text)
