"""Every query about published notices."""

from sqlalchemy import select
from sqlalchemy.orm import Session
from sqlmodel import col

from consent.notice import Language, Notice, NoticeHistory, Terms, text_hash
from consent.purpose import Category, Purpose
from consent.service.records.tables import NoticeText, PublishedNotice

_HISTORY = select(PublishedNotice).order_by(col(PublishedNotice.number))


class NoticeRepository:
    """The published notices as one transaction sees and adds to them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def published(self) -> list[PublishedNotice]:
        """Every published version, oldest first."""
        return list(self._session.scalars(_HISTORY))

    def history(self) -> NoticeHistory:
        """Every published version as the rules read it."""
        return NoticeHistory(published=tuple(terms(row) for row in self.published()))

    def add(self, notice: Notice, *, number: int, published_at: int) -> None:
        """Publish a version."""
        row = PublishedNotice(
            version=notice.terms.version,
            number=number,
            purposes=" ".join(sorted(notice.terms.purposes)),
            categories=" ".join(sorted(notice.terms.categories)),
            touches=" ".join(sorted(notice.terms.touches)),
            published_at=published_at,
        )
        self._session.add(row)
        self._session.flush()
        self._session.add_all(
            NoticeText(version=row.version, language=language, text=text, sha256=text_hash(text))
            for language, text in notice.texts.items()
        )
        self._session.flush()

    def text(self, version: str, language: Language) -> NoticeText | None:
        """A published text."""
        return self._session.get(NoticeText, (version, language))

    def hashes(self) -> dict[str, dict[Language, str]]:
        """The hashes of all published texts, by version and language."""
        found: dict[str, dict[Language, str]] = {}
        query = select(col(NoticeText.version), col(NoticeText.language), col(NoticeText.sha256))
        for version, language, sha256 in self._session.execute(query).all():
            found.setdefault(version, {})[Language(language)] = sha256
        return found


def terms(row: PublishedNotice) -> Terms:
    """What a published version covers and changes."""
    return Terms(
        version=row.version,
        purposes=frozenset(Purpose(name) for name in row.purposes.split()),
        categories=frozenset(Category(name) for name in row.categories.split()),
        touches=frozenset(Purpose(name) for name in row.touches.split()),
    )
