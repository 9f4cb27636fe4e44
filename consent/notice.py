"""Notices: what a shopper is told, in which version, and what a new version changes.

A notice version is a folder: ``notice.toml`` says what it covers and which purposes it changes,
and one Markdown file a language holds its text, whose exact bytes are hashed. Versions are
published one after another, and the published ones are the only ones that a decision may name.

A new version *touches* the purposes whose meaning it changes. Publishing it ends the consent that
was given for those purposes before, and no other: a correction of spelling touches nothing.
"""

import hashlib
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Self, TypeVar

from consent.participation import is_name
from consent.purpose import Category, Cell, Decision, Purpose
from crypto.errors import InvalidInputError

SHIPPED: Final = Path(__file__).parent / "notices"
FIRST_VERSION: Final = "2026-11"
_TermT = TypeVar("_TermT", bound=StrEnum)


class OutdatedNoticeError(InvalidInputError):
    """Consent was given under a notice that has changed for this purpose; nothing was changed."""


class Language(StrEnum):
    """The languages that every notice is written in."""

    EN = "en"
    ZH = "zh"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """What one version says about which purposes and categories.

    ``touches`` are the purposes whose meaning this version changes; a subset of ``purposes``.
    """

    version: str
    purposes: frozenset[Purpose]
    categories: frozenset[Category]
    touches: frozenset[Purpose]

    def __post_init__(self) -> None:
        if not is_name(self.version):
            raise InvalidInputError(f"{self.version[:64]!r} is no name of a notice version.")
        if not self.touches <= self.purposes:
            raise InvalidInputError(
                f"Notice {self.version} touches purposes that it does not cover: "
                f"{', '.join(sorted(self.touches - self.purposes))}."
            )

    def covers(self, cell: Cell) -> bool:
        """Whether this version says what a cell means."""
        return cell.purpose in self.purposes and cell.category in self.categories


@dataclass(frozen=True, kw_only=True)
class Notice:
    """One version with its text in every language, as bytes."""

    terms: Terms
    texts: Mapping[Language, bytes]

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read a version from its folder, whose name is the version.

        Raises:
            InvalidInputError: a file is missing or empty, is not UTF-8, or names unknown terms.
        """
        try:
            stated = tomllib.loads((folder / "notice.toml").read_text())
            texts = {language: (folder / f"{language}.md").read_bytes() for language in Language}
            empty = [language for language, text in texts.items() if not text.decode().strip()]
        except (OSError, ValueError) as error:
            raise InvalidInputError(f"No usable notice at {folder}: {error}") from error
        if empty or stated.keys() != {"purposes", "categories", "touches"}:
            raise InvalidInputError(
                f"A notice has a text in each language, and states purposes, categories and "
                f"touches; see {folder}."
            )
        terms = Terms(
            version=folder.name,
            purposes=_terms(Purpose, stated["purposes"], folder),
            categories=_terms(Category, stated["categories"], folder),
            touches=_terms(Purpose, stated["touches"], folder),
        )
        return cls(terms=terms, texts=texts)


def text_hash(text: bytes) -> str:
    """The hex SHA-256 of a notice's exact bytes."""
    return hashlib.sha256(text).hexdigest()


def load_notices(folders: Sequence[Path]) -> dict[str, Notice]:
    """Every version in these folders.

    Raises:
        InvalidInputError: a version is not what it must be, or two folders have the same.
    """
    found: dict[str, Notice] = {}
    for folder in folders:
        for path in sorted(child for child in folder.iterdir() if child.is_dir()):
            if path.name in found:
                raise InvalidInputError(f"Two notices are called {path.name}; rename {path}.")
            found[path.name] = Notice.load(path)
    return found


@dataclass(frozen=True, kw_only=True)
class NoticeHistory:
    """The published versions, oldest first. The last one is current."""

    published: tuple[Terms, ...]

    @property
    def current(self) -> Terms | None:
        """The version that new decisions should name."""
        return self.published[-1] if self.published else None

    def check(self, decisions: Mapping[Cell, Decision], version: str) -> None:
        """Check that decisions may be taken under a version.

        A *no* counts under any published version. A *yes* needs one that says what the purpose
        means now: not older than the latest version that touches it.

        Raises:
            InvalidInputError: no such published version, or it does not cover a cell.
            OutdatedNoticeError: a yes to what a later version has changed.
        """
        place = [terms.version for terms in self.published]
        if version not in place:
            raise InvalidInputError("No notice of this version was published; see /v1/notices.")
        named = self.published[place.index(version)]
        changed = {p for terms in self.published[place.index(version) + 1 :] for p in terms.touches}
        for cell, decision in decisions.items():
            if not named.covers(cell):
                raise InvalidInputError(
                    f"Notice {version} does not cover {cell.purpose} / {cell.category}."
                )
            if decision is Decision.GIVEN and cell.purpose in changed:
                raise OutdatedNoticeError(
                    f"The notice has changed for {cell.purpose} since version {version}; "
                    f"show version {place[-1]} and ask again."
                )


def _terms(kind: type[_TermT], names: Collection[str], folder: Path) -> frozenset[_TermT]:
    try:
        return frozenset(kind(name) for name in names)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"{folder}/notice.toml names an unknown term: {error}") from error
