"""Whether a client contributes tells nothing of what its shopper bought or stated.

A coordinator sees who uploads and who doesn't. Each attack here makes up artefacts on which a
contribution could stumble for some histories alone; nobody is the control: a shopper who has bought
and stated nothing must meet the same end.
"""

import logging
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from client.contributions import registry
from client.contributions.history import History
from client.contributions.inputs import Inputs
from client.contributions.registry import CONTRIBUTIONS, contribute
from client.recommender.moment import Moment
from client.recommender.scores import Model, Scores
from consent.admit import ConsentedEvents, admit
from consent.tasks.artefact import Artefact, decode_artefact, encode_artefact
from consent.tasks.item_item import ItemItemArtefact
from consent.tasks.names import REQUIRED_CATEGORIES, REQUIRED_PURPOSE, TaskName
from consent.tasks.popularity import PopularityArtefact
from consent.tasks.task import Task
from crypto.errors import FedcartError, InvalidInputError, WireError
from tests.unit.client.test_contributions import events
from tests.unit.client.test_sensitive import FLAGGED, POPULARITY, RELEASED, TASKS

STATED = {"age": "35-44", "income": "top-fifth"}
HISTORIES = (("a",), ("ab", "ab"), ("abc", "acf", "abcf"))


def scored(*scores: float) -> PopularityArtefact:
    return PopularityArtefact(
        task=TaskName.POPULARITY, catalogue=FLAGGED.hash, scores=np.array(scores)
    )


def pairs(*indices: int) -> ItemItemArtefact:
    size = len(indices)
    return ItemItemArtefact(
        catalogue=FLAGGED.hash,
        indices=np.array(indices),
        matrix=np.full((size, size), 3e38),
        weights=np.full(size, 3e38),
        mean=np.full(size, -3e38),
        directions=0,
    )


MADE_UP: dict[str, Mapping[TaskName, Artefact]] = {
    "another length": {TaskName.POPULARITY: scored(1.0)},
    "an item beyond the list": {TaskName.POPULARITY: POPULARITY, TaskName.ITEM_ITEM: pairs(0, 99)},
    "numbers at their limits": {TaskName.POPULARITY: POPULARITY, TaskName.ITEM_ITEM: pairs(0, 1)},
    "negative popularity": {TaskName.POPULARITY: scored(-1e38, 1.0, -0.003, 0.0, 3e38, -0.01)},
    "nothing": {},
}


def hers(task: Task, *contents: str) -> ConsentedEvents:
    return admit(
        events(*contents),
        purpose=REQUIRED_PURPOSE[task.name],
        categories=REQUIRED_CATEGORIES[task.name],
        sensitive_items=frozenset(),
    )


def end(task: Task, artefacts: Mapping[TaskName, Artefact], *contents: str, **stated: str) -> str:
    """What the coordinator would see: an upload, or the kind of the refusal."""
    try:
        contribute(task, hers(task, *contents), FLAGGED, artefacts=artefacts, groups=stated)
    except FedcartError as error:
        return type(error).__name__
    return "sent"


@pytest.mark.parametrize("name", sorted(TASKS))
@pytest.mark.parametrize("made_up", MADE_UP)
def test_made_up_artefacts_are_refused_by_everybody_or_by_nobody(
    name: TaskName, made_up: str
) -> None:
    task, artefacts = TASKS[name], MADE_UP[made_up]
    nobody = end(task, artefacts)
    for contents in HISTORIES:
        assert end(task, artefacts, *contents) == nobody
        assert end(task, artefacts, *contents, **STATED) == nobody


def test_some_of_them_are_refused() -> None:
    """Or the test above would show nothing."""
    for name in (TaskName.RANKER, TaskName.EVALUATION, TaskName.FAIRNESS):
        assert end(TASKS[name], MADE_UP["another length"]) == "InvalidInputError"
        assert end(TASKS[name], MADE_UP["an item beyond the list"]) == "InvalidInputError"
        assert end(TASKS[name], MADE_UP["numbers at their limits"]) == "sent"


@pytest.mark.parametrize("name", sorted(TASKS))
def test_what_fails_for_her_alone_is_a_vector_of_zeros(
    name: TaskName, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def stumble(task: Any, inputs: Inputs) -> Any:
        if inputs.history.baskets:
            raise ValueError("item c was bought at 09:15")
        return np.zeros(task.dimension)

    monkeypatch.setattr(registry, "CONTRIBUTIONS", {**CONTRIBUTIONS, name: stumble})
    task = TASKS[name]
    with caplog.at_level(logging.ERROR):
        vector = contribute(task, hers(task, "abc"), FLAGGED)
    assert vector.shape == (task.dimension,)
    assert not vector.any()
    assert caplog.messages == [f"a contribution to {name} failed (ValueError) and was left at zero"]


def test_what_fails_for_everybody_is_raised_without_a_word_of_hers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_task: Any, inputs: Inputs) -> Any:
        raise InvalidInputError(f"{inputs.history.baskets} baskets, {dict(inputs.groups)}")

    monkeypatch.setattr(registry, "CONTRIBUTIONS", dict.fromkeys(TaskName, refuse))
    task = TASKS[TaskName.FAIRNESS]
    with pytest.raises(InvalidInputError, match=r"^0 baskets, {}$") as raised:
        contribute(task, hers(task, "abc"), FLAGGED, groups=STATED)
    assert raised.value.__context__ is None


@pytest.mark.parametrize("name", [TaskName.EVALUATION, TaskName.FAIRNESS])
def test_a_list_is_made_also_of_whom_is_not_counted(
    name: TaskName, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It takes most of the time, and an answer that comes at once would tell."""
    made, scores = list[int](), Model.scores

    def counted(model: Model, history: History, moment: Moment) -> Scores:
        made.append(history.baskets)
        return scores(model, history, moment)

    monkeypatch.setattr(Model, "scores", counted)
    for contents in ((), *HISTORIES):
        for stated in ({}, STATED):
            assert end(TASKS[name], RELEASED, *contents, **stated) == "sent"
    assert made == [0, 0, 0, 0, 1, 1, 2, 2]


@given(scores=st.lists(st.floats(-2.0, 2.0, width=32) | st.just(3e38), min_size=6, max_size=6))
def test_popularity_that_no_sum_gives_is_not_read(scores: list[float]) -> None:
    encoded = encode_artefact(scored(*scores))
    if 0 <= min(scores) <= max(scores) <= 1:
        assert decode_artefact(encoded).task is TaskName.POPULARITY
        return
    with pytest.raises(WireError, match="from 0 to 1"):
        decode_artefact(encoded)


def test_inputs_show_nothing_of_hers() -> None:
    made = Inputs(history=None, catalogue=FLAGGED, groups=STATED)  # type: ignore[arg-type]
    assert "35-44" not in repr(made)
