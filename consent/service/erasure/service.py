"""Erasing a shopper in tiers, telling how it stands, and deleting the rest when its time is over.

(A) At once, in one transaction: her consents end, her log key is destroyed, so that nobody can tell
which leaves were hers; account, logins, tokens, ties to clients, unused codes and every grant that
no list has frozen are deleted; every client that has stood for her is told to erase. What is left
is proof of consent under her opaque id alone: her choices, the rounds they covered, her ledger and
her requests. ``purge`` deletes that too when its time is over.
(B) The shared models keep a trace, bounded by their (ε, δ): ``status`` states it with evidence.
(C) If she asked, the models of each task are rebuilt from before her first round, in batches.
"""

import json
from typing import Final

from sqlalchemy.orm import Session

from consent.instruction import InstructionKind
from consent.purpose import LIVE_STATES
from consent.retention import DAY_MS, RecordClass
from consent.rights import request as rules
from consent.rights.request import Action, RequestKind, RequestState
from consent.service.context import Context
from consent.service.database import around_commit
from consent.service.erasure import listed
from consent.service.erasure.repository import ErasureRepository, Evidence, RebuildRepository
from consent.service.erasure.schemas import (
    ErasedClient,
    ErasurePreview,
    ErasureStatus,
    ModelTrace,
    RebuildState,
    Tier,
)
from consent.service.erasure.tables import Erasure, Rebuild
from consent.service.guardians import service as guardians
from consent.service.holdings.repository import HoldingsRepository, held_tables
from consent.service.instructions import reading
from consent.service.instructions import service as instructions
from consent.service.points.repository import PointsRepository
from consent.service.principals import authorised
from consent.service.problems import Problem
from consent.service.records import service as records
from consent.service.rights.codes import status_code
from consent.service.rights.progress import SERVICE, move
from consent.service.rights.tables import RightsRequest
from consent.service.shoppers.repository import ShopperRepository
from consent.service.tables import APPEND_ONLY, ERASABLE, Shopper
from consent.service.tokens import token_hash
from consent.service.webhooks import service as webhooks
from consent.tasks.names import TaskName

# What stays under the opaque id until the time of proof is over, beside what is append-only.
KEPT: Final = {
    "shopper": "the opaque id, with a token that nobody has",
    "rights_request": "that she asked and was answered (11 CCR \u00a77101)",
    "rights_step": "the same",
    "erasure": "that she was erased, and until when the rest stays",
    "erasure_rebuild": "which models are rebuilt for her",
    "open_instruction": "what her clients still have to erase",
}
# Of these only what is referred to stays: grants that a list froze, codes that a till has used.
KEPT_IF_REFERRED: Final = {"participation_grant": "committed_grant", "discount_code": "code_use"}


def kept_until_purge(table: str) -> bool:
    """Whether her rows of a table stay until the time of proof is over."""
    held_back = table in APPEND_ONLY and not ERASABLE[table].at_once
    return held_back or table in KEPT


def erase(
    context: Context, session: Session, shopper: Shopper, request: RightsRequest
) -> list[str]:
    """Erase a shopper in the caller's transaction; returns the instructions to her clients.

    Guarantee: from this transaction on no token of hers works, nothing of hers can be committed,
    and her leaves in the log can't be linked to her or to each other. She is on the list of the
    erased before it is committed, so that a restored backup does not bring her back.
    """
    now = context.now_ms()
    exact = json.loads(request.details)["exact"]
    told = _tell_clients(context, session, shopper, request)
    guardians.erase(context, session, shopper.id)
    _end_consents(context, session, shopper)
    erasure = _record(context, session, shopper, request, now)
    if exact:
        _ask_rebuilds(context, session, erasure, shopper.id)
    _delete(session, shopper.id)
    repository = ErasureRepository(session)
    repository.close_login(shopper.id, token_hash(context.new_token()))
    _close_requests(context, session, shopper.id, but=request.id)
    ids = {"erasure": erasure.id, "shopper": shopper.id, "request": request.id}
    webhooks.emit(context, session, "erasure.completed", ids)
    entry = listed.Erased(shopper.id, now, Tier.EXACT if exact else Tier.RECORDS)
    around_commit(session, listed.of(context).listing(entry))
    return told


def preview(context: Context, shopper_id: str, token: str) -> ErasurePreview:
    """What an erasure would do now.

    Raises:
        Problem: 404, no such shopper, or not her token.
    """
    with context.database.reading() as session:
        authorised(context, session, shopper_id, token)
        repository = ErasureRepository(session)
        return ErasurePreview(
            points=PointsRepository(session).balance(shopper_id),
            code_points=repository.unused_code_points(shopper_id),
            clients=len(repository.clients(shopper_id)),
            backups_until=_backups_until(context),
            purge_after=_purge_after(context),
            models=[_trace(each) for each in repository.evidence(shopper_id)],
        )


def status(context: Context, code: str) -> ErasureStatus:
    """How the erasure of a code stands.

    Raises:
        Problem: 404, there is none.
    """
    with context.database.reading() as session:
        repository = ErasureRepository(session)
        erasure = repository.by_code(token_hash(_typed(code)))
        if erasure is None:
            raise Problem(404, "There is no erasure with this code; it shows one once confirmed.")
        return _status(context, session, erasure, repository)


def purge(context: Context, session: Session, before: int, limit: int) -> int:  # noqa: ARG001
    """Delete what was kept of shoppers whose time of proof is over, for retention.

    In the caller's transaction, of at most ``limit`` shoppers; returns of how many. When that time
    is over stands with each erasure, so ``before`` decides nothing. What stays says that somebody
    was erased and when, not who: the sums of her ledger under nobody, and hashes in the log that
    no key opens.
    """
    for done in range(limit):
        erasure = ErasureRepository(session).due(context.now_ms())
        if erasure is None:
            return done
        _purge(context, session, erasure)
    return limit


def _tell_clients(
    context: Context, session: Session, shopper: Shopper, request: RightsRequest
) -> list[str]:
    return instructions.issue(
        context,
        session,
        shopper.id,
        InstructionKind.ERASE,
        request=request.id,
        also=sorted(ErasureRepository(session).clients(shopper.id)),
    )


def _end_consents(context: Context, session: Session, shopper: Shopper) -> None:
    """Withdraw everything, and raise the floor even where nothing was given."""
    records.withdraw(
        context,
        session,
        [shopper.id],
        lambda consent: [cell for cell, at in consent.cells.items() if at in LIVE_STATES],
    )
    shoppers = ShopperRepository(session)
    (held,) = shoppers.held([shopper.id])
    shoppers.save_standing(shopper.id, held.consent.moved())
    session.expire(shopper)


def _record(
    context: Context, session: Session, shopper: Shopper, request: RightsRequest, now: int
) -> Erasure:
    repository = ErasureRepository(session)
    balance = PointsRepository(session).balance(shopper.id)
    erasure = Erasure(
        id=context.new_id(),
        code_hash=token_hash(_typed(status_code(context, shopper.id))),
        shopper_id=shopper.id,
        request_id=request.id,
        kind=request.kind,
        received_at=request.received_at,
        erased_at=now,
        backups_until=_backups_until(context),
        purge_after=_purge_after(context),
        points_lost=balance + repository.unused_code_points(shopper.id),
    )
    repository.add(erasure)
    if balance > 0:
        reference = f"erased:{erasure.id}"
        repository.add_entry(shopper_id=shopper.id, points=balance, reference=reference, time=now)
    return erasure


def _delete(session: Session, shopper_id: str) -> None:
    holdings = HoldingsRepository(session, shopper_id)
    for table in held_tables():
        if table in KEPT_IF_REFERRED:
            holdings.delete(table, unless_in=KEPT_IF_REFERRED[table])
        elif not kept_until_purge(table):
            holdings.delete(table)


def _close_requests(context: Context, session: Session, shopper_id: str, *, but: str) -> None:
    """Forget what her requests say, and take back those that nobody can carry out any more."""
    repository = ErasureRepository(session)
    for each in repository.requests(shopper_id):
        each.details = "{}"
        each.request_hash = each.id
        if each.id != but and rules.can(RequestState(each.state), Action.CANCEL):
            move(context, session, each, Action.CANCEL, by=SERVICE)
    repository.flush()


def _ask_rebuilds(context: Context, session: Session, erasure: Erasure, shopper_id: str) -> None:
    """Queue one rebuild a task that had her data, from before the earliest round of all who ask."""
    rebuilds = RebuildRepository(session)
    first: dict[str, Evidence] = {}
    for each in ErasureRepository(session).evidence(shopper_id):
        first.setdefault(each.commit.task, each)
    for task, earliest in first.items():
        commit = earliest.commit.id or 0
        rebuild = rebuilds.open_of(task)
        if rebuild is None:
            rebuild = Rebuild(
                id=context.new_id(),
                task=task,
                open_task=task,
                from_commit=commit,
                asked_at=context.now_ms(),
            )
            rebuilds.add(rebuild)
        rebuild.from_commit = min(rebuild.from_commit, commit)
        rebuilds.link(rebuild, erasure)


def _purge(context: Context, session: Session, erasure: Erasure) -> None:
    now, shopper_id = context.now_ms(), erasure.shopper_id or ""
    repository, holdings = ErasureRepository(session), HoldingsRepository(session, shopper_id)
    clients = repository.clients(shopper_id)
    erasure.purge_started_at = now
    erasure.request_id = None
    repository.flush()
    RebuildRepository(session).unlink(erasure.id)
    repository.add_sums(repository.moved(shopper_id), reference=f"purged:{erasure.id}", time=now)
    for table in held_tables():
        if table not in ("shopper", "erasure"):
            holdings.delete(table)
    erasure.shopper_id = None
    erasure.purged_at = now
    repository.flush()
    repository.delete(repository.shopper(shopper_id))
    for device in repository.devices_without_shoppers(clients):
        repository.delete(device)


def _status(
    context: Context, session: Session, erasure: Erasure, repository: ErasureRepository
) -> ErasureStatus:
    request = repository.request(erasure)
    shopper = erasure.shopper_id
    told = (
        []
        if shopper is None or request is None
        else reading.of_request(context, session, shopper, request.id)
    )
    models = [] if shopper is None else [_trace(each) for each in repository.evidence(shopper)]
    rebuilds = RebuildRepository(session)
    asked = [_rebuild(rebuilds, each) for each in rebuilds.of_erasure(erasure.id)]
    tiers = [Tier.RECORDS, *([Tier.BOUND] if models else []), *([Tier.EXACT] if asked else [])]
    return ErasureStatus(
        kind=RequestKind(erasure.kind),
        state=None if request is None else RequestState(request.state),
        tiers=tiers,
        received_at=erasure.received_at,
        erased_at=erasure.erased_at,
        backups_until=erasure.backups_until,
        purge_after=erasure.purge_after,
        purged_at=erasure.purged_at,
        points_lost=erasure.points_lost,
        clients=[
            ErasedClient(kind=each.kind_of_client, state=each.state, changed_at=each.steps[-1].time)
            for each in told
        ],
        models=models,
        rebuilds=asked,
    )


def _trace(found: Evidence) -> ModelTrace:
    release = found.release
    return ModelTrace(
        task=TaskName(found.commit.task),
        round=found.commit.round_id,
        committed_at=found.commit.committed_at,
        released_at=release and release.released_at,
        epsilon=release and release.epsilon,
        delta=release and release.delta,
        epsilon_so_far=release and release.spent,
        shoppers=release and release.shoppers,
        artefact=release and release.artefact,
    )


def _rebuild(rebuilds: RebuildRepository, found: Rebuild) -> RebuildState:
    commit = rebuilds.commit(found)
    return RebuildState(
        task=TaskName(found.task),
        from_round="" if commit is None else commit.round_id,
        asked_at=found.asked_at,
        done_at=found.done_at,
        artefact=found.artefact,
    )


def _backups_until(context: Context) -> int:
    return context.now_ms() + context.settings.rights.backup_days * DAY_MS


def _purge_after(context: Context) -> int:
    days = context.settings.retention.days(RecordClass.ERASED_CONSENT)
    return context.now_ms() + days * DAY_MS


def _typed(code: str) -> str:
    return code.replace("-", "").replace(" ", "").upper()
