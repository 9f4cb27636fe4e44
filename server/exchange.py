"""Messages over a Flower Grid as a stream: replies are handled as they arrive.

Flower's own strategies sample and loop in ways that consent and ledgers can't live with, so the
round loop is ours; this module is all of Flower that it sees.
"""

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from flwr.app import ConfigRecord, Message, RecordDict
from flwr.serverapp import Grid

from crypto.errors import WireError
from crypto.update import SealedUpdate
from crypto.wire import SignedRecord, get_str, parse_object

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


def round_content(manifest: SignedRecord) -> RecordDict:
    """The message that asks a client to take part in a round."""
    return RecordDict({"round": ConfigRecord({"manifest": manifest.to_bytes()})})


def parse_upload(content: RecordDict) -> tuple[SignedRecord, SealedUpdate] | str:
    """A client's signed header with its sealed shares, or its reason for declining.

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
        arrays = content.array_records["shares"]
        shares = tuple(arrays[f"share-{k}"].data for k in range(1, len(arrays) + 1))
    except KeyError as error:
        raise WireError("A client's reply has neither an upload nor a refusal.") from error
    signed = SignedRecord.from_bytes(header)
    claimed = parse_object(signed.body, what="upload")
    scheme, context = get_str(claimed, "scheme"), get_str(claimed, "context")
    return signed, SealedUpdate(scheme=scheme, context=context, shares=shares)
