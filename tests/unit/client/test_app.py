"""The Flower app: what it sends, and what it tells the coordinator when it does not take part."""

import logging
from pathlib import Path

import pytest
from flwr.app import ConfigRecord, RecordDict

from client.connection import mount, unmount
from client.home import ClientHome
from client.outbox import Outbox
from client.register import joined_rounds
from crypto.errors import ConsentError, FedcartError, RoundError, WireError
from crypto.invitation import Invitation
from crypto.manifest import context_of
from crypto.sums.schemes import Scheme
from crypto.upload import Upload
from crypto.wire import thumbprint
from server.exchange import Reply, Sent, ask, parse_upload, round_content
from simulations.engine.grid import InProcessGrid
from tests.unit.client.stage import Party, invite, make_client, make_manifest
from tests.unit.consent.harness import Stage
from tests.unit.crypto.samples import NOW, plan

SECRET = "of ann in /home/ann/device"


@pytest.fixture
def home(device: Party) -> ClientHome:
    return device.home


def reply(home: ClientHome, content: RecordDict, kind: str = "train.contribute") -> Reply:
    grid = InProcessGrid({2: {"home": str(home.path)}})
    [found] = ask(grid, [2], kind, content, timeout=5.0)
    return found


def answer(home: ClientHome, invitation: bytes) -> ConfigRecord:
    content = RecordDict({"round": ConfigRecord({"invitation": invitation})})
    found = reply(home, content).content
    assert isinstance(found, RecordDict)
    return found.config_records["upload"]


@pytest.mark.parametrize("scheme", Scheme)
def test_what_it_sends_is_what_it_keeps(
    stage: Stage, tmp_path: Path, scheme: Scheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through a Flower message and back: the coordinator reads the bytes that lie in the outbox."""
    party = make_client(stage, tmp_path / "client", "ann", "bea")
    monkeypatch.setattr("client.app.contribute", _with_clock(stage))
    invitation = invite(make_manifest(plan=plan(scheme=scheme)))
    mount("http://consent.test", stage.http._transport)
    try:
        content = reply(party.home, round_content(invitation)).content
    finally:
        unmount("http://consent.test")
    assert isinstance(content, RecordDict)
    sent = parse_upload(content)
    assert isinstance(sent, Sent)
    kept = Outbox(party.home.outbox).find(context_of(invitation.manifest))
    assert kept is not None
    assert (sent.header, sent.grants, sent.sealed) == (kept.header, kept.grants, kept.sealed)
    upload = Upload.parse(sent.header)
    upload.check_sealed(sent.sealed)
    assert len(upload.tokens(sent.grants)) == 2


def _with_clock(stage: Stage) -> object:
    from client.participate import contribute  # noqa: PLC0415 - before it is replaced

    return lambda invitation, home, http, given: contribute(
        invitation, home, http, given=given, clock=stage.clock
    )


def test_it_says_who_it_is(home: ClientHome) -> None:
    found = reply(home, RecordDict(), "query.hello").content
    assert isinstance(found, RecordDict)
    assert found.config_records["hello"]["kind"] == "device"
    assert thumbprint(home.identity.public_key()) == home.client_id


def test_it_says_which_pin_a_manifest_breaks(home: ClientHome) -> None:
    said = answer(home, invite(make_manifest(population="other")).to_bytes())
    assert said == {
        "status": "declined",
        "reason": "This client refuses the round: its manifest has another population.",
    }


@pytest.mark.parametrize("bad", [b"", b"FRS1", invite(make_manifest()).to_bytes()[:-1]])
def test_malformed_invitations_are_declined_and_leave_no_trace(
    home: ClientHome, bad: bytes
) -> None:
    assert answer(home, bad) == {"status": "declined", "reason": "WireError"}
    assert joined_rounds(home.register) == []


def test_vouchers_that_do_not_hold_are_declined_and_leave_no_trace(home: ClientHome) -> None:
    """A manifest of any time, with another round's accepts."""
    made = make_manifest(plan=plan(scheme=Scheme.COMPACT_SUM), opens=0, closes=2 * NOW)
    good = invite(made)
    other = invite(make_manifest(plan=plan(scheme=Scheme.PIECE_SUM)))
    mixed = Invitation(manifest=good.manifest, round_keys=good.round_keys, accepts=other.accepts)
    assert answer(home, mixed.to_bytes()) == {"status": "declined", "reason": "WireError"}
    assert joined_rounds(home.register) == []


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (RoundError, "RoundError"),
        (FedcartError, "FedcartError"),
        (WireError, "WireError"),
        (ConsentError, "consent"),
        (OSError, "OSError"),
        (KeyError, "KeyError"),
        (ValueError, "ValueError"),
        (MemoryError, "MemoryError"),
    ],
)
def test_it_names_nothing_of_its_own(
    home: ClientHome,
    monkeypatch: pytest.MonkeyPatch,
    error: type[Exception],
    reason: str,
) -> None:
    """Flower would send on the words of whatever is raised: nobody but this client reads them."""

    def failing(*_: object, **__: object) -> None:
        raise error(f"The register {SECRET} can't be written.")

    monkeypatch.setattr("client.app.contribute", failing)
    said = answer(home, invite(make_manifest()).to_bytes())
    assert said == {"status": "declined", "reason": reason}


def test_its_log_says_what_and_where_and_nothing_of_its_own(
    home: ClientHome, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def failing(*_: object, **__: object) -> None:
        raise ZeroDivisionError(SECRET)

    monkeypatch.setattr("client.app.contribute", failing)
    with caplog.at_level(logging.ERROR, logger="fedcart.client"):
        answer(home, invite(make_manifest()).to_bytes())
    [record] = caplog.records
    assert "ZeroDivisionError at test_app.py:" in record.getMessage()
    assert record.exc_info is None
    for secret in (SECRET, str(home.path), *home.shoppers, *home.shoppers.values()):
        assert secret not in caplog.text


@pytest.mark.parametrize("kind", ["query.hello", "train.contribute"])
def test_a_home_that_is_gone_is_not_named(
    tmp_path: Path, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    grid = InProcessGrid({2: {"home": str(tmp_path / "of-ann")}})
    content = RecordDict({"round": ConfigRecord({"invitation": b""})})
    [found] = ask(grid, [2], kind, content, timeout=5.0)
    assert "of-ann" not in str(found.content) + caplog.text
    assert str(tmp_path) not in str(found.content) + caplog.text
