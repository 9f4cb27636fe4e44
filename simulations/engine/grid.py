"""An in-process Grid: the unmodified Flower apps, without processes, sockets or waiting.

Clients run one after the other in this process, or on worker processes when ``workers`` > 0.
Replies are computed as they are pulled, a few at a time, so a cohort of any size needs memory for
a few updates. Messages are copied both ways: in-process clients would otherwise share records.
"""

import copy
import itertools
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from types import TracebackType
from typing import Self
from uuid import uuid4

from flwr.app import Context, Error, Message, RecordDict
from flwr.serverapp import Grid
from flwr.supercore.run import Run
from flwr.supercore.task_identity import TaskIdentity

RUN_ID = 1
SERVER_NODE = 1
_AHEAD = 4

NodeConfig = dict[str, str | int | float | bool]
# Called on the pulling side before a reply is handed over, with the number handed over so far.
Interlude = Callable[[str, int], None]


class InProcessGrid(Grid):
    """A Grid over ``nodes`` (node id to node config).

    Args:
        nodes: each node's config; ``home`` names its folder.
        workers: worker processes; 0 runs clients in this process.
        loses: says whether a node's reply to a message type is lost (dropout).
        interlude: lets simulated shoppers act while a round is under way.
    """

    def __init__(
        self,
        nodes: Mapping[int, NodeConfig],
        *,
        workers: int = 0,
        loses: Callable[[int, str], bool] = lambda _node, _kind: False,
        interlude: Interlude = lambda _kind, _done: None,
    ) -> None:
        _become(SERVER_NODE)
        self._nodes = dict(nodes)
        self._loses = loses
        self._interlude = interlude
        self._queue: deque[Message] = deque()
        self._running: dict[Future[RecordDict | str], Message] = {}
        self._handed: dict[str, int] = {}
        # Spawned, not forked: TenSEAL and httpx keep threads, which do not survive a fork.
        self._pool = (
            ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers else None
        )
        self._workers = workers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def set_run(self, run: Run) -> None:
        """There is one run only."""
        del run

    @property
    def run(self) -> Run:
        """There is no run record in process."""
        raise NotImplementedError("An in-process grid keeps no run record.")

    def create_message(
        self,
        content: RecordDict,
        message_type: str,
        dst_node_id: int,
        group_id: str,
        ttl: float | None = None,
    ) -> Message:
        """A message to a node (deprecated in Flower; kept because Grid asks for it)."""
        return Message(content, dst_node_id, message_type, group_id=group_id, ttl=ttl)

    def get_node_ids(self) -> Iterable[int]:
        """All nodes."""
        return list(self._nodes)

    def push_messages(self, messages: Iterable[Message]) -> Iterable[str]:
        """Queue messages; nothing runs until replies are pulled."""
        names = []
        for message in messages:
            message.metadata.__dict__["_message_id"] = str(uuid4())
            self._queue.append(message)
            names.append(message.metadata.message_id)
        return names

    def pull_messages(self, message_ids: Iterable[str]) -> Iterable[Message]:
        """The next replies to these messages; at least one, unless none is outstanding."""
        wanted = set(message_ids)
        replies = self._pull_here(wanted) if self._pool is None else self._pull_workers(wanted)
        for reply in replies:
            kind = reply.metadata.message_type
            self._handed[kind] = self._handed.get(kind, 0) + 1
            self._interlude(kind, self._handed[kind])
        return replies

    def send_and_receive(
        self, messages: Iterable[Message], *, timeout: float | None = None
    ) -> Iterable[Message]:
        """Push, then pull until all replies are there."""
        del timeout
        waiting = set(self.push_messages(messages))
        replies: list[Message] = []
        while waiting:
            for reply in self.pull_messages(waiting):
                waiting.discard(reply.metadata.reply_to_message_id)
                replies.append(reply)
        return replies

    def _pull_here(self, wanted: set[str]) -> list[Message]:
        for message in list(self._queue):
            if message.metadata.message_id in wanted:
                self._queue.remove(message)
                return [self._reply(message, run_client(*self._call(message)))]
        return []

    def _pull_workers(self, wanted: set[str]) -> list[Message]:
        if self._pool is None:
            raise RuntimeError("This grid has no workers.")
        while self._queue and len(self._running) < self._workers + _AHEAD:
            message = self._queue.popleft()
            self._running[self._pool.submit(run_client, *self._call(message))] = message
        if not self._running:
            return []
        finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
        replies = []
        for future in itertools.islice(finished, _AHEAD):
            message = self._running.pop(future)
            if message.metadata.message_id in wanted:
                replies.append(self._reply(message, future.result()))
        return replies

    def _call(self, message: Message) -> tuple[int, NodeConfig, str, RecordDict]:
        node = message.metadata.dst_node_id
        return node, self._nodes[node], message.metadata.message_type, message.content

    def _reply(self, message: Message, content: RecordDict | str) -> Message:
        node, kind = message.metadata.dst_node_id, message.metadata.message_type
        if self._loses(node, kind):
            content = "no reply"
        if isinstance(content, str):
            return Message(Error(code=0, reason=content), reply_to=message)
        return Message(content, reply_to=message)


def run_client(node: int, config: NodeConfig, kind: str, content: RecordDict) -> RecordDict | str:
    """Run the client app once, as a SuperNode would; the reason where it failed."""
    from client.app import app  # noqa: PLC0415 - worker processes import it once, here

    _become(SERVER_NODE)
    message = Message(copy.deepcopy(content), node, kind, ttl=3600.0)
    message.metadata.__dict__["_message_id"] = str(uuid4())
    context = Context(
        run_id=RUN_ID, node_id=node, node_config=dict(config), state=RecordDict(), run_config={}
    )
    try:
        reply = app(message, context)
    except Exception as error:
        # As a SuperNode would: any failure of one client is one error reply.
        return f"{type(error).__name__}: {error}"
    return (reply.error.reason or "") if reply.has_error() else copy.deepcopy(reply.content)


def _become(node: int) -> None:
    TaskIdentity.run_id = RUN_ID
    TaskIdentity.node_id = node
    TaskIdentity.task_id = 0
