"""Whole rounds as the consent service sees them: policy, grants, list, report."""

from collections.abc import Sequence
from typing import Any

from consent.answers import Offer, ReleaseReport
from consent.incentive import OPT_IN
from consent.purpose import Decision
from consent.tasks.names import TaskName
from crypto.dp.plan import without_noise
from crypto.manifest import Manifest, context_of
from crypto.wire import SignedRecord
from tests.unit.consent.harness import GIVE, TASK, Device, Stage
from tests.unit.crypto.samples import manifest, plan, signer

COLLECT = {**GIVE, OPT_IN: Decision.GIVEN}
STOP_COLLECTING = {OPT_IN: Decision.WITHDRAWN}
ARTEFACT = "ce" * 32


def make_manifest(round_id: str = "round-1", *, private: bool = True, **changes: Any) -> Manifest:
    fields: dict[str, Any] = {"round_id": round_id, "plan": plan()}
    if not private:
        fields |= {"plan": without_noise(plan()), "epsilon": None}
    return manifest(**(fields | changes))


def sign(made: Manifest, name: str = "coordinator") -> SignedRecord:
    return made.sign(signer(name))


def publish(stage: Stage, made: Manifest) -> SignedRecord:
    record = sign(made)
    task = TaskName(made.task)
    assert stage.client.publish_policy(record, task=task, round_id=made.round_id)
    return record


def freeze(stage: Stage, record: SignedRecord, round_id: str, devices: Sequence[Device]) -> None:
    """Have these devices take part, and freeze the list."""
    context = context_of(record)
    offers = [
        Offer(
            upload=f"{number:064x}",
            client=device.name,
            grants=tuple(stage.grants(device, round_id, context=context).values()),
        )
        for number, device in enumerate(devices)
    ]
    stage.client.commit(task=TASK, round_id=round_id, context=context, offers=offers)


def report_of(made: Manifest, devices: Sequence[Device], **changes: Any) -> ReleaseReport:
    fields: dict[str, Any] = {
        "epsilon": made.epsilon,
        "epsilon_spent_in_all": made.epsilon,
        "delta": made.plan.delta,
        "clients": len(devices),
        "shoppers": sum(len(device.shoppers) for device in devices),
        "artefact": ARTEFACT,
    }
    return ReleaseReport(**(fields | changes))


def release(
    stage: Stage,
    *devices: Device,
    round_id: str = "round-1",
    private: bool = True,
    **changes: Any,
) -> ReleaseReport:
    """A whole round of these devices, published and reported."""
    made = make_manifest(round_id, private=private)
    freeze(stage, publish(stage, made), round_id, devices)
    report = report_of(made, devices, **changes)
    assert stage.client.released(report, task=TASK, round_id=round_id)
    return report


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def balance(stage: Stage, device: Device, shopper: str | None = None) -> int:
    who = shopper or device.shopper
    return stage.client.points(who, device.shoppers[who]).balance
