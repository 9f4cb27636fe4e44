"""The cohort: which nodes are clients, and which of them hold a live consent for a task."""

from collections.abc import Sequence
from dataclasses import dataclass

from flwr.app import RecordDict
from flwr.serverapp import Grid

from consent.client import ConsentClient
from consent.tasks.names import TaskName
from crypto.errors import CohortTooSmallError, WireError
from crypto.wire import digest, parse_public_key, thumbprint
from server.exchange import ask


@dataclass(frozen=True, kw_only=True)
class Member:
    """A node that said who it is."""

    node: int
    client: str
    kind: str


def roll_call(grid: Grid, *, timeout: float) -> list[Member]:
    """Ask every connected node who it is; nodes that fail or make no sense are left out."""
    nodes = list(grid.get_node_ids())
    members = []
    for reply in ask(grid, nodes, "query.hello", RecordDict({}), timeout=timeout):
        if isinstance(reply.content, str):
            continue
        try:
            record = reply.content.config_records["hello"]
            key = parse_public_key(str(record["client_key"]), what="client key")
        except (KeyError, WireError):
            continue
        members.append(
            Member(node=reply.node, client=thumbprint(key), kind=str(record.get("kind", "")))
        )
    return members


def select(
    members: Sequence[Member], consent: ConsentClient, *, task: TaskName, minimum: int
) -> list[Member]:
    """The members with at least one live consent for the task: all of them (sampling ``ALL``).

    Raises:
        ConsentError: the consent service could not be asked.
        CohortTooSmallError: fewer than ``minimum``; nobody was asked to contribute.
    """
    eligible = consent.eligible(task=task, clients=[member.client for member in members])
    chosen = [member for member in members if member.client in eligible]
    if len(chosen) < minimum:
        raise CohortTooSmallError(
            f"{len(chosen)} of {len(members)} clients agree to {task}, at least {minimum} are "
            "needed; nobody was asked and nothing is released. Wait for more clients, or plan "
            "with a smaller min_clients (and therefore more noise from each)."
        )
    return chosen


def in_turn(members: Sequence[Member], *, run: str, number: int, separation: int) -> list[Member]:
    """Those whose turn a round of a run is: each client has one in ``separation`` rounds.

    Turns are drawn from public names, so they hide nobody and no amplification is claimed for
    them; a shopper's own client refuses a round that follows too soon, whoever asks.
    """
    if separation == 1:
        return list(members)
    return [each for each in members if (_draw(run, each) - number) % separation == 0]


def _draw(run: str, member: Member) -> int:
    return int.from_bytes(digest("turn", run.encode(), member.client.encode())[:8], "little")
