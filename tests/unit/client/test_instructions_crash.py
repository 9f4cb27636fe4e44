"""Carrying out signed instructions when the process dies: before and after every single step."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from client import instructions as carrying
from client.erasing import erase_purchases
from client.events import EventStore
from client.home import ClientHome
from client.journal import Journal
from client.personal_export import export_path
from consent.client import ConsentClient
from tests.unit.client.instructing import DAY, lines, run, tell, told
from tests.unit.client.stage import Party, make_client
from tests.unit.consent.harness import TRAIN_PURCHASES, Stage


class CrashError(BaseException):
    """The process died here."""


STEPS: list[tuple[Any, str]] = [
    (Journal, "begin"),
    (Journal, "plan"),
    (Journal, "hold"),
    (Journal, "finish"),
    (Journal, "reports"),
    (Journal, "mark_reported"),
    (EventStore, "correct"),
    (EventStore, "forget"),
    (carrying, "write_export"),
    (carrying, "erase_purchases"),
    (ConsentClient, "report"),
]


def crash_at(patched: pytest.MonkeyPatch, place: int, *, after: bool) -> Callable[[], bool]:
    """Die before, or just after, the step of this place is taken, counted over all steps."""
    taken = 0

    def dies(step: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*values: Any, **named: Any) -> Any:
            nonlocal taken
            taken += 1
            if taken == place and not after:
                raise CrashError
            result = step(*values, **named)
            if taken == place:
                raise CrashError
            return result

        return wrapped

    for owner, name in STEPS:
        patched.setattr(owner, name, dies(getattr(owner, name)))
    return lambda: taken >= place


SWAP = [
    {"item": "item-00", "day": DAY, "values": {"item": "item-07"}},
    {"item": "item-01", "day": DAY, "values": {"item": "item-00"}},
    {"item": "item-07", "day": DAY, "values": {"item": "item-01"}},
    {"item": "item-00", "day": DAY, "values": {"quantity": 5}},
]


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_anywhere_loses_and_doubles_nothing(
    stage: Stage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    """Corrections that undo each other if applied twice, an export, and an erasure."""
    place, crashed = 0, True
    while crashed:
        place += 1
        party = make_client(stage, tmp_path / f"device-{place}", "ann")
        party.home.token_file.write_text("token")
        tell(stage, party, "correct", details={"corrections": SWAP})
        tell(stage, party, "stop", cells=[TRAIN_PURCHASES])
        made = tell(stage, party, "export")
        tell(stage, party, "erase")
        kept: list[bytes] = []
        with monkeypatch.context() as patched:
            keep = _keeping(kept, export_path(party.home, f"{party.home.shoppers['ann']}-{made}"))
            patched.setattr(carrying, "erase_purchases", keep)
            happened = crash_at(patched, place, after=after)
            with suppress(CrashError):
                run(stage, party)
            crashed = happened()
        run(stage, party)
        _check(stage, party, kept)
    assert place > 15


def _keeping(kept: list[bytes], file: Path) -> Callable[[ClientHome], int]:
    """Note the purchases just before they go."""

    def erase(home: ClientHome) -> int:
        if home.events.exists():
            kept.append(repr(lines(home)).encode())
        return erase_purchases(home)

    return erase


def _check(stage: Stage, party: Party, kept: list[bytes]) -> None:
    reported = {each["kind"]: each for each in told(stage, party)}
    assert {kind: each["state"] for kind, each in reported.items()} == dict.fromkeys(
        ("correct", "stop", "export", "erase"), "done"
    )
    assert reported["correct"]["counts"] == {"lines-corrected": 4, "lines-deleted": 0}
    assert reported["export"]["counts"] == {"lines-exported": 2, "files-written": 1}
    assert reported["erase"]["counts"]["lines-deleted"] == 2
    assert reported["erase"]["counts"]["files-deleted"] == 1
    assert not party.home.events.exists()
    assert not list(party.home.exports.iterdir())
    for seen in kept:  # swapped once, not back
        assert seen == b"['item-01', 'item-00']"
