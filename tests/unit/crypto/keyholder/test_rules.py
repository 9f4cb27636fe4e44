"""What a key holder refuses, and that it answers one sum a round, for ever."""

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crypto.errors import CohortTooSmallError, FedcartError, RoundError, SealError, WireError
from crypto.keyholder import rules
from crypto.keyholder.home import KeyHolder, load
from crypto.keyholder.register import Answered, Register
from crypto.keyholder.rules import answer
from crypto.opening import OpenRequest
from crypto.sums.share_sum.scheme import ShareSum
from tests.unit.crypto.keyholder.stage import make_holders, make_round, pins
from tests.unit.crypto.samples import NOW, commit, plan

Holders = tuple[KeyHolder, ...]


@pytest.fixture
def register(tmp_path: Path) -> Register:
    return Register(tmp_path / "register.db")


def refused(
    request: OpenRequest,
    holder: KeyHolder,
    register: Register,
    error: type[FedcartError],
    message: str,
) -> None:
    """Refused for this reason, and the round stays open for an honest request."""
    with pytest.raises(error, match=message):
        answer(request, holder, register, now=NOW)
    assert register.answered() == []


def test_parts_of_two_holders_make_the_sum(holders: Holders, tmp_path: Path) -> None:
    made = make_round(holders)
    parts = [
        answer(made.request(h.number), h, Register(tmp_path / f"{h.number}.db"), now=NOW)
        for h in holders
    ]
    scheme = ShareSum(
        context=made.commit.context,
        dimension=12,
        public_keys=[h.public for h in holders],
        key_hashes=[h.key_hash for h in holders],
    )
    assert scheme.combine(made.total, parts).tolist() == made.expected
    assert scheme.combine(made.total, parts[1:]).tolist() == made.expected


class TestRefusals:
    @pytest.mark.parametrize(
        ("role", "name"),
        [("coordinator", "consent"), ("consent", "mallory"), ("consent", "coordinator")],
    )
    def test_another_signer(
        self, holders: Holders, register: Register, role: str, name: str
    ) -> None:
        request = make_round(holders).request(1, **{role: name})  # type: ignore[arg-type]
        refused(request, holders[0], register, WireError, "signature")

    def test_manifest_and_list_in_each_others_place(
        self, holders: Holders, register: Register
    ) -> None:
        good = make_round(holders).request(1)
        swapped = replace(good, manifest=good.commit, commit=good.manifest)
        refused(swapped, holders[0], register, WireError, "record")

    @pytest.mark.parametrize(
        ("changes", "error", "message"),
        [
            ({"manifest_changes": {"population": "other"}}, RoundError, "serves 'test-federation'"),
            ({"commit_changes": {"context": "cd" * 32}}, RoundError, "another round"),
            ({"commit_changes": {"round_id": "round-2"}}, RoundError, "another round"),
            ({"commit_changes": {"task": "item-item"}}, RoundError, "another round"),
            ({"private": plan(noise_multiplier=0.29)}, RoundError, "0.29 is below .* floor 0.3"),
            ({"private": plan(noise_multiplier=0.0)}, RoundError, "0.0 is below"),
            ({"clients": 3}, CohortTooSmallError, "3 participants, at least 4"),
            ({"clients": 1}, CohortTooSmallError, "1 participants, at least 4"),
            ({"clients": 9}, RoundError, "9 clients and 9 shoppers; .* 8 and 16"),
            ({"clients": 5, "shoppers": 4}, RoundError, "5 clients and 20 shoppers"),
            (
                {"manifest_changes": {"key_hashes": ("x", "y", "z")}},
                RoundError,
                "other keys",
            ),
        ],
    )
    def test_what_does_not_belong_together(
        self,
        holders: Holders,
        register: Register,
        changes: dict[str, Any],
        error: type[FedcartError],
        message: str,
    ) -> None:
        refused(make_round(holders, **changes).request(1), holders[0], register, error, message)

    def test_at_the_limits_it_answers(self, holders: Holders, tmp_path: Path) -> None:
        for number, changes in enumerate(
            [{"clients": 4}, {"clients": 8, "shoppers": 2}, {"private": plan(noise_multiplier=0.3)}]
        ):
            made = make_round(holders, **changes)  # type: ignore[arg-type]
            answer(made.request(1), holders[0], Register(tmp_path / f"{number}.db"), now=NOW)

    def test_the_pinned_floor_counts_where_the_manifest_asks_for_less(
        self, tmp_path: Path, register: Register
    ) -> None:
        strict = make_holders(tmp_path / "strict", n_floor=6)
        request = make_round(strict, clients=5).request(1)
        refused(request, strict[0], register, CohortTooSmallError, "at least 6")
        answer(make_round(strict, clients=6).request(1), strict[0], register, now=NOW)

    def test_its_key_in_anothers_place(self, holders: Holders, register: Register) -> None:
        hashes = tuple(holders[k].key_hash for k in (1, 0, 2))
        made = make_round(holders, manifest_changes={"key_hashes": hashes})
        refused(made.request(1), holders[0], register, RoundError, "in another's place")

    def test_anothers_share_opens_to_no_sum(self, holders: Holders, register: Register) -> None:
        """BFV can't tell whose ciphertext it is; what comes out is noise, not a share."""
        made = make_round(holders)
        try:
            part = answer(made.request(1, share=made.total.shares[1]), holders[0], register, now=1)
        except SealError:
            return
        right = answer(made.request(2), holders[1], Register(register._path.with_name("2")), now=1)
        assert not np.array_equal(part.values, right.values)

    @pytest.mark.parametrize("share", [b"", b"x", bytes(61_952), b"\xff" * 61_952, bytes(123_904)])
    def test_malformed_shares_do_not_use_up_the_round(
        self, holders: Holders, register: Register, share: bytes
    ) -> None:
        made = make_round(holders)
        refused(made.request(1, share=share), holders[0], register, SealError, "share")
        answer(made.request(1), holders[0], register, now=NOW)

    def test_a_repeated_client_is_no_larger_cohort(self, holders: Holders) -> None:
        entries = commit("ab", clients=4).uploads
        doubled = (*entries[:3], replace(entries[3], client=entries[2].client))
        with pytest.raises(WireError, match="client stands twice"):
            commit("ab", uploads=doubled)


class TestOnce:
    def test_the_same_request_gets_the_same_values(
        self, holders: Holders, register: Register
    ) -> None:
        request = make_round(holders).request(1)
        first = answer(request, holders[0], register, now=NOW)
        again = answer(request, holders[0], register, now=NOW + 9)
        assert np.array_equal(first.values, again.values)
        [entry] = register.answered()
        assert entry == Answered(
            population="test-federation",
            task="popularity",
            round_id="round-1",
            request=request.hash,
            clients=4,
            answered_at=NOW,
        )

    def test_another_list_sum_or_manifest_of_the_same_round(
        self, holders: Holders, register: Register
    ) -> None:
        made = make_round(holders)
        answer(made.request(1), holders[0], register, now=NOW)
        others = [
            make_round(holders, clients=5),
            make_round(holders, label="other sum"),
            make_round(holders, commit_changes={"committed_at": 5}),
            make_round(holders, private=plan(noise_multiplier=2.0)),
            make_round(holders, manifest_changes={"closes": NOW + 700}),
        ]
        for other in others:
            with pytest.raises(RoundError, match="answers once"):
                answer(other.request(1), holders[0], register, now=NOW)
        assert len(register.answered()) == 1

    def test_other_rounds_and_tasks_are_others(self, holders: Holders, register: Register) -> None:
        for task, name in [("popularity", "a"), ("popularity", "b"), ("item-item", "a")]:
            fields = {"task": task, "round_id": name}
            made = make_round(holders, manifest_changes=fields, commit_changes=fields)
            answer(made.request(1), holders[0], register, now=NOW)
        assert [e.round_id for e in register.answered()] == ["a", "b", "a"]

    def test_the_register_survives_a_restart(self, holders: Holders) -> None:
        made, other = make_round(holders), make_round(holders, clients=5)
        path = holders[0].home / "register.db"
        first = answer(made.request(1), holders[0], Register(path), now=NOW)
        reloaded = load(holders[0].home)
        with pytest.raises(RoundError, match="answers once"):
            answer(other.request(1), reloaded, Register(path), now=NOW)
        again = answer(made.request(1), reloaded, Register(path), now=NOW)
        assert np.array_equal(first.values, again.values)

    def test_a_crash_after_entering_still_binds(
        self, holders: Holders, register: Register, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Entered but never sent: the same request is answered, another one is not."""
        made, other = make_round(holders), make_round(holders, clients=5)
        enter = Register.enter

        def enter_and_die(self: Register, entry: Answered) -> None:
            enter(self, entry)
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Register, "enter", enter_and_die)
            with pytest.raises(KeyboardInterrupt):
                answer(made.request(1), holders[0], register, now=NOW)
        with pytest.raises(RoundError, match="answers once"):
            answer(other.request(1), holders[0], register, now=NOW)
        answer(made.request(1), holders[0], register, now=NOW)

    def test_a_crash_before_entering_binds_nothing(
        self, holders: Holders, register: Register, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        made, other = make_round(holders), make_round(holders, clients=5)

        def die(_self: Register, _entry: Answered) -> None:
            raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(Register, "enter", die)
            with pytest.raises(KeyboardInterrupt):
                answer(made.request(1), holders[0], register, now=NOW)
        answer(other.request(1), holders[0], register, now=NOW)

    def test_no_answer_without_a_written_register(self, holders: Holders, tmp_path: Path) -> None:
        register = Register(tmp_path / "full.db")
        with register._connect() as db:
            db.execute(
                "CREATE TRIGGER full BEFORE INSERT ON answered BEGIN SELECT RAISE(ABORT, 'full');"
                " END"
            )
        with pytest.raises(Exception, match="full"):
            answer(make_round(holders).request(1), holders[0], register, now=NOW)
        assert register.answered() == []

    def test_two_lists_at_the_same_moment(self, tmp_path: Path) -> None:
        """Many registers on one file, as several processes would have: one list wins."""
        path = tmp_path / "shared.db"
        outcomes: list[str] = []
        barrier = threading.Barrier(8)

        def enter(number: int) -> None:
            register = Register(path)
            entry = Answered(
                population="p",
                task="t",
                round_id="r",
                request=f"list {number % 4}",
                clients=4,
                answered_at=number,
            )
            barrier.wait()
            try:
                register.enter(entry)
            except RoundError:
                return
            outcomes.append(entry.request)

        threads = [threading.Thread(target=enter, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(set(outcomes)) == 1
        assert [entry.request for entry in Register(path).answered()] == outcomes[:1]


def test_check_alone_needs_no_secret(holders: Holders) -> None:
    made = make_round(holders)
    manifest, listed = rules.check(made.request(1), pins(), holders[0].key_hash)
    assert manifest == made.manifest
    assert listed == made.commit


class TestEpsilon:
    """What a manifest promises is computed again from its plan."""

    @pytest.mark.parametrize("stated", [None, 0.0, 1.0])
    def test_a_promise_below_the_cost_is_refused(
        self, holders: Holders, register: Register, stated: float | None
    ) -> None:
        request = make_round(holders, manifest_changes={"epsilon": stated}).request(1)
        refused(request, holders[0], register, RoundError, "ε")

    def test_a_larger_promise_is_kept_all_the_more(
        self, holders: Holders, register: Register
    ) -> None:
        request = make_round(holders, manifest_changes={"epsilon": 1000.0}).request(1)
        assert answer(request, holders[0], register, now=NOW).holder == 1
