"""The journal: what was persisted is found again, one upload a client, and nothing half-written."""

import os
from pathlib import Path

import pytest

from crypto.errors import WireError
from crypto.grant_list import pack_grants
from crypto.update import SealedSum, SealedUpdate
from crypto.upload import Role, Upload, sign_upload
from crypto.wire import SignedRecord
from server.journal import Journal, Waiting
from tests.unit.crypto.samples import manifest, signer

CONTEXT = "ab" * 32


def sealed(text: str) -> SealedUpdate:
    shares = tuple(f"{text} {k}".encode() for k in range(3))
    return SealedUpdate(scheme="share-sum", context=CONTEXT, shares=shares)


def item(client: str, text: str) -> tuple[Waiting, SealedUpdate]:
    update = sealed(text)
    header = sign_upload(update, ("token",), signer(client))
    found = Waiting(
        upload=Upload.parse(header),
        header=header,
        grants=pack_grants(["token"]),
        token_ids=(f"id of {text}",),
    )
    return found, update


def entry(holder: str) -> tuple[Waiting, SealedUpdate]:
    update = SealedUpdate(
        scheme="compact-sum",
        context=CONTEXT,
        shares=(b"one", b"two", b"three"),
        body=b"body",
        commitments=("cd" * 32, "ef" * 32, "01" * 32),
    )
    header = sign_upload(update, (), signer(holder), role=Role.KEY_HOLDER)
    return Waiting(upload=Upload.parse(header), header=header, grants=b"", token_ids=()), update


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "round"


def journal(folder: Path) -> Journal:
    return Journal(folder, max_part=100)


def test_uploads_wait_and_are_read_by_name(folder: Path) -> None:
    made = journal(folder)
    first, second = item("ann", "one"), item("bea", "two")
    made.put(*first)
    made.put(*second)
    names = [second[0].upload.hash, first[0].upload.hash]
    assert list(made.read(names)) == [second[1], first[1]]
    assert made.waiting == [first[0], second[0]]


def test_a_later_upload_of_a_client_replaces_its_earlier_one(folder: Path) -> None:
    made = journal(folder)
    earlier, later = item("ann", "with bea"), item("ann", "without bea")
    made.put(*earlier)
    made.put(*later)
    for found in (made, journal(folder)):
        assert found.waiting == [later[0]]
        assert list(found.read([later[0].upload.hash])) == [later[1]]
        with pytest.raises(KeyError):
            list(found.read([earlier[0].upload.hash]))
    files = {path.name for path in (folder / "uploads").iterdir()}
    assert files == {later[0].upload.hash, f"{later[0].upload.hash}.json"}


def test_the_same_upload_twice_is_one(folder: Path) -> None:
    made = journal(folder)
    one = item("ann", "one")
    made.put(*one)
    made.put(*one)
    assert journal(folder).waiting == made.waiting == [one[0]]
    assert list(made.read([one[0].upload.hash])) == [one[1]]


def test_a_crash_between_two_uploads_of_a_client_keeps_the_later(folder: Path) -> None:
    """Both lie there when the coordinator starts again: the later one counts."""
    made = journal(folder)
    earlier, later = item("ann", "earlier"), item("ann", "later")
    made.put(*earlier)
    kept = {path: path.read_bytes() for path in (folder / "uploads").iterdir()}
    stamps = {path: path.stat() for path in kept}
    made.put(*later)
    for path, data in kept.items():
        path.write_bytes(data)
        os.utime(path, ns=(stamps[path].st_atime_ns, stamps[path].st_mtime_ns - 10**9))
    assert journal(folder).waiting == [later[0]]


def test_half_written_files_are_not_seen(folder: Path) -> None:
    made = journal(folder)
    one = item("ann", "one")
    made.put(*one)
    (folder / "uploads" / ".half.json.draft").write_bytes(b'{"header": ')
    (folder / "uploads" / "orphan-without-header").write_bytes(b"FRS1")
    assert journal(folder).waiting == [one[0]]


@pytest.mark.parametrize("damage", [b"", b"FRS1", b"\x00" * 50])
def test_damaged_uploads_are_noticed(folder: Path, damage: bytes) -> None:
    one = item("ann", "one")
    journal(folder).put(*one)
    (folder / "uploads" / one[0].upload.hash).write_bytes(damage)
    with pytest.raises(WireError):
        journal(folder)


def test_documents(folder: Path) -> None:
    record = manifest().sign(signer("coordinator"))
    commit = SignedRecord.sign("commit", {"a": 1}, signer("consent"))
    made = journal(folder)
    assert (made.manifest, made.commit) == (None, None)
    made.start(record)
    made.committed(commit)
    again = journal(folder)
    assert (again.manifest, again.commit) == (record, commit)
    (folder / "commit.json").write_bytes(b"{")
    with pytest.raises(WireError, match="is damaged; start a new run"):
        assert journal(folder).commit


def test_sums_are_whole_or_not_there(folder: Path) -> None:
    made = journal(folder)
    total = SealedSum(scheme="share-sum", context=CONTEXT, shares=(b"a", b"b", b"c"), count=4)
    assert made.total(scheme="share-sum", context=CONTEXT, count=4) is None
    made.added(total)
    assert journal(folder).total(scheme="share-sum", context=CONTEXT, count=4) == total
    (folder / "sum-0").unlink()
    assert journal(folder).total(scheme="share-sum", context=CONTEXT, count=4) is None


def test_a_sum_of_bodies_has_no_shares(folder: Path) -> None:
    total = SealedSum(scheme="compact-sum", context=CONTEXT, shares=(), count=4, body=b"sum")
    journal(folder).added(total)
    assert journal(folder).total(scheme="compact-sum", context=CONTEXT, count=4) == total


def test_key_holders_entries_lie_apart_from_clients_uploads(folder: Path) -> None:
    made = journal(folder)
    client, holder = item("ann", "one"), entry("key-holder-1")
    made.put(*client)
    made.put(*holder)
    for found in (made, journal(folder)):
        assert found.waiting == [client[0]]
        assert found.entries == [holder[0]]
        assert found.share(holder[0], 2) == b"two"
        assert list(found.read([holder[0].upload.hash])) == [holder[1]]


def test_what_a_key_holder_left_out_is_gone(folder: Path) -> None:
    made = journal(folder)
    one, other = item("ann", "one"), item("bea", "two")
    made.put(*one)
    made.put(*other)
    made.drop(one[0].upload)
    for found in (made, journal(folder)):
        assert found.waiting == [other[0]]
    assert len(list((folder / "uploads").iterdir())) == 2


def test_documents_of_a_round_with_votes(folder: Path) -> None:
    made = journal(folder)
    assert (made.key_request, made.upload_list) == (None, None)
    assert (made.round_keys, made.accepts, made.votes) == ((), (), ())
    keys, accepts, votes = (
        tuple(SignedRecord.sign(kind, {"n": n}, signer("holder")) for n in (1, 2, 3))
        for kind in ("round-key", "accept", "vote")
    )
    request, listed = (
        SignedRecord.sign(kind, {"a": 1}, signer("coordinator"))
        for kind in ("round-key-request", "upload-list")
    )
    made.asked(request)
    made.keyed(keys)
    made.accepted(accepts)
    made.proposed(listed)
    made.voted(votes)
    again = journal(folder)
    assert (again.key_request, again.upload_list) == (request, listed)
    assert (again.round_keys, again.accepts, again.votes) == (keys, accepts, votes)


@pytest.mark.parametrize("name", ["round-keys", "accepts", "votes"])
@pytest.mark.parametrize("damage", [b"", b"FRS1", b"\x00" * 50])
def test_damaged_records_say_which_file(folder: Path, name: str, damage: bytes) -> None:
    made = journal(folder)
    (folder / name).write_bytes(damage)
    with pytest.raises(WireError, match=f"{name} is damaged; start a new run"):
        assert getattr(made, name.replace("-", "_"))


def test_what_is_written_outlives_the_machine(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file counts once the disk has it under its name: file, rename, folder, in this order."""
    steps: list[str] = []
    fsync, rename = os.fsync, Path.replace

    def watch_fsync(descriptor: int) -> None:
        steps.append(f"flush {Path(f'/proc/self/fd/{descriptor}').readlink().name}")
        fsync(descriptor)

    def watch_rename(path: Path, target: Path) -> Path:
        steps.append(f"rename {target.name}")
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", watch_fsync)
    monkeypatch.setattr(Path, "replace", watch_rename)
    made = journal(folder)
    assert {"flush round", f"flush {folder.parent.name}"} <= set(steps)
    steps.clear()
    made.start(manifest().sign(signer("coordinator")))
    assert steps == ["flush .manifest.json.draft", "rename manifest.json", "flush round"]


def test_clear_removes_everything(folder: Path) -> None:
    made = journal(folder)
    made.start(manifest().sign(signer("coordinator")))
    made.put(*item("ann", "one"))
    made.clear()
    assert made.waiting == []
    assert not folder.exists()
    made.clear()
