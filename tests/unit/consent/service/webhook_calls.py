"""Subscribing, telling and sending for tests of webhooks."""

from collections.abc import Mapping
from typing import Any

from consent.service.webhooks.addresses import Rules
from consent.service.webhooks.sender import Outcome, Sender
from consent.service.webhooks.service import Kind, emit
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.operators import Caller

ALL = [kind.value for kind in Kind]
PUBLIC = "203.0.113.7"  # reserved for documentation: no test ever connects to it
DAY = 24 * 3600
LOCAL = Rules(loopback=True)
DOWN = Outcome(delivered=False, word="status 500")
DONE = Outcome(delivered=True, word="status 204")


def subscribe(caller: Caller, url: str, kinds: list[str] = ALL) -> Any:
    answer = caller.post("/v1/webhooks", {"url": url, "kinds": kinds})
    assert answer.status_code == 201, answer.text
    return answer.json()


def tell(stage: Stage, **data: object) -> None:
    with stage.context.database.writing() as session:
        emit(stage.context, session, "request.created", data)


def log_of(caller: Caller, endpoint: str) -> list[Any]:
    found: list[Any] = caller.get(f"/v1/webhooks/{endpoint}/deliveries").json()["deliveries"]
    return found


class Scripted(Sender):
    """A sender that answers from a list, then fails, and touches no network."""

    outcomes: list[Outcome]
    sent: list[tuple[str, dict[str, str], bytes]]

    def __init__(self, *outcomes: Outcome) -> None:
        super().__init__(rules=LOCAL)
        object.__setattr__(self, "outcomes", list(outcomes))
        object.__setattr__(self, "sent", [])

    def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
        self.sent.append((url, dict(headers), body))
        return self.outcomes.pop(0) if self.outcomes else DOWN
