"""Messages over a Flower Grid as a stream: replies are handled as they arrive.

Flower's own strategies sample and loop in ways that consent and ledgers can't live with, so the
round loop is ours; this module is all of Flower that it sees.
"""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flwr.app import Array, ArrayRecord, ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from crypto.errors import WireError
from crypto.invitation import Invitation
from crypto.sums.schemes import HOLDERS
from crypto.update import SealedUpdate
from crypto.wire import SignedRecord, get_str, get_strings, parse_object

POLL_S = 0.5


@dataclass(frozen=True, kw_only=True)
class Reply:
    """One node's answer: its content, or the reason why there is none."""

    node: int
    content: RecordDict | str


def ask(
    grid: Grid, nodes: Iterable[int], kind: str, content: RecordDict, *, timeout: float
) -> Iterator[Reply]:
    """Send content to nodes; yield replies until all came or ``timeout`` seconds passed."""
    messages = [
        Message(content, dst_node_id=node, message_type=kind, group_id="", ttl=timeout)
        for node in nodes
    ]
    waiting = {name for name in grid.push_messages(messages) if name}
    deadline = time.monotonic() + timeout
    while waiting and time.monotonic() < deadline:
        arrived = 0
        for reply in grid.pull_messages(list(waiting)):
            arrived += 1
            waiting.discard(reply.metadata.reply_to_message_id)
            answer = (reply.error.reason or "") if reply.has_error() else reply.content
            yield Reply(node=reply.metadata.src_node_id, content=answer)
        if not arrived and waiting:
            time.sleep(POLL_S)


def round_content(
    invitation: Invitation, artefacts: Mapping[str, bytes] = MappingProxyType({})
) -> RecordDict:
    """The message that asks a client to take part in a round.

    ``artefacts``: the encoded ones that its task names, by their hashes.
    """
    arrays = {
        name: Array(dtype="uint8", shape=(len(data),), stype="fedcart.artefact", data=data)
        for name, data in artefacts.items()
    }
    content = RecordDict({"round": ConfigRecord({"invitation": invitation.to_bytes()})})
    if arrays:
        content["artefacts"] = ArrayRecord(arrays)
    return content


@dataclass(frozen=True, kw_only=True)
class Sent:
    """What a client sent, nothing of it checked yet."""

    header: SignedRecord
    grants: bytes
    sealed: SealedUpdate


def parse_upload(content: RecordDict) -> Sent | str:
    """A client's signed header with its grants and sealed bytes, or its reason for declining.

    Raises:
        WireError: neither of both.
    """
    try:
        record = content.config_records["upload"]
        status, header = record["status"], record.get("header")
        if status == "declined":
            return str(record.get("reason", ""))[:500]
        if status != "sent" or not isinstance(header, bytes):
            raise WireError("A client's reply has neither an upload nor a refusal.")
        arrays = content.array_records["sealed"]
        parts = {name: bytes(arrays[name].data) for name in arrays}
        shares = tuple(parts.pop(f"share-{k}") for k in range(1, HOLDERS + 1))
        grants, body = parts.pop("grants"), parts.pop("body")
    except (KeyError, AttributeError) as error:
        raise WireError("A client's reply has neither an upload nor a refusal.") from error
    if parts:
        raise WireError("A client's reply carries more than an upload.")
    signed = SignedRecord.from_bytes(header)
    return Sent(header=signed, grants=grants, sealed=sealed_of(signed, shares, body))


def sealed_of(header: SignedRecord, shares: tuple[bytes, ...], body: bytes) -> SealedUpdate:
    """The sealed update that a header names; ``Upload.check_sealed`` says whether it is that."""
    claimed = parse_object(header.body, what="upload")
    return SealedUpdate(
        scheme=get_str(claimed, "scheme"),
        context=get_str(claimed, "context"),
        shares=shares,
        body=body,
        commitments=get_strings(claimed, "commitments", max_count=HOLDERS),
    )
