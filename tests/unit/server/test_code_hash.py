"""The hash of the program: any byte and any name counts, the order of a disk does not."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from crypto.wire import digest
from server import code_hash as module
from server.code_hash import code_hash
from tests.unit.server.stage import planned_round

FILES = {
    "client/one.py": b"x = 1\n",
    "consent/deep/er/two.py": b"",
    "crypto/three.py": b"y = 2\n",
    "server/four.py": b"z = 3\n",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setattr(module, "_ROOT", tmp_path)
    for name, data in FILES.items():
        put(tmp_path, name, data)
    yield tmp_path
    code_hash.cache_clear()


def put(root: Path, name: str, data: bytes) -> None:
    file = root / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)


def found() -> str:
    code_hash.cache_clear()
    return code_hash()


def test_it_is_over_names_and_bytes_in_order(root: Path) -> None:
    fields = [part for name, data in sorted(FILES.items()) for part in (name.encode(), data)]
    assert root.is_dir()
    assert found() == digest("code", *fields).hex()


@pytest.mark.parametrize("name", FILES)
def test_every_byte_counts(root: Path, name: str) -> None:
    before = found()
    put(root, name, FILES[name] + b" ")
    assert found() != before
    put(root, name, FILES[name])
    assert found() == before


def test_names_count(root: Path) -> None:
    before = found()
    (root / "client" / "one.py").rename(root / "client" / "other.py")
    assert found() != before


def test_bytes_do_not_move_from_one_file_to_another(root: Path) -> None:
    before = found()
    put(root, "client/one.py", b"x = 1")
    put(root, "consent/deep/er/two.py", b"\n")
    assert found() != before


def test_files_more_or_fewer_count(root: Path) -> None:
    seen = {found()}
    put(root, "server/five.py", b"")
    seen.add(found())
    (root / "server" / "four.py").unlink()
    seen.add(found())
    assert len(seen) == 3


def test_the_order_of_the_disk_does_not(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = found()
    rglob = Path.rglob

    def backwards(path: Path, pattern: str) -> list[Path]:
        return sorted(rglob(path, pattern), reverse=True)

    monkeypatch.setattr(Path, "rglob", backwards)
    put(root, "client/another.py", b"")
    put(root, "client/zero.py", b"")
    backward = found()
    monkeypatch.undo()
    monkeypatch.setattr(module, "_ROOT", root)
    assert found() == backward != before


@pytest.mark.parametrize("name", ["client/x.pyc", "client/notes.txt", "tests/t.py", "top.py"])
def test_what_is_not_published_does_not(root: Path, name: str) -> None:
    before = found()
    put(root, name, b"anything")
    assert found() == before


def test_manifests_carry_it() -> None:
    assert planned_round().manifest.code == code_hash()
    assert len(bytes.fromhex(code_hash())) == 32
