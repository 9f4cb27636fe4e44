"""Everything that the service holds about one shopper, as one zip.

It is read in one transaction, so it is one state, written to a file of its own, and sent from
there: a slow reader holds no connection to the database. What is signed, receipts and proofs, is
made after that transaction, of what it read: nothing waits for a second connection with one in
hand.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import IO, Any, Final

from sqlalchemy.orm import Session

from consent.log.leaf import LoggedEvent
from consent.notice import Language
from consent.receipt import moment
from consent.rights.archive import sign_manifest
from consent.rights.proof import Step, asked_hash
from consent.service.context import Context
from consent.service.exports.archive import Archive, archive
from consent.service.exports.contents import FILES, LEFT_OUT, WITHHELD, goes_out
from consent.service.exports.repository import ExportRepository
from consent.service.exports.schemas import FetchExport
from consent.service.holdings.repository import HoldingsRepository, columns, held_tables
from consent.service.log.service import prove, proved
from consent.service.notices.repository import NoticeRepository
from consent.service.principals import authorised
from consent.service.problems import Problem
from consent.service.receipts import service as receipts
from consent.service.records.repository import LogRepository
from consent.service.rights import proving
from consent.service.rights.repository import RightsRepository
from consent.service.rights.tables import RightsRequest
from consent.service.rights.views import has_export
from crypto.wire import SignedRecord, b64, public_bytes

VERSION: Final = "1"
_PAGE: Final = 500
_Events = Sequence[tuple[int, LoggedEvent]]
_README: Final = """Everything that this consent service holds about you.

The service holds no purchases, no vectors and no recommendations. Those are on your device and in
your stores; your device's own export is made there, at your request, and stays with it.

manifest.json  every other file with its SHA-256 and size, signed by the service's key:
               {key}
data/          what the service keeps, each as JSON and as CSV (files are listed below)
log/           your entries in the public log, each with its inclusion proof
receipts/      a signed receipt of each of your decisions (JSON-LD, ISO/IEC TS 27560)
notices/       the notices that you decided under, word for word
rounds/        the signed policy of every round in your diary, and what was released

Times are Unix milliseconds, but for issued_at and expires_at of grants, which are Unix seconds.
Bytes are base64url.

CSV files are RFC 4180 in UTF-8. A text that a spreadsheet could take for a formula, because it
begins with = + - @ ' or a tab or line break, has one ' put before it: take one ' off the start of
such a cell to get the text back.

{files}

What is not in here, and why:
{left_out}
"""


def fetch(
    context: Context, shopper_id: str, token: str, request_id: str, shown: FetchExport
) -> IO[bytes]:
    """The export of a request for access, as a file at its start; the caller closes it.

    Raises:
        WireError: a proof that is malformed.
        Problem: 404, no such request of hers, or none that has an export now; 403 of type
            ``urn:fedcart:problem:step-up``; 503, it is larger than MAX_BYTES.
    """
    with archive() as made:
        with context.database.reading() as session:
            request = _request(context, session, shopper_id, token, request_id, shown)
            _write(context, session, made, shopper_id)
            events = LogRepository(session).events(shopper_id)
            hashes = NoticeRepository(session).hashes()
        _receipts(context, made, shopper_id, events, hashes)
        _log(context, made, shopper_id, events)
        return made.close(_manifest(context, made, shopper_id, request))


def _request(
    context: Context,
    session: Session,
    shopper_id: str,
    token: str,
    request_id: str,
    shown: FetchExport,
) -> RightsRequest:
    """The request for access, of a caller who has proved that it is she."""
    authorised(context, session, shopper_id, token)
    proving.required(
        context,
        session,
        shopper_id,
        token,
        step=Step.FETCH,
        asked=asked_hash({"request": request_id}),
        record=shown.proof,
    )
    request = RightsRepository(session).find(request_id)
    if request is None or request.shopper_id != shopper_id or not has_export(context, request):
        raise Problem(404, "There is no export for this request; open one for access.")
    return request


def _write(context: Context, session: Session, made: Archive, shopper_id: str) -> None:
    made.text("README.txt", _readme(context))
    holdings = HoldingsRepository(session, shopper_id)
    for table in sorted(FILES):
        if table in held_tables():
            shown = [column for column in columns(table) if goes_out(table, column)]
            made.rows(f"data/{FILES[table][0]}", shown, partial(holdings.rows, table))
    found = ExportRepository(session, shopper_id)
    for notice in found.notices():
        made.add(f"notices/{notice.version}.{notice.language}.md", notice.text)
    for policy, release in found.rounds():
        record = SignedRecord.from_bytes(policy.record)
        told = {"policy": record.to_json(), "release": _release(release.model_dump())}
        made.text(f"rounds/{policy.task}-{policy.round_id}.json", _json(told))
    made.rows("data/client-keys", ["thumbprint", "kind", "public_key"], lambda: _clients(found))


def _clients(found: ExportRepository) -> Iterator[Mapping[str, Any]]:
    for client in found.clients():
        yield {
            "thumbprint": client.thumbprint,
            "kind": client.kind,
            "public_key": client.public_key,
        }


def _receipts(
    context: Context,
    made: Archive,
    shopper_id: str,
    events: _Events,
    hashes: Mapping[str, Mapping[Language, str]],
) -> None:
    """One receipt for each record of hers: each epoch in which a cell changed."""
    records: dict[int, list[tuple[int, LoggedEvent]]] = {}
    for each in events:
        records.setdefault(each[1].epoch, []).append(each)
    for epoch, record in records.items():
        receipt = receipts.made(context, shopper_id, record, hashes)
        made.text(f"receipts/{epoch}.jsonld", _json(receipt.to_json()))


def _log(context: Context, made: Archive, shopper_id: str, events: _Events) -> None:
    """Her entries with their proofs, in files of some hundred, each against one signed head."""
    for number, start in enumerate(range(0, len(events), _PAGE), start=1):
        page = events[start : start + _PAGE]
        proof = prove(context, shopper_id, page)
        told = {
            "head": proof.head.to_json(),
            "key": b64(proof.key),
            "events": [each.model_dump(mode="json") for each in proved(page, proof)],
        }
        made.text(f"log/{number}.json", _json(told))


def _release(row: dict[str, Any]) -> dict[str, Any]:
    return {name: row[name] for name in sorted(row.keys() - {"policy_id", "commit_id"})}


def _manifest(context: Context, made: Archive, shopper_id: str, request: RightsRequest) -> bytes:
    about = {
        "issuer": context.settings.issuer,
        "version": VERSION,
        "made_at": moment(context.now_ms()),
        "shopper": shopper_id,
        "request": request.id,
        "kind": request.kind,
        "controller": context.settings.controller.to_json(),
        "withheld": {f"{table}.{column}": why for (table, column), why in WITHHELD.items()},
        "left_out": dict(LEFT_OUT),
    }
    return sign_manifest(made.files, about=about, key=context.key)


def _readme(context: Context) -> str:
    files = "\n".join(f"data/{name}: {about}" for name, about in sorted(FILES.values()))
    withheld = [f"- {table}.{column}: {why}" for (table, column), why in sorted(WITHHELD.items())]
    left = [f"- {table}: {why}" for table, why in sorted(LEFT_OUT.items())]
    key = b64(public_bytes(context.key.public_key()))
    return _README.format(key=key, files=files, left_out="\n".join([*left, *withheld]))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
