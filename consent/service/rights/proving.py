"""Whether it is she who asks: a login that was shown lately, or her device's signature."""

from sqlalchemy.orm import Session

from consent.rights.proof import Possession, Step
from consent.service.context import Context
from consent.service.principals import STEP_UP, identify, proved
from consent.service.problems import Problem
from consent.service.schemas import SignedRecordSchema
from consent.service.shoppers.repository import ShopperRepository
from consent.service.shoppers.schemas import ClientKind
from crypto.wire import SignedRecord


def has_proved(context: Context, session: Session, token: str) -> bool:
    """Whether the login of a token was shown lately."""
    principal = identify(context, session, token)
    if principal is None:
        return False
    try:
        proved(context, principal)
    except Problem:
        return False
    return True


def required(
    context: Context,
    session: Session,
    shopper_id: str,
    token: str,
    *,
    step: Step,
    asked: str,
    record: SignedRecordSchema | None,
) -> None:
    """Refuse a caller who has proved it neither by her login nor by her device.

    The device is one that stands for her now. A store's client proves nothing here: the store
    holds its key, and not she.

    Raises:
        WireError: the record is malformed, or not signed by the key that it names.
        Problem: 403 of type ``urn:fedcart:problem:step-up``.
    """
    if has_proved(context, session, token):
        return
    if record is not None:
        shown = Possession.parse(SignedRecord.from_json(record.model_dump()))
        fits = shown.covers(shopper_id, step, asked, context.now())
        if fits and _is_her_device(session, shopper_id, shown.client):
            return
    raise Problem(
        403,
        "Show your password or passkey once more, or send a rights-proof that her device signed "
        "for exactly this, then repeat it.",
        kind=STEP_UP,
    )


def _is_her_device(session: Session, shopper_id: str, client_id: str) -> bool:
    shoppers = ShopperRepository(session)
    client = shoppers.client(client_id)
    stands = {tie.client_id for tie in shoppers.memberships(shopper_id)}
    return client is not None and client.kind == ClientKind.DEVICE and client_id in stands
