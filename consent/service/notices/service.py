"""Publishing notices and reading them."""

from sqlalchemy.orm import Session

from consent.notice import FIRST_VERSION, Language, Notice, load_notices, text_hash
from consent.service.context import Context
from consent.service.notices.repository import NoticeRepository, terms
from consent.service.notices.schemas import NoticeInFull, Notices, NoticeSummary
from consent.service.problems import Problem
from consent.service.records import service as records
from consent.service.shoppers.repository import ShopperRepository
from crypto.errors import InvalidInputError


def publish(context: Context, version: str) -> int:
    """Make a version the current one, and end the consent that it changes.

    One transaction: from then on no consent to a touched purpose stands that was given before, and
    no grant that rests on it. Publishing the current version again changes nothing.

    Returns:
        For how many shoppers consent ended.

    Raises:
        InvalidInputError: no such version, or it was published before with another text or was
            followed by others since.
    """
    notice = _known(context, version)
    with context.database.writing() as session:
        notices = NoticeRepository(session)
        published = notices.published()
        if version in [row.version for row in published]:
            _check_same(notice, notices, current=published[-1].version)
            return 0
        notices.add(notice, number=len(published) + 1, published_at=context.now_ms())
        return _lapse_touched(context, session, notice)


def publish_first(context: Context) -> None:
    """Publish the first version if nothing is published yet: a new service has a notice."""
    with context.database.reading() as session:
        if NoticeRepository(session).published():
            return
    notice = _known(context, FIRST_VERSION)
    with context.database.writing() as session:
        notices = NoticeRepository(session)
        if not notices.published():
            notices.add(notice, number=1, published_at=context.now_ms())


def read_all(context: Context) -> Notices:
    """Every published version."""
    with context.database.reading() as session:
        notices = NoticeRepository(session)
        published, hashes = notices.published(), notices.hashes()
    summaries = []
    for row in published:
        covered = terms(row)
        summaries.append(
            NoticeSummary(
                version=row.version,
                published_at=row.published_at,
                purposes=sorted(covered.purposes),
                categories=sorted(covered.categories),
                touches=sorted(covered.touches),
                sha256=hashes[row.version],
            )
        )
    return Notices(current=published[-1].version, notices=summaries)


def read(context: Context, version: str, language: Language) -> NoticeInFull:
    """One published text.

    Raises:
        Problem: 404, no such version was published.
    """
    with context.database.reading() as session:
        row = NoticeRepository(session).text(version, language)
    if row is None:
        raise Problem(404, "No notice of this version was published.")
    return NoticeInFull(
        version=row.version, language=language, sha256=row.sha256, text=row.text.decode()
    )


def _known(context: Context, version: str) -> Notice:
    found = load_notices(context.settings.notices)
    if version not in found:
        raise InvalidInputError(
            f"No notice {version!r} is known; there are {', '.join(sorted(found))}."
        )
    return found[version]


def _check_same(notice: Notice, notices: NoticeRepository, *, current: str) -> None:
    version = notice.terms.version
    stored = notices.hashes()[version]
    if stored != {language: text_hash(text) for language, text in notice.texts.items()}:
        raise InvalidInputError(
            f"Notice {version} was published with another text; a changed text is a new version."
        )
    if version != current:
        raise InvalidInputError(
            f"Notice {version} was replaced by {current}; publish its words as a new version."
        )


def _lapse_touched(context: Context, session: Session, notice: Notice) -> int:
    touches, shoppers = notice.terms.touches, ShopperRepository(session)
    done, last = 0, ""
    while touches:
        batch = shoppers.giving(touches, after=last, limit=records.BATCH)
        if not batch:
            break
        records.lapse(
            context,
            session,
            batch,
            lambda consent: consent.touched(touches),
            notice=notice.terms.version,
        )
        done, last = done + len(batch), batch[-1]
    return done
