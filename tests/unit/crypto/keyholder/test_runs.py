"""Runs of several rounds: rising numbers, one plan, every number charged, noise over rounds."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from crypto.ballot import release_hash
from crypto.dp.conversion import device_epsilon
from crypto.dp.correlated import coefficients
from crypto.errors import BudgetError, RoundError
from crypto.keyholder import keeping, overview
from crypto.keyholder.keeping import backup
from crypto.keyholder.log.points import PersistPoint
from crypto.keyholder.noise_history import MAX_SKIPPED, NoiseHistory
from crypto.manifest import NO_MANIFEST
from crypto.opening import decode_part
from crypto.update import IntArray
from tests.unit.crypto.keyholder.federation import (
    NUMBERS,
    CrashError,
    Federation,
    Ready,
    VotingRound,
    piece_plan,
)
from tests.unit.crypto.samples import generator, signer

RUN: dict[str, Any] = {"rounds": 100, "noise_multiplier": 8.0, "scale": 128}
BANDED: dict[str, Any] = {**RUN, "bands": 2, "separation": 2}


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


class Run:
    """A run of one task, whose manifests follow each other."""

    def __init__(self, federation: Federation, name: str = "run", **plan: Any) -> None:
        self.federation, self.name = federation, name
        self.plan = piece_plan(**({**RUN} | plan))
        self.previous = NO_MANIFEST

    def changes(self, number: int, **changes: Any) -> dict[str, Any]:
        fields = {"plan": self.plan, "run": self.name, "number": number, "previous": self.previous}
        return fields | changes

    def accepted(self, number: int, **changes: Any) -> VotingRound:
        name = f"{self.name}-{number}"
        made = self.federation.accepted(name, **self.changes(number, **changes))
        self.previous = made.context
        return made

    def ready(self, number: int) -> Ready:
        changes = self.changes(number)
        made = self.federation.ready(round_id=f"{self.name}-{number}", **changes)
        self.previous = made.context
        return made


class TestNumbers:
    def test_they_rise(self, federation: Federation) -> None:
        run = Run(federation)
        for number in (0, 1, 5):
            run.accepted(number)

    @pytest.mark.parametrize("number", [0, 2, 3])
    def test_none_comes_twice(self, federation: Federation, number: int) -> None:
        run = Run(federation)
        run.accepted(0)
        run.accepted(3)
        federation.start(1)
        keys = federation.keys("again")
        document = federation.manifest(keys, round_id="again", **run.changes(number))
        with pytest.raises(RoundError, match="go on with number 4"):
            federation.stations[1].accept(document.sign(signer("coordinator")))
        run.accepted(4)

    def test_a_run_has_one_plan(self, federation: Federation) -> None:
        run = Run(federation)
        run.accepted(0)
        keys = federation.keys("b")
        other = piece_plan(**(RUN | {"noise_multiplier": 9.0}))
        document = federation.manifest(keys, round_id="b", **run.changes(1, plan=other))
        with pytest.raises(RoundError, match="has another plan; plan a new run"):
            federation.stations[1].accept(document.sign(signer("coordinator")))
        run.accepted(1)

    def test_other_runs_and_tasks_are_others(self, federation: Federation) -> None:
        first = Run(federation)
        first.accepted(7)
        second = Run(federation, "second", noise_multiplier=9.0)
        second.previous = first.previous
        second.accepted(0)
        third = Run(federation)
        third.federation.accepted("other", task="item-item", **third.changes(0))


class TestCharges:
    def spent(self, federation: Federation) -> float:
        return overview.overview(federation.holder(1)).epsilon

    def reference(self, run: Run, releases: int) -> float:
        return device_epsilon([run.plan.release] * releases, delta=1e-5)

    def test_every_round_of_a_plain_run(self, federation: Federation) -> None:
        run = Run(federation)
        for number in (0, 1, 2):
            federation.vote(1, run.ready(number))
            assert self.spent(federation) == pytest.approx(self.reference(run, number + 1))

    def test_what_was_skipped_is_charged_too(self, federation: Federation) -> None:
        run = Run(federation)
        federation.vote(1, run.ready(0))
        federation.vote(1, run.ready(4))
        assert self.spent(federation) == pytest.approx(self.reference(run, 5))

    def test_with_a_separation_rounds_between_are_free(self, federation: Federation) -> None:
        run = Run(federation, separation=3)
        for number, charged in ((0, 1), (1, 1), (2, 1), (3, 2), (4, 2), (7, 3)):
            federation.vote(1, run.ready(number))
            assert self.spent(federation) == pytest.approx(self.reference(run, charged))

    def test_a_late_vote_for_an_earlier_number(self, federation: Federation) -> None:
        """Two rounds of a run are open at once; the ledger takes them in their order alone."""
        run = Run(federation)
        first, second = run.ready(0), run.ready(1)
        federation.vote(1, second)
        with pytest.raises(RoundError, match="was charged up to round 1"):
            federation.vote(1, first)
        assert overview.overview(federation.holder(1)).votes == 1

    def test_the_cap_ends_a_run(self, tmp_path: Path) -> None:
        cap = self.reference(Run(Federation.make(tmp_path / "a")), 2)
        federation = Federation.make(tmp_path / "b", epsilon_cap=1.001 * cap)
        run = Run(federation)
        federation.vote(1, run.ready(0))
        federation.vote(1, run.ready(1))
        with pytest.raises(BudgetError, match="population's ledger"):
            run.accepted(2)


def entry_values(federation: Federation, ready: Ready) -> IntArray:
    """The sum of the three entries of a released round."""
    votes = federation.votes(ready)
    parts = [
        decode_part(
            federation.stations[number].release(votes),
            request_hash=release_hash(votes),
            identity=federation.holder(number).identity.public_key(),
        )
        for number in NUMBERS
    ]
    total = ready.made.scheme.add([each.sealed for each in (*ready.clients, *ready.entries)])
    found: IntArray = ready.made.scheme.combine(total, parts) - ready.expected()
    return found


class TestBands:
    def test_entries_cancel_over_rounds(self, tmp_path: Path) -> None:
        """Round by round they are drawn around the last; restarts in between change nothing."""
        federation = Federation.make(tmp_path, epsilon_cap=1000.0)
        run = Run(federation, **(BANDED | {"dimension": 2048}))
        noise = []
        for number in range(4):
            noise.append(entry_values(federation, run.ready(number)).astype(float))
            for holder in NUMBERS:
                federation.start(holder)
                federation.stations[holder]._desk.rng = generator(f"{holder} after {number}")
        strategy = coefficients(2)
        wanted = 3 * run.plan.holder_variance
        for earlier, later in pairwise(noise):
            # C N is fresh noise of the plan's variance; N itself is not independent.
            fresh = later + strategy[1] * earlier
            assert 0.85 * wanted < fresh.var() < 1.15 * wanted
            assert abs(np.corrcoef(fresh, earlier)[0, 1]) < 0.1
            assert np.corrcoef(later, earlier)[0, 1] < -0.2

    def folder(self, federation: Federation) -> Path:
        [folder] = (federation.homes[0] / "noise").iterdir()
        return folder

    def test_only_what_later_rounds_need_is_kept(self, federation: Federation) -> None:
        run = Run(federation, **BANDED)
        for number in range(3):
            federation.entry(run.accepted(number), 1)
            names = sorted(path.name for path in self.folder(federation).iterdir())
            assert names == [f"{number}.entry"]
            for path in self.folder(federation).iterdir():
                assert path.stat().st_mode & 0o777 == 0o600

    def test_nothing_after_the_last_round(self, federation: Federation) -> None:
        run = Run(federation, **(BANDED | {"rounds": 2}))
        for number in range(2):
            federation.entry(run.accepted(number), 1)
        [left] = self.folder(federation).iterdir()
        assert left.stat().st_size < 200

    def test_without_bands_nothing_is_kept(self, federation: Federation) -> None:
        federation.entry(Run(federation).accepted(0), 1)
        assert not (federation.homes[0] / "noise").exists()

    @pytest.mark.parametrize("point", [PersistPoint.NOISE, PersistPoint.ENTRY_BYTES])
    def test_a_crash_before_the_entry_left(
        self, federation: Federation, point: PersistPoint
    ) -> None:
        """It is drawn once more, around the same ones, and the run goes on."""
        run = Run(federation, **BANDED)
        federation.entry(run.accepted(0), 1)
        made = run.accepted(1)

        def crash(reached: PersistPoint) -> None:
            if reached is point:
                raise CrashError

        federation.reached = crash
        with pytest.raises(CrashError):
            federation.entry(made, 1)
        federation.reached = lambda _point: None
        federation.start(1)
        entry = federation.entry(made, 1)
        assert federation.entry(made, 1) == entry
        federation.entry(run.accepted(2), 1)

    def test_skipped_numbers_are_drawn(self, federation: Federation) -> None:
        run = Run(federation, **BANDED)
        federation.entry(run.accepted(0), 1)
        run.accepted(1)  # accepted, but no entry was ever made for it
        federation.entry(run.accepted(4), 1)
        names = sorted(path.name for path in self.folder(federation).iterdir())
        assert names == ["4.entry"]

    def test_a_run_that_starts_late(self, federation: Federation) -> None:
        run = Run(federation, **BANDED)
        federation.entry(run.accepted(MAX_SKIPPED), 1)

    def test_too_many_skipped(self, federation: Federation) -> None:
        run = Run(federation, **BANDED)
        made = run.accepted(MAX_SKIPPED + 1)
        with pytest.raises(RoundError, match="at most 64 are allowed; plan a new run"):
            federation.entry(made, 1)

    def test_a_lost_entry_ends_the_run(self, federation: Federation) -> None:
        """Drawn anew, it would leave noise that cancels where it must not."""
        run = Run(federation, **BANDED)
        federation.entry(run.accepted(0), 1)
        [path] = self.folder(federation).iterdir()
        path.unlink()
        made = run.accepted(1)
        with pytest.raises(RoundError, match="noise of round 0 of this run is not here"):
            federation.entry(made, 1)
        federation.entry(made, 2)

    def test_a_number_that_another_round_was_drawn_for(self, federation: Federation) -> None:
        run = Run(federation, **BANDED)
        made = run.accepted(0)
        history = NoiseHistory(federation.homes[0], made.manifest, drawn=-1)
        history.draw("ab" * 32, rng=generator("other"))
        with pytest.raises(RoundError, match="drawn for another manifest"):
            federation.entry(made, 1)

    def test_no_backup_has_it_and_rotating_erases_it(
        self, federation: Federation, tmp_path: Path
    ) -> None:
        run = Run(federation, **BANDED)
        federation.entry(run.accepted(0), 1)
        [path] = self.folder(federation).iterdir()
        secret = path.read_bytes()
        backup(federation.homes[0], tmp_path / "backup.tar")
        assert secret[-64:] not in (tmp_path / "backup.tar").read_bytes()
        federation.stations[1].close()
        keeping.rotate(federation.homes[0])
        assert not path.exists()
