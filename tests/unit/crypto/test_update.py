"""The types of an update: each guards its own state, none travels, none shows its values."""

import ast
import copy
import dataclasses
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from crypto.dp.clipping import clip
from crypto.update import (
    ClippedUpdate,
    NoisedUpdate,
    RawUpdate,
    RoundedUpdate,
)
from tests.unit.crypto.samples import noised, opening_keys

ROOT = Path(__file__).parents[3]
SECRET = 12345
# Benchmarks time sealing and opening, attacks play dishonest parties: no shopper is in either.
PLAYS_ALL_PARTIES = ("simulations/bench/", "simulations/attacks/")


def one_of_each() -> list[object]:
    values = np.full(3, float(SECRET))
    return [
        RawUpdate(values),
        ClippedUpdate(values.copy(), 1e6),
        RoundedUpdate(np.full(3, SECRET), 1e12),
        noised([SECRET] * 3),
    ]


@pytest.mark.parametrize("update", one_of_each(), ids=lambda update: type(update).__name__)
class TestStaysHome:
    @pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
    def test_refuses_pickling(self, update: object, protocol: int) -> None:
        with pytest.raises(TypeError, match="must not leave the client"):
            pickle.dumps(update, protocol)

    def test_refuses_copying(self, update: object) -> None:
        for way in (copy.copy, copy.deepcopy):
            with pytest.raises(TypeError, match="must not leave the client"):
                way(update)

    def test_shows_no_value(self, update: object) -> None:
        for text in (repr(update), str(update), f"{update}", repr([update])):
            assert str(SECRET) not in text
            assert "dim=3" in text

    def test_is_frozen(self, update: object) -> None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(update, "values", np.zeros(3))  # noqa: B010 - assignment as code would do it


@pytest.mark.parametrize("update", one_of_each()[1:], ids=lambda update: type(update).__name__)
def test_arrays_are_frozen(update: ClippedUpdate) -> None:
    with pytest.raises(ValueError, match="read-only"):
        update.values[0] = 1


@pytest.mark.parametrize("values", [np.zeros((2, 2)), np.zeros(3, np.float32), np.zeros(3, int)])
def test_a_raw_update_is_one_float64_vector(values: np.ndarray) -> None:
    with pytest.raises(TypeError, match="float64 vector"):
        RawUpdate(values)


@pytest.mark.parametrize(
    ("values", "bound"),
    [
        ([1.0, 1.0], 1.4),
        ([np.nan, 0.0], 1.0),
        ([np.inf], 1.0),
        ([np.inf], np.inf),
        ([0.0], np.nan),
        ([0.1], -1.0),
    ],
)
def test_an_unclipped_vector_can_not_be_a_clipped_one(values: list[float], bound: float) -> None:
    with pytest.raises(ValueError, match="L2 norm"):
        ClippedUpdate(np.array(values), bound)


@pytest.mark.parametrize("bound", [24.999, float("nan"), -1.0])
def test_a_rounded_vector_keeps_its_bound(bound: float) -> None:
    assert RoundedUpdate(np.array([3, 4]), 25.0).squared_bound == 25.0
    with pytest.raises(ValueError, match="squared norm"):
        RoundedUpdate(np.array([3, 4]), bound)


class TestTheDoor:
    @pytest.mark.parametrize("door", [None, object(), "door", True])
    def test_needs_the_key(self, door: object) -> None:
        with pytest.raises(TypeError, match="add_noise alone"):
            NoisedUpdate(np.zeros(3, np.int64), 1, door)

    def test_a_noised_update_does_not_carry_the_key_along(self) -> None:
        update = noised([1, 2, 3])
        assert "door" not in vars(update)
        assert not hasattr(update, "door")
        with pytest.raises((TypeError, ValueError)):
            dataclasses.replace(update, values=np.zeros(3, np.int64))  # type: ignore[call-arg]

    def test_clipping_twice_is_clipping(self) -> None:
        once = clip(RawUpdate(np.array([3.0, 4.0])), clipping_norm=1.0)
        with pytest.raises(ValueError, match="L2 norm"):
            dataclasses.replace(once, values=np.array([3.0, 4.0]))


def imports(path: Path) -> Iterator[tuple[str, str]]:
    """(module, name) of everything a file imports, and every attribute it reads by name."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.module or "", alias.name
                yield f"{node.module}.{alias.name}", ""
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""
        elif isinstance(node, ast.Attribute):
            yield "", node.attr


def sources() -> list[Path]:
    packages = ("crypto", "client", "consent", "server", "simulations")
    found = [path for name in packages for path in (ROOT / name).rglob("*.py")]
    assert len(found) > 100
    return [*found, ROOT / "fedcart.py"]


def users(module: str, name: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in sources()
        if any(
            name in (found, where.rsplit(".")[-1]) if name else where == module
            for where, found in imports(path)
        )
    }


def honest(found: set[str]) -> set[str]:
    """Without those that play all parties."""
    return {path for path in found if not path.startswith(PLAYS_ALL_PARTIES)}


def test_only_the_noise_module_holds_the_door() -> None:
    assert honest(users("crypto.update", "NOISE_DOOR")) == {"crypto/dp/noise.py"}


@pytest.mark.parametrize("module", ["crypto.sums.share_sum.open", "crypto.sums.pieces.open"])
def test_only_key_holders_open(module: str) -> None:
    found = honest(users(module, ""))
    assert found
    assert all(path.startswith("crypto/keyholder/") for path in found)


def test_the_import_test_can_fail() -> None:
    assert "crypto/dp/clipping.py" in users("crypto.update", "ClippedUpdate")


def test_an_opening_key_stays_in_its_file() -> None:
    key = opening_keys()[0]
    assert repr(key) == str(key) == "OpeningKey(<secret>)"
    for way in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="must not be pickled"):
            way(key)
