"""The in-process grid behaves like Flower's: queued, per message, copied, and never waiting."""

from pathlib import Path

import pytest
from flwr.app import ConfigRecord, RecordDict

from client.app import app
from server.exchange import ask
from simulations.engine.grid import InProcessGrid, NodeConfig, run_client


@pytest.fixture
def nodes(tmp_path: Path) -> dict[int, NodeConfig]:
    return {node: {"home": str(tmp_path / f"none-{node}")} for node in (2, 3, 4)}


def test_a_failing_client_is_an_error_reply_and_stops_nobody(nodes: dict[int, NodeConfig]) -> None:
    grid = InProcessGrid(nodes)
    replies = list(ask(grid, nodes, "query.hello", RecordDict({}), timeout=5.0))
    assert sorted(reply.node for reply in replies) == [2, 3, 4]
    # What a client says to a coordinator names no folder of its own.
    assert {str(reply.content) for reply in replies} == {
        "RuntimeError: This client can't say who it is."
    }


def test_lost_replies_are_lost(nodes: dict[int, NodeConfig]) -> None:
    grid = InProcessGrid(nodes, loses=lambda node, kind: node == 3 and kind == "query.hello")
    replies = {
        r.node: r.content for r in ask(grid, nodes, "query.hello", RecordDict({}), timeout=5)
    }
    assert replies[3] == "no reply"
    assert replies[2] != "no reply"


def test_shoppers_can_act_between_replies(nodes: dict[int, NodeConfig]) -> None:
    seen: list[tuple[str, int]] = []
    grid = InProcessGrid(nodes, interlude=lambda kind, done: seen.append((kind, done)))
    for _ in ask(grid, nodes, "query.hello", RecordDict({}), timeout=5.0):
        pass
    assert seen == [("query.hello", 1), ("query.hello", 2), ("query.hello", 3)]


def test_unknown_message_types_are_error_replies(nodes: dict[int, NodeConfig]) -> None:
    assert isinstance(run_client(2, nodes[2], "train.steal", RecordDict({})), str)


def test_only_wanted_replies_are_pulled(nodes: dict[int, NodeConfig]) -> None:
    grid = InProcessGrid(nodes)
    content = RecordDict({"round": ConfigRecord({"invitation": b"x"})})
    first = ask(grid, [2], "query.hello", content, timeout=5.0)
    assert [reply.node for reply in first] == [2]
    assert list(grid.pull_messages(["unknown"])) == []


def test_the_client_app_is_the_one_that_flower_bundles() -> None:
    assert type(app).__name__ == "ClientApp"
