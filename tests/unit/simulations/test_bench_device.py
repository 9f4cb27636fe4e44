"""The bench of a device makes real lists; what it takes is printed, never tested."""

import pytest

from crypto.errors import InvalidInputError
from simulations.bench.device import bench_device


def test_it_measures_both_models() -> None:
    lines = list(bench_device(items=40, baskets=3, lists=2))
    assert list(bench_device(items=12, baskets=1, lists=1))  # nothing is new to her
    assert [line["model"] for line in lines] == ["closed form", "ranker"]
    for line in lines:
        assert 0 <= line["least_ms"] <= line["median_ms"]
        assert 0 <= line["explained_least_ms"] <= line["explained_median_ms"]
        assert line["lists_an_explanation"] >= 0
        assert line["items"] == 40


@pytest.mark.parametrize("wrong", [{"items": 3}, {"baskets": 0}, {"lists": 0}])
def test_sizes_that_make_no_sense_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidInputError, match=next(iter(wrong))):
        list(bench_device(**({"items": 40, "baskets": 3, "lists": 2} | wrong)))
