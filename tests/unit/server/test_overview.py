"""What an operator is told that clients send is what they send, byte for byte, in every scheme."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flwr.app import RecordDict

from consent.tasks.names import TaskName
from crypto.dp.plan import PrivacyPlan
from crypto.manifest import context_of
from crypto.sealing import secure_sum
from crypto.sums.schemes import Scheme
from crypto.update import SealedUpdate
from crypto.wire import SignedRecord
from server.home import CoordinatorHome, HolderAddress
from server.overview import plan_overview, plan_table
from server.schedule import schedule
from tests.unit.client.stage import CATALOGUE
from tests.unit.crypto.samples import (
    SENDER,
    cards,
    generator,
    key_hashes,
    manifest,
    noised,
    round_keys,
    signer,
)
from tests.unit.server.stage import Answer, Scene
from tests.unit.server.test_schedule import training

PLANS: list[dict[str, Any]] = [
    *({"scheme": scheme} for scheme in Scheme),
    {"scheme": Scheme.COMPACT_SUM, "experimental": True, "max_shoppers": 60},
    {"scheme": Scheme.PIECE_SUM, "experimental": True},
]


def home(folder: Path, **changes: Any) -> CoordinatorHome:
    catalogue = folder / "catalogue.json"
    catalogue.write_bytes(CATALOGUE.to_bytes())
    holders = tuple(
        HolderAddress(url=f"https://{c.number}.test", identity=c.identity, card="") for c in cards()
    )
    weights = {TaskName.POPULARITY: 0.5, TaskName.ITEM_ITEM: 0.5}
    return CoordinatorHome(
        path=folder,
        population="test-federation",
        identity=signer("coordinator"),
        consent_url="https://consent.test",
        consent_key=signer("consent").public_key(),
        consent_token="token",
        holders=holders,
        catalogue=str(catalogue),
        plan=training(weights=weights, **changes),
    )


def sealed(plan: PrivacyPlan) -> SealedUpdate:
    """A vector of this plan, sealed as a client would."""
    hashes = tuple(key.hash for key in round_keys()) if plan.scheme.votes else key_hashes()
    document = manifest(plan=plan, key_hashes=hashes)
    context = context_of(document.sign(signer("coordinator")))
    scheme = secure_sum(document, context, cards=cards(), round_keys=round_keys())
    update = noised(np.ones(plan.padded_dimension, dtype=np.int64))
    return scheme.seal(update, sender=SENDER, rng=generator())


@pytest.mark.parametrize("changes", PLANS, ids=str)
def test_sizes_of_the_plan_are_those_of_sealed_vectors(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    made = home(tmp_path, **changes)
    plans = schedule(made.plan, items=len(CATALOGUE), described=0).plans
    told = {task.task: task for task in plan_overview(made).tasks}
    assert told.keys() == set(plans) == {"popularity", "item-item"}
    for name, plan in plans.items():
        update = sealed(plan)
        assert told[name].sealed_bytes == len(update.body) + sum(map(len, update.shares))
        assert told[name].scheme == plan.scheme
        assert told[name].dimension == plan.dimension
        assert told[name].noise_stddev == plan.noise_stddev(plan.min_clients)


def test_the_table_shows_them(tmp_path: Path) -> None:
    found = plan_overview(home(tmp_path))
    table = plan_table(found)
    column = next(each for each in table.columns if each.header == "Bytes a client")
    assert list(column.cells) == [f"{task.sealed_bytes:,}" for task in found.tasks]


class TestRecord:
    @pytest.fixture(params=Scheme, ids=str)
    def scene(self, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Scene]:
        made = Scene.create(tmp_path, clients=3, scheme=request.param)
        yield made
        made.close()

    def test_says_what_each_client_sent(self, scene: Scene) -> None:
        sent: list[dict[str, int]] = []

        def watching(answer: Answer) -> Answer:
            def watch(kind: str, content: RecordDict) -> RecordDict | str:
                reply = answer(kind, content)
                assert isinstance(reply, RecordDict)
                arrays = reply.array_records["sealed"]
                sizes = {name: len(array.data) for name, array in arrays.items()}
                header = reply.config_records["upload"]["header"]
                assert isinstance(header, bytes)
                assert SignedRecord.from_bytes(header).type == "upload"
                sent.append(sizes | {"header": len(header)})
                return reply

            return watch

        grid = scene.grid()
        grid.answers = {node: watching(answer) for node, answer in grid.answers.items()}
        record = scene.run(grid).record
        assert len(sent) == 3
        assert {sum(sizes.values()) for sizes in sent} == {record["bytes_up_per_client"]}
        secret = [sizes["body"] + sum(sizes[f"share-{k}"] for k in (1, 2, 3)) for sizes in sent]
        assert set(secret) == {record["sealed_bytes_per_client"]}
        assert record["bytes_per_value"] == secret[0] / scene.plan.dimension
        assert record["scheme"] == scene.scheme
