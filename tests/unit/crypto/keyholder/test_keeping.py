"""Backups hold nothing that opens anything; rotating forgets no promise."""

import os
import shutil
import tarfile
from pathlib import Path

import pytest

from crypto.errors import InvalidInputError, RoundError
from crypto.keyholder import keeping, overview
from crypto.keyholder.home import load
from crypto.keyholder.keeping import backup, only_one, rotate
from crypto.keyholder.station import Station
from crypto.manifest import context_of
from tests.unit.crypto.keyholder.federation import NUMBERS, Federation, client_upload
from tests.unit.crypto.keyholder.stage import make_round
from tests.unit.crypto.samples import NOW, signer


@pytest.fixture
def federation(tmp_path: Path) -> Federation:
    return Federation.make(tmp_path)


def restored(target: Path, folder: Path) -> Path:
    with tarfile.open(target) as tar:
        tar.extractall(folder, filter="data")
    return folder


class TestBackup:
    def test_it_holds_no_secret_of_a_round(self, federation: Federation, tmp_path: Path) -> None:
        """Searched byte by byte, while a round is open; the positive control finds the identity."""
        made = federation.accepted()
        federation.ingest_all(made, [client_upload(made, "client 1"), *federation.entries(made)])
        home, target = federation.homes[0], tmp_path / "backup.tar"
        backup(home, target)
        data = target.read_bytes()
        assert target.stat().st_mode & 0o777 == 0o600
        folder = home / "rounds" / made.keys[0].hash
        secret = (folder / "secret.key").read_bytes()
        for part in (secret[:32], secret[32:64], secret[64:], b"secret.key"):
            assert part not in data
        opening = (home / "opening.key").read_bytes()
        public = load(home).public
        secret_part = next(
            opening[k : k + 64]
            for k in range(len(opening) // 2, len(opening), 64)
            if opening[k : k + 64] not in public
        )
        assert secret_part not in data
        held = federation.stations[1]._desk.kept[made.keys[0].hash].pieces
        assert held
        for each in held.values():
            assert all(piece not in data for piece in each.pieces)
        assert (folder / "envelopes").read_bytes()[:64] not in data
        assert (home / "identity.key").read_bytes() in data

    def test_it_restores(self, federation: Federation, tmp_path: Path) -> None:
        """The same identity, log and peers; the open round is lost, a new one goes on."""
        ready = federation.ready()
        vote = federation.vote(1, ready)
        backup(federation.homes[0], tmp_path / "backup.tar")
        federation.stations[1].close()
        shutil.rmtree(federation.homes[0])
        restored(tmp_path / "backup.tar", federation.homes[0])
        federation.start(1)
        assert federation.vote(1, ready) == vote
        assert federation.stations[1].check_peers() is None
        votes = federation.votes(ready)
        with pytest.raises(RoundError, match="secret of this round is not here"):
            federation.stations[1].release(votes)
        federation.votes(federation.ready(task="item-item"))

    def test_a_restored_home_opens_no_share_sum(
        self, federation: Federation, tmp_path: Path
    ) -> None:
        holders = tuple(federation.holder(number) for number in NUMBERS)
        request = make_round(holders).request(1)
        backup(federation.homes[0], tmp_path / "backup.tar")
        home = restored(tmp_path / "backup.tar", tmp_path / "restored")
        station = Station(load(home), clock=lambda: float(NOW), source=federation)
        with pytest.raises(RoundError, match=r"holds no opening key.*rotate"):
            station.open_sum(request)
        federation.stations[1].open_sum(request)

    def test_it_overwrites_nothing(self, federation: Federation, tmp_path: Path) -> None:
        target = tmp_path / "precious"
        target.write_bytes(b"precious")
        with pytest.raises(InvalidInputError, match="name a new file"):
            backup(federation.homes[0], target)
        assert target.read_bytes() == b"precious"
        with pytest.raises(InvalidInputError, match="keyholder init"):
            backup(tmp_path, tmp_path / "new")
        assert not (tmp_path / "new").exists()

    def test_it_leaves_no_copy_behind(self, federation: Federation, tmp_path: Path) -> None:
        before = sorted(path.name for path in federation.homes[0].iterdir())
        backup(federation.homes[0], tmp_path / "backup.tar")
        assert sorted(path.name for path in federation.homes[0].iterdir()) == before


class TestRotate:
    def test_everything_secret_is_new(self, federation: Federation) -> None:
        home = federation.homes[0]
        made = federation.accepted()
        names = ("identity.key", "opening.key", "public.card")
        before = {name: (home / name).read_bytes() for name in names}
        federation.stations[1].close()
        card = rotate(home)
        assert load(home).card == card
        for name in names:
            assert (home / name).read_bytes() != before[name]
        assert not (home / "rounds" / made.keys[0].hash).exists()
        for path in home.rglob("*"):
            if path.is_file():
                assert before["identity.key"] not in path.read_bytes()
        assert (home / "old" / "0001" / "public.card").read_bytes() == before["public.card"]
        assert sorted(path.name for path in home.iterdir() if path.suffix in {".new"}) == []
        for name in ("identity.key", "opening.key"):
            assert (home / name).stat().st_mode & 0o777 == 0o600

    def test_charges_and_promises_stay(self, federation: Federation) -> None:
        ready = federation.ready()
        federation.vote(1, ready)
        spent = overview.overview(federation.holder(1)).epsilon
        federation.stations[1].close()
        rotate(federation.homes[0])
        station = federation.start(1)
        found = overview.overview(station.holder)
        assert spent > 0
        assert found.epsilon == spent
        assert found.votes == 0
        assert [each.state for each in found.rounds] == ["aborted"]
        with pytest.raises(RoundError, match="was aborted"):
            station.accept(ready.made.record)
        request = federation.request("other").sign(signer("coordinator"))
        station.round_key(request)

    def test_the_line_of_manifests_goes_on(self, federation: Federation) -> None:
        made = federation.accepted()
        federation.stations[1].close()
        rotate(federation.homes[0])
        station = federation.start(1)
        keys = federation.keys("b")
        fork = federation.manifest(keys, round_id="b")
        with pytest.raises(RoundError, match=made.context):
            station.accept(fork.sign(signer("coordinator")))
        next_one = federation.manifest(keys, round_id="b", previous=context_of(made.record))
        station.accept(next_one.sign(signer("coordinator")))

    def test_the_archive_has_the_votes(self, federation: Federation) -> None:
        federation.vote(1, federation.ready())
        name = federation.holder(1).name
        federation.stations[1].close()
        rotate(federation.homes[0])
        rotate(federation.homes[0])
        assert sorted(p.name for p in (federation.homes[0] / "old").iterdir()) == ["0001", "0002"]
        archive = federation.homes[0] / "old" / "0001" / "log.db"
        assert name.encode() in archive.read_bytes()

    def test_not_while_it_serves(self, federation: Federation) -> None:
        with only_one(federation.homes[0]), pytest.raises(RoundError, match="Another process"):
            rotate(federation.homes[0])
        rotate(federation.homes[0])

    @pytest.mark.parametrize("step", range(6))
    def test_after_a_crash_it_is_rotated_again(
        self, federation: Federation, monkeypatch: pytest.MonkeyPatch, step: int
    ) -> None:
        """The power goes before each renaming in turn; nothing half-old is ever loaded."""
        home, old = federation.homes[0], federation.holder(1).name
        federation.stations[1].close()
        replace, count = Path.replace, 0

        def crash(self: Path, target: Path) -> Path:
            nonlocal count
            count += 1
            if count == step + 1:
                raise KeyboardInterrupt
            return replace(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", crash)
            if step == 5:  # the control: five renamings in all
                rotate(home)
            else:
                with pytest.raises(KeyboardInterrupt):
                    rotate(home)
                try:
                    assert load(home).name == old
                except InvalidInputError:
                    assert step > 0
        card = rotate(home)
        assert load(home).card == card
        left = [p.name for p in home.iterdir() if p.suffix in {".new", ".retired"}]
        assert left == []


def test_a_home_is_locked_by_processes(federation: Federation) -> None:
    """Another process, not just another object, is kept out."""
    with only_one(federation.homes[0]):
        child = os.fork()
        if child == 0:  # pragma: no cover - in the child
            try:
                with keeping.only_one(federation.homes[0]):
                    os._exit(0)
            except RoundError:
                os._exit(7)
        _, status = os.waitpid(child, 0)
        assert os.waitstatus_to_exitcode(status) == 7
