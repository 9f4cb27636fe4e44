"""What was sealed is sent again byte for byte, whatever a crash or a full disk did in between."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from client import outbox as module
from client import participate
from client.outbox import Contribution, Outbox
from client.participate import contribute
from client.register import joined_rounds
from crypto.errors import ConsentError, RoundError
from crypto.grant_list import pack_grants
from crypto.sums.schemes import Scheme
from crypto.update import SealedUpdate
from crypto.upload import sign_upload
from tests.unit.client.stage import Party, invite, make_client, make_manifest
from tests.unit.consent.harness import NOTICE, WITHDRAW, Stage
from tests.unit.crypto.samples import NOW, plan, signer
from tests.unit.crypto.test_upload import COMPACT, SHARED

CONTEXT = "ab" * 32


def made(sealed: SealedUpdate = COMPACT, *tokens: str) -> Contribution:
    chosen = tokens or ("g",)
    return Contribution(
        header=sign_upload(sealed, chosen, signer("client")),
        grants=pack_grants(chosen),
        sealed=sealed,
        token_ids=tuple(f"id of {token}" for token in chosen),
    )


@pytest.fixture
def box(tmp_path: Path) -> Outbox:
    return Outbox(tmp_path / "outbox")


class TestOutbox:
    @pytest.mark.parametrize("sealed", [COMPACT, SHARED], ids=lambda sealed: sealed.scheme)
    def test_round_trip(self, box: Outbox, sealed: SealedUpdate) -> None:
        assert box.find(CONTEXT) is None
        box.put(CONTEXT, made(sealed, "a", "b"), closes=NOW)
        assert box.find(CONTEXT) == made(sealed, "a", "b")
        assert box.find("cd" * 32) is None

    def test_a_second_one_takes_the_place_of_the_first(self, box: Outbox) -> None:
        other = made(replace(COMPACT, body=b"another"), "h")
        box.put(CONTEXT, made(), closes=NOW)
        box.put(CONTEXT, other, closes=NOW)
        assert box.find(CONTEXT) == other

    def test_is_for_its_owner_alone(self, box: Outbox, tmp_path: Path) -> None:
        box.put(CONTEXT, made(), closes=NOW)
        for folder in (tmp_path / "outbox", tmp_path / "outbox" / CONTEXT):
            assert folder.stat().st_mode & 0o777 == 0o700

    def test_is_swept_when_its_round_is_over(self, box: Outbox) -> None:
        box.sweep(now=NOW)  # nothing there yet
        for context, closes in (("aa" * 32, NOW - 1), ("bb" * 32, NOW), ("cc" * 32, NOW + 1)):
            box.put(context, made(replace(COMPACT, context=context)), closes=closes)
        box.sweep(now=NOW)
        found = [box.find(each * 32) is not None for each in ("aa", "bb", "cc")]
        assert found == [False, True, True]
        box.sweep(now=NOW + 2)
        assert box.find("cc" * 32) is None

    @pytest.mark.parametrize("left", ["", "{", "[]", "null", '{"closes": "soon"}', "{}"])
    def test_what_is_half_written_is_swept_and_stops_nobody(
        self, box: Outbox, tmp_path: Path, left: str
    ) -> None:
        """A crash between two bytes must not keep a client out of rounds for ever."""
        box.put("cc" * 32, made(replace(COMPACT, context="cc" * 32)), closes=NOW)
        for name in (CONTEXT, f".{CONTEXT}"):
            place = tmp_path / "outbox" / name
            place.mkdir()
            (place / "about.json").write_text(left)
            os.utime(place, (NOW - 7200, NOW - 7200))
        (tmp_path / "outbox" / "a file").write_text("?")
        box.sweep(now=NOW)
        assert not (tmp_path / "outbox" / CONTEXT).exists()
        assert not (tmp_path / "outbox" / f".{CONTEXT}").exists()
        assert box.find("cc" * 32) is not None

    def test_what_is_being_written_is_not_swept(self, box: Outbox, tmp_path: Path) -> None:
        """Another process of the same client may be at it, for another task."""
        draft = tmp_path / "outbox" / f".{CONTEXT}"
        draft.mkdir(parents=True)
        os.utime(draft, (NOW - 10, NOW - 10))
        box.sweep(now=NOW)
        assert draft.exists()

    def test_changed_bytes_are_not_sent(self, box: Outbox, tmp_path: Path) -> None:
        box.put(CONTEXT, made(), closes=NOW)
        place = tmp_path / "outbox" / CONTEXT
        for name in ("sealed", "about.json"):
            kept = (place / name).read_bytes()
            for bad in (b"", kept[:-1], b"x" + kept[1:]):
                (place / name).write_bytes(bad)
                with pytest.raises(RoundError, match="nothing is sent"):
                    box.find(CONTEXT)
            (place / name).unlink()
            with pytest.raises(RoundError, match="nothing is sent"):
                box.find(CONTEXT)
            (place / name).write_bytes(kept)
        about = json.loads((place / "about.json").read_text())
        (place / "about.json").write_text(json.dumps({**about, "token_ids": None}))
        with pytest.raises(RoundError, match="nothing is sent"):
            box.find(CONTEXT)

    def test_a_full_disk_sends_nothing(
        self, box: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def full(path: Path) -> None:
            raise OSError(28, "No space left on device", str(path))

        monkeypatch.setattr(module, "flush", full)
        with pytest.raises(RoundError, match="No space left on device"):
            box.put(CONTEXT, made(), closes=NOW)
        assert box.find(CONTEXT) is None

    def test_everything_is_flushed_before_it_counts(
        self, box: Outbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Both files and the names of everything on the way, and nothing is there before."""
        flushed: list[str] = []

        def watch(path: Path) -> None:
            flushed.append(str(path.relative_to(tmp_path)))
            assert (box.find(CONTEXT) is not None) == (len(flushed) > 4)

        monkeypatch.setattr(module, "flush", watch)
        box.put(CONTEXT, made(), closes=NOW)
        draft = f"outbox/.{CONTEXT}"
        assert flushed == [".", f"{draft}/sealed", f"{draft}/about.json", draft, "outbox"]


class CrashError(Exception):
    """The power went, here."""


# Where a client may crash: what it calls there, and whether the call is over by then.
POINTS: dict[str, tuple[object, str, bool]] = {
    "asking for grants": (participate, "_granted", False),
    "charging": (participate, "charge", False),
    "charged": (participate, "charge", True),
    "sealing": (participate, "protect", False),
    "sealed": (participate, "protect", True),
    "signing": (participate, "sign_upload", False),
    "writing": (Path, "write_bytes", False),
    "half written": (Path, "write_text", False),
    "flushing": (module, "flush", False),
    "moving": (Path, "rename", False),
    "moved": (Path, "rename", True),
    "kept": (Outbox, "put", True),
}


@contextmanager
def crashing(where: str) -> Iterator[None]:
    """The client crashes there, and nowhere else."""
    target, name, over = POINTS[where]
    real = getattr(target, name)

    def crash(*args: object, **kwargs: object) -> None:
        if over:
            real(*args, **kwargs)
        raise CrashError(where)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(target, name, crash)
        with pytest.raises(CrashError, match=where):
            yield


AFTER = ["moved", "kept"]
BEFORE = [where for where in POINTS if where not in AFTER]


class TestCrashes:
    """A client that crashed is asked again; it seals anew only if nothing was kept."""

    @pytest.fixture(params=[Scheme.COMPACT_SUM, Scheme.SHARE_SUM])
    def scheme(self, request: pytest.FixtureRequest) -> Scheme:
        found: Scheme = request.param
        return found

    @pytest.fixture
    def party(self, stage: Stage, tmp_path: Path) -> Party:
        return make_client(stage, tmp_path / "client", "ann", "bea")

    def join(self, stage: Stage, party: Party, scheme: Scheme) -> Contribution:
        made = make_manifest(plan=plan(scheme=scheme))
        return contribute(invite(made), party.home, stage.http, clock=stage.clock)

    @pytest.mark.parametrize("where", BEFORE)
    def test_before_it_was_kept(
        self, stage: Stage, party: Party, scheme: Scheme, where: str
    ) -> None:
        """Nothing was sent, so sealing anew is no second vector. It may happen once."""
        with crashing(where):
            self.join(stage, party, scheme)
        sent = self.join(stage, party, scheme)
        assert self.join(stage, party, scheme) == sent
        assert len(joined_rounds(party.home.register)) == 1

    @pytest.mark.parametrize("where", AFTER)
    def test_after_it_was_kept(
        self,
        stage: Stage,
        party: Party,
        scheme: Scheme,
        where: str,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """It may have been sent: the same bytes leave, and nothing is sealed any more."""
        with crashing(where):
            self.join(stage, party, scheme)
        [kept] = [each for each in party.home.outbox.iterdir() if each.name[0] != "."]
        found = Outbox(party.home.outbox).find(kept.name)

        def never(*_: object, **__: object) -> None:
            raise AssertionError("Sealed anew.")

        monkeypatch.setattr("client.participate.protect", never)
        for _ in range(4):
            assert self.join(stage, party, scheme) == found

    @pytest.mark.parametrize("where", ["sealing", "writing", "moving"])
    def test_twice_is_the_end_of_the_round(self, stage: Stage, party: Party, where: str) -> None:
        for _ in range(2):
            with crashing(where):
                self.join(stage, party, Scheme.COMPACT_SUM)
        with pytest.raises(RoundError, match="answered 2 times"):
            self.join(stage, party, Scheme.COMPACT_SUM)

    def test_a_dead_grant_seals_anew_and_only_once(
        self, stage: Stage, party: Party, scheme: Scheme
    ) -> None:
        first = self.join(stage, party, scheme)
        stage.client.decide(
            party.home.shoppers["ann"], party.tokens["ann"], WITHDRAW, notice_version=NOTICE
        )
        second = self.join(stage, party, scheme)
        assert not set(first.sealed.shares) & set(second.sealed.shares)
        assert len(second.token_ids) == 1
        assert self.join(stage, party, scheme) == second

    def test_nothing_is_sent_again_without_the_consent_services_word(
        self, stage: Stage, party: Party, scheme: Scheme
    ) -> None:
        self.join(stage, party, scheme)

        def away(request: httpx.Request) -> httpx.Response:
            raise httpx.ConnectError("refused")

        http = httpx.Client(transport=httpx.MockTransport(away), base_url="http://consent.test")
        made = make_manifest(plan=plan(scheme=scheme))
        with pytest.raises(ConsentError):
            contribute(invite(made), party.home, http, clock=stage.clock)

    def test_the_outbox_goes_when_the_round_is_over(self, stage: Stage, party: Party) -> None:
        self.join(stage, party, Scheme.COMPACT_SUM)
        stage.clock.now += 601
        late = make_manifest(
            plan=plan(scheme=Scheme.SHARE_SUM),
            round_id="round-2",
            opens=NOW + 600,
            closes=NOW + 700,
        )
        contribute(invite(late), party.home, stage.http, clock=stage.clock)
        assert len(list(party.home.outbox.iterdir())) == 1
