"""Reading a list page by page: to its end, and never round and round."""

from collections.abc import Iterator, Sequence

import httpx
import pytest

from consent.answers import Page
from consent.transport import pages
from crypto.errors import ConsentError


class Numbers(Page):
    numbers: list[int]


def served(cursors: Sequence[int | None]) -> httpx.Client:
    """A service whose pages name these cursors, one after another."""
    left: Iterator[int | None] = iter(cursors)
    return httpx.Client(
        base_url="http://consent.test",
        transport=httpx.MockTransport(
            lambda asked: httpx.Response(
                200, json={"numbers": [int(asked.url.params.get("cursor", 0))], "next": next(left)}
            )
        ),
    )


@pytest.mark.parametrize(
    ("cursors", "newest_first"), [([None], False), ([3, 7, None], False), ([7, 3, None], True)]
)
def test_every_page_is_asked_for_once(cursors: list[int | None], newest_first: bool) -> None:
    with served(cursors) as http:
        found = list(pages(http, "/list", Numbers, token="t", newest_first=newest_first))
    assert [page.numbers for page in found] == [[0], *([each] for each in cursors[:-1])]


@pytest.mark.parametrize(
    ("cursors", "newest_first"),
    [([3, 3], False), ([7, 3], False), ([3, 3], True), ([3, 7], True)],
)
def test_pages_that_do_not_go_on_are_not_followed(cursors: list[int], newest_first: bool) -> None:
    with served(cursors) as http, pytest.raises(ConsentError, match="do not end"):
        list(pages(http, "/list", Numbers, token="t", newest_first=newest_first))
