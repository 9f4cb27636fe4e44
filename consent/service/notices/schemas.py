"""What the service tells about notices."""

from consent.notice import Language
from consent.purpose import Category, Purpose
from consent.service.schemas import Schema


class NoticeSummary(Schema):
    """A published version: what it covers, which purposes it changed, and its texts' SHA-256."""

    version: str
    published_at: int
    purposes: list[Purpose]
    categories: list[Category]
    touches: list[Purpose]
    sha256: dict[Language, str]


class Notices(Schema):
    """All published versions, oldest first, and the one that new decisions should name."""

    current: str
    notices: list[NoticeSummary]


class NoticeInFull(Schema):
    """A published version's text in one language; ``sha256`` covers its UTF-8 bytes."""

    version: str
    language: Language
    sha256: str
    text: str
