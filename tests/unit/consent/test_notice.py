import hashlib
from pathlib import Path

import pytest

from client import notice as device_notice
from consent.notice import (
    FIRST_VERSION,
    SHIPPED,
    Language,
    Notice,
    NoticeHistory,
    OutdatedNoticeError,
    Terms,
    load_notices,
    text_hash,
)
from consent.purpose import CELLS, Category, Cell, Decision, Purpose
from crypto.errors import InvalidInputError
from simulations.engine.world import NOTICE_VERSION
from tests.unit.consent.harness import write_notice

TRAIN = Cell(Purpose.TRAIN, Category.PURCHASES)
RESEARCH = Cell(Purpose.RESEARCH, Category.PURCHASES)


def terms(version: str, *touches: Purpose, purposes: frozenset[Purpose] | None = None) -> Terms:
    return Terms(
        version=version,
        purposes=frozenset(Purpose) if purposes is None else purposes,
        categories=frozenset(Category),
        touches=frozenset(touches),
    )


HISTORY = NoticeHistory(published=(terms("1"), terms("2", Purpose.TRAIN), terms("3")))


def test_the_first_notice_covers_everything_in_both_languages() -> None:
    notice = load_notices([SHIPPED])[FIRST_VERSION]
    assert {NOTICE_VERSION, device_notice.VERSION} == {FIRST_VERSION}
    assert all(notice.terms.covers(cell) for cell in CELLS)
    assert not notice.terms.touches
    for language in Language:
        words = notice.texts[language].decode()
        assert all(f"（{p}）" in words or f"({p})" in words for p in Purpose)
        assert FIRST_VERSION in words
        file = SHIPPED / FIRST_VERSION / f"{language}.md"
        assert text_hash(notice.texts[language]) == hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_yes_needs_the_words_that_hold_now() -> None:
    for version in ("2", "3"):
        HISTORY.check({TRAIN: Decision.GIVEN}, version)
    HISTORY.check({RESEARCH: Decision.GIVEN}, "1")
    with pytest.raises(OutdatedNoticeError, match="show version 3"):
        HISTORY.check({RESEARCH: Decision.GIVEN, TRAIN: Decision.GIVEN}, "1")
    assert HISTORY.current == HISTORY.published[-1]
    assert NoticeHistory(published=()).current is None


@pytest.mark.parametrize("no", [Decision.REFUSED, Decision.WITHDRAWN])
def test_a_no_counts_under_any_published_version(no: Decision) -> None:
    for version in ("1", "2", "3"):
        HISTORY.check({TRAIN: no}, version)


def test_unknown_versions_and_uncovered_cells_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="No notice"):
        HISTORY.check({}, "4")
    narrow = NoticeHistory(published=(terms("1", purposes=frozenset({Purpose.TRAIN})),))
    with pytest.raises(InvalidInputError, match="does not cover research"):
        narrow.check({RESEARCH: Decision.REFUSED}, "1")


def test_a_version_touches_only_what_it_covers() -> None:
    with pytest.raises(InvalidInputError, match="research"):
        terms("1", Purpose.RESEARCH, purposes=frozenset({Purpose.TRAIN}))
    with pytest.raises(InvalidInputError, match="no name"):
        terms("../etc")


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("zh.md", b""),
        ("zh.md", b"\xff"),
        ("en.md", b" \n"),
        ("notice.toml", b"purposes = []"),
        ("notice.toml", b"purposes = ['sell']\ncategories = []\ntouches = []"),
        ("notice.toml", b"purposes = 1\ncategories = []\ntouches = []"),
        ("notice.toml", b"purposes ="),
    ],
)
def test_broken_notices_are_named(tmp_path: Path, file: str, content: bytes) -> None:
    write_notice(tmp_path, "1")
    (tmp_path / "1" / file).write_bytes(content)
    with pytest.raises(InvalidInputError, match=str(tmp_path)):
        Notice.load(tmp_path / "1")


def test_missing_texts_and_repeated_names_are_refused(tmp_path: Path) -> None:
    write_notice(tmp_path / "a", "1")
    write_notice(tmp_path / "b", "1")
    with pytest.raises(InvalidInputError, match="Two notices"):
        load_notices([tmp_path / "a", tmp_path / "b"])
    (tmp_path / "a" / "1" / "zh.md").unlink()
    with pytest.raises(InvalidInputError, match="No usable notice"):
        load_notices([tmp_path / "a"])
