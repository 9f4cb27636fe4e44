"""Forms as browsers send them: bounded whatever is declared, and taken apart strictly."""

from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consent.form import LINE_BREAKS, MEDIA_TYPE, form_fields, read_form
from consent.problem import Problem


def read(content_type: str, *chunks: bytes, most: int = 8) -> bytes:
    async def sent() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def work() -> bytes:
        return await read_form(content_type, sent(), most=most)

    return anyio.run(work)


@pytest.mark.parametrize("kind", [MEDIA_TYPE, f"{MEDIA_TYPE.upper()} ; charset=utf-8"])
def test_a_form_is_read_in_whatever_pieces_it_comes(kind: str) -> None:
    assert read(kind, b"a=1", b"", b"&b=22") == b"a=1&b=22"


@pytest.mark.parametrize(
    ("kind", "chunks", "status"),
    [
        ("application/json", (b"{}",), 415),
        ("", (b"a=1",), 415),
        (MEDIA_TYPE, (b"a=1", b"&b=223"), 413),
    ],
)
def test_no_form_and_a_long_one_are_refused(
    kind: str, chunks: tuple[bytes, ...], status: int
) -> None:
    with pytest.raises(Problem) as refused:
        read(kind, *chunks)
    assert refused.value.status == status


@given(st.binary(max_size=64))
def test_whatever_comes_is_fields_or_refused(body: bytes) -> None:
    with suppress(Problem):  # and nothing else
        found = form_fields(body, most=4, beside=LINE_BREAKS)
        assert len(found) <= 4
        assert all(char.isprintable() or char in LINE_BREAKS for _, text in found for char in text)


def test_fields_keep_their_order_and_repeat() -> None:
    assert form_fields(b"a=1&b=&a=%E4%B8%AD", most=3) == [("a", "1"), ("b", ""), ("a", "中")]
    assert form_fields(b"", most=3) == []


@pytest.mark.parametrize("body", [b"a", b"a=%ff", "ä=1".encode(), b"a=1&" * 4, b"a=%00", b"a=%0a"])
def test_what_no_field_holds_is_refused(body: bytes) -> None:
    with pytest.raises(Problem):
        form_fields(body, most=3)


def test_line_breaks_only_where_they_are_asked_for() -> None:
    assert form_fields(b"a=1%0d%0a2", most=1, beside=LINE_BREAKS) == [("a", "1\r\n2")]
