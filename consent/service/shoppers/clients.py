"""Which clients stand for a shopper: registering, choosing, replacing and removing them.

At most one client stands for a shopper in a task: the one that is named for it, or else the one
that stands for every task that none is named for. A change of it raises her consent's epoch and
floor, so grants that were issued before are dead, whichever client holds them.
"""

from collections.abc import Collection
from typing import Final

from sqlalchemy.orm import Session

from consent.service.context import Context
from consent.service.instructions import service as instructions
from consent.service.pairing.repository import PairingRepository
from consent.service.principals import Role, required
from consent.service.problems import Problem
from consent.service.shoppers.repository import ShopperRepository
from consent.service.shoppers.schemas import ClientKey, ClientKind
from consent.service.tables import EVERY_TASK, Client, Shopper
from consent.standing import ShopperConsent
from consent.tasks.names import TaskName
from crypto.wire import parse_public_key, thumbprint

_ALL: Final[tuple[TaskName, ...]] = ()


def new_client(context: Context, session: Session, named: ClientKey, token: str | None) -> str:
    """The thumbprint of a client, which becomes known if it was not.

    Raises:
        Problem: 401 or 404, a store without a store's token; 409, it is known as another kind, or
            as another store's.
    """
    store = None
    if named.kind is ClientKind.STORE:
        if token is None:
            raise Problem(401, "A store's client is registered with the store's own token.")
        store = required(context, session, token, Role.STORE).store
    return _known_as(ShopperRepository(session), named, store)


def chosen_client(session: Session, named: ClientKey) -> str:
    """The thumbprint of a client that a shopper chooses: a device, or a store that is known.

    Raises:
        Problem: 409, it is known as another kind, or is a store that is not registered.
    """
    shoppers = ShopperRepository(session)
    if named.kind is not ClientKind.STORE:
        return _known_as(shoppers, named, None)
    known = shoppers.client(_thumbprint(named))
    if known is None:
        raise Problem(409, "This store is not registered; it does that with its own token.")
    return _known_as(shoppers, named, known.store)


def stand(
    context: Context,
    session: Session,
    shopper: Shopper,
    client_id: str,
    tasks: Collection[TaskName] = _ALL,
) -> ShopperConsent:
    """Let a client stand for a shopper in some tasks, or in all that no client is named for.

    Clients that stand for nothing of hers any more are told to stop, and their device tokens die.
    Returns her consent, without its cells.
    """
    shoppers = ShopperRepository(session)
    before = shoppers.memberships(shopper.id)
    wanted = {task.value for task in tasks} or {EVERY_TASK}
    held = {row.task: row.client_id for row in before}
    shoppers.join(shopper.id, client_id, wanted)
    if EVERY_TASK in wanted:  # whatever it was named for is among all
        own = {task for task, held_by in held.items() if held_by == client_id}
        shoppers.leave(shopper.id, client_id, own - wanted)
    others = {row.client_id for row in before} - {client_id}
    consent = ShopperConsent(epoch=shopper.epoch, floor=shopper.floor)
    if others and any(held.get(task) != client_id for task in wanted):
        consent = _moved(shoppers, shopper)
    left = {row.client_id for row in shoppers.memberships(shopper.id)}
    for gone in sorted(others - left):
        _told(context, session, shopper, before=gone, after=None)
    if client_id not in held.values():
        _told(context, session, shopper, before=None, after=client_id)
    return consent


def remove(context: Context, session: Session, shopper: Shopper, client_id: str) -> bool:
    """Let a client stand for nothing of a shopper's any more; whether it did before.

    Guarantee: every grant that it holds is dead from this transaction on, and so is its token.
    """
    shoppers = ShopperRepository(session)
    tasks = {row.task for row in shoppers.memberships(shopper.id) if row.client_id == client_id}
    if not tasks:
        return False
    shoppers.leave(shopper.id, client_id, tasks)
    _moved(shoppers, shopper)
    _told(context, session, shopper, before=client_id, after=None)
    return True


def _moved(shoppers: ShopperRepository, shopper: Shopper) -> ShopperConsent:
    consent = ShopperConsent(epoch=shopper.epoch, floor=shopper.floor).moved()
    shoppers.save_standing(shopper.id, consent)
    shopper.epoch, shopper.floor = consent.epoch, consent.floor
    return consent


def _told(
    context: Context, session: Session, shopper: Shopper, *, before: str | None, after: str | None
) -> None:
    """Tell a client that it stands for her no more, or that it does."""
    if before is not None:
        PairingRepository(session).forget_device(shopper.id, before)
    instructions.client_replaced(
        context, session, shopper.id, before=before, after=after, epoch=shopper.epoch
    )


def _known_as(shoppers: ShopperRepository, named: ClientKey, store: str | None) -> str:
    client_id = _thumbprint(named)
    known = shoppers.client(client_id)
    if known is None:
        shoppers.add_client(
            Client(thumbprint=client_id, public_key=named.public_key, kind=named.kind, store=store)
        )
    elif known.kind != named.kind:
        raise Problem(409, f"This client is known as a {known.kind}.")
    elif known.store != store:
        raise Problem(409, "This client is known as another store's.")
    return client_id


def _thumbprint(named: ClientKey) -> str:
    return thumbprint(parse_public_key(named.public_key, what="client key"))
