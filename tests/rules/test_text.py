"""Text that people type: what may be stored, and how it is folded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memberstaff.errors import ErrorCode, Refusal
from memberstaff.text import fold, line, paragraph, photo_address

ANYTHING = st.text(st.characters(categories=None, exclude_categories=[]), max_size=60)


@pytest.mark.parametrize(
    ("text", "folded"),
    [("Élodie  ĆOSIĆ", "elodie cosic"), ("Straße", "strasse"), ("ΑΘΗΝΆ", "αθηνα"), ("  ", ""), ("İzmir", "izmir")],
)
def test_folding_forgets_case_accents_and_spaces(text: str, folded: str) -> None:
    assert fold(text) == folded


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JAVASCRIPT:alert(1)",
        "java\tscript:alert(1)",
        "data:image/svg+xml,<svg/>",
        "//evil.example/x.png",
        "/\\evil.example/x.png",
        "https://",
        "https://user:secret@host/x.png",
        "https://[broken/x.png",
        "ftp://host/x.png",
        "x.png",
        "https://host/a b.png",
        'https://host/"onerror=',
    ],
)
def test_an_address_that_is_no_photo_is_refused(address: str) -> None:
    with pytest.raises(Refusal) as told:
        photo_address(address, path="photoUrl")
    assert (told.value.code, told.value.path) == (ErrorCode.INVALID, ("photoUrl",))


@pytest.mark.parametrize("address", ["https://host.example/x.png?y=1", "http://[::1]/x.png", "/avatars/30-QUE.svg"])
def test_an_address_that_a_page_may_load_is_kept(address: str) -> None:
    assert photo_address(f" {address} ", path="photoUrl") == address


def test_no_address_is_none() -> None:
    assert photo_address(None, path="photoUrl") is None
    assert photo_address(" ", path="photoUrl") is None


@given(ANYTHING)
def test_whatever_is_typed_is_stored_whole_or_refused(text: str) -> None:
    for stored in (
        lambda: line(text, longest=40, what="The name", path="name"),
        lambda: paragraph(text, longest=40, what="The note", path="note"),
        lambda: photo_address(text, path="photoUrl"),
    ):
        try:
            value = stored()  # type: ignore[no-untyped-call]
        except Refusal as refusal:
            assert refusal.code is ErrorCode.INVALID
        else:
            assert value is None or "\0" not in value.encode("utf-8").decode("utf-8")
