"""The outbox: delivered at least once, by one worker at a time, patiently, and given up at last."""

import threading
from collections.abc import Mapping
from datetime import timedelta

import pytest

from consent.service.audit.reading import verify
from consent.service.webhooks import delivery
from consent.service.webhooks.delivery import DELAYS_S, MAX_ATTEMPTS, deliver
from consent.service.webhooks.sender import Outcome
from consent.service.webhooks.service import emit
from tests.unit.consent.harness import Stage
from tests.unit.consent.service.operators import operator
from tests.unit.consent.service.webhook_calls import (
    DAY,
    DONE,
    DOWN,
    Scripted,
    log_of,
    subscribe,
    tell,
)


def test_a_failure_is_repeated_with_growing_delays_and_given_up(local: Stage) -> None:
    caller = operator(local)
    made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
    tell(local)
    down = Scripted()
    waits = []
    for attempt in range(MAX_ATTEMPTS):
        assert deliver(local.context, down) == delivery.Pass(failed=1)
        assert deliver(local.context, down) == delivery.Pass()  # not before its time
        [entry] = log_of(caller, made) if attempt < 3 else [None]
        if entry is not None:
            waits.append(entry["due_at"] / 1000 - local.clock.now)
        local.clock.now += 1.25 * DELAYS_S[min(attempt, len(DELAYS_S) - 1)]
    for wait, stated in zip(waits, DELAYS_S, strict=False):
        assert 0.8 * stated - 0.01 <= wait <= 1.2 * stated + 0.01
    [entry] = log_of(operator(local), made)
    assert (entry["status"], entry["attempts"]) == ("failed", MAX_ATTEMPTS)
    assert entry["due_at"] is None
    ids = {headers["webhook-id"] for _, headers, _ in down.sent}
    assert ids == {entry["message"]}


def test_delays_are_a_day_in_all() -> None:
    assert timedelta(hours=23) < timedelta(seconds=sum(DELAYS_S)) <= timedelta(hours=24)


def test_a_dead_endpoint_rests_and_keeps_nobody_waiting(local: Stage) -> None:
    caller = operator(local)
    for host in ("dead", "alive"):
        subscribe(caller, f"https://{host}.example.com/hooks")
    for n in range(4):
        tell(local, n=n)

    class OneDead(Scripted):
        def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
            self.sent.append((url, dict(headers), body))
            return DOWN if "dead" in url else DONE

    sent = OneDead()
    deliver(local.context, sent)
    urls = [url for url, _, _ in sent.sent]
    assert sum("alive" in url for url in urls) == 4
    assert sum("dead" in url for url in urls) == 1


def test_days_of_failure_disable_an_endpoint(local: Stage) -> None:
    caller = operator(local)
    made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
    for _ in range(7):
        tell(local)
        deliver(local.context, Scripted())
        local.clock.now += DAY
    caller = operator(local)
    found = caller.get(f"/v1/webhooks/{made}").json()
    assert (found["enabled"], found["disabled_why"]) == (False, "days of failure")
    assert found["waiting"] == 0
    [entry] = caller.get("/v1/audit", action="webhook.disabled").json()["entries"]
    assert (entry["target"], entry["actor"]) == (made, "service")
    assert caller.call("PATCH", f"/v1/webhooks/{made}", json={"enabled": True}).json()["enabled"]


def test_gone_disables_at_once(local: Stage) -> None:
    made = subscribe(operator(local), "https://example.com/hooks")["endpoint"]["id"]
    tell(local)
    deliver(local.context, Scripted(Outcome(delivered=False, word="status 410", gone=True)))
    found = operator(local).get(f"/v1/webhooks/{made}").json()
    assert "410" in found["disabled_why"]


def test_a_success_ends_the_count_of_failure(local: Stage) -> None:
    made = subscribe(operator(local), "https://example.com/hooks")["endpoint"]["id"]
    tell(local)
    deliver(local.context, Scripted())
    assert operator(local).get(f"/v1/webhooks/{made}").json()["failing_since"]
    local.clock.now += 10
    assert deliver(local.context, Scripted(DONE)).delivered == 1
    assert operator(local).get(f"/v1/webhooks/{made}").json()["failing_since"] is None


def test_several_workers_send_each_message_once(local: Stage) -> None:
    subscribe(operator(local), "https://example.com/hooks")
    for n in range(12):
        tell(local, n=n)
    second = local.again()
    seen: list[str] = []

    class Noting(Scripted):
        def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
            seen.append(headers["webhook-id"])
            return DONE

    threads = [
        threading.Thread(target=deliver, args=(each.context, Noting()))
        for each in (local, second, local, second)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    second.close()
    assert len(seen) == len(set(seen)) == 12


def test_a_worker_that_died_is_stood_in_for(local: Stage) -> None:
    subscribe(operator(local), "https://example.com/hooks")
    tell(local)

    class Dying(Scripted):
        def send(self, url: str, headers: Mapping[str, str], body: bytes) -> Outcome:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        deliver(local.context, Dying())
    assert deliver(local.context, Scripted(DONE)) == delivery.Pass()
    local.clock.now += delivery.LEASE_MS / 1000 + 1
    assert deliver(local.context, Scripted(DONE)) == delivery.Pass(delivered=1)


def test_stopping_leaves_the_rest(local: Stage) -> None:
    subscribe(operator(local), "https://example.com/hooks")
    for n in range(3):
        tell(local, n=n)
    done = deliver(
        local.context,
        (sent := Scripted(DONE)),
        stopping=lambda: bool(sent.sent),
    )
    assert done == delivery.Pass(delivered=1)
    assert deliver(local.context, Scripted(DONE, DONE)) == delivery.Pass(delivered=2)


def test_replay_sends_the_same_message(local: Stage) -> None:
    caller, sent = operator(local), Scripted(DONE, DONE)
    made = subscribe(caller, "https://example.com/hooks")["endpoint"]["id"]
    tell(local)
    deliver(local.context, sent)
    [entry] = log_of(caller, made)
    path = f"/v1/webhooks/{made}/deliveries/{entry['number']}/replay"
    assert caller.post(path).json()["status"] == "pending"
    deliver(local.context, sent)
    first, second = sent.sent
    assert first[2] == second[2]
    assert first[1]["webhook-id"] == second[1]["webhook-id"]
    assert caller.post(path.replace(str(entry["number"]), "999")).status_code == 404
    caller.call("PATCH", f"/v1/webhooks/{made}", json={"enabled": False})
    assert caller.post(path).status_code == 409
    assert verify(local.context).holds


def test_a_message_falls_with_its_transaction(local: Stage) -> None:
    subscribe(operator(local), "https://example.com/hooks")

    def refused() -> None:
        with local.context.database.writing() as session:
            emit(local.context, session, "request.created", {})
            raise RuntimeError

    with pytest.raises(RuntimeError):
        refused()
    assert deliver(local.context, Scripted()) == delivery.Pass()
