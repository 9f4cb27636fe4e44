"""Files of given negatives: what marks a held-out item, and what happens where it isn't there."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from crypto.errors import InvalidInputError
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.negatives_file import read_negatives
from tests.unit.simulations.test_evaluation import letters, population

RATED = {
    "ann": ["a", "b", "d"],
    "bob": ["b", "a", "f"],
    "cat": ["c", "a", "b"],
    "dan": ["a", "c", "e"],
}
SPLIT = LeaveOneOut(population=population(RATED))
NAMING = {
    "labels.csv": "user,item,label\nann,d,1\nann,e,0\nann,f,0\nbob,f,1\nbob,c,0\nbob,d,0\n",
    "labels_last.tsv": "ann\te\t0\nann\tf\t0\nann\td\t1\nbob\tc\t0\nbob\tf\t1\nbob\td\t0\n",
    "ncf.dat": "(ann,d)::e::f\n(bob,f)::c::d\n",
    "bars.txt": "ann|d|e|f\nbob|f|c|d\n",
    "objects.json": json.dumps(
        {"ann": {"pos": "d", "neg": ["e", "f"]}, "bob": {"pos": "f", "neg": ["c", "d"]}}
    ),
    "mixed.json": json.dumps({"ann": ["d", ["e", "f"]], "bob": ["f", ["c", "d"]]}),
}


@pytest.mark.parametrize("name", [*NAMING, "rows.parquet"])
def test_the_held_out_item_is_told_from_the_others(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name.endswith(".parquet"):
        columns = {"u": ["ann", "bob"], "pos": ["d", "f"], "neg": [["e", "f"], ["c", "d"]]}
        pq.write_table(pa.table(columns), path)
    else:
        path.write_text(NAMING[name])
    got = read_negatives(path, SPLIT)
    assert {who: "abcdef"[item] for who, item in got.named.items()} == {"ann": "d", "bob": "f"}
    assert {who: letters(items) for who, items in got.items.items()} == {"ann": "ef", "bob": "cd"}
    assert got.notes == ()


def test_items_are_no_labels(tmp_path: Path) -> None:
    """Three cells with 0 or 1 last are labels only if no shopper has two ones."""
    path = tmp_path / "given.csv"
    path.write_text("ann,q,1\nann,f,1\n")
    with pytest.raises(InvalidInputError, match="names 4 negatives, and the item list has 1"):
        read_negatives(path, SPLIT)


def test_nothing_takes_the_place_of_a_held_out_item_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "given.tsv"
    path.write_text("(ann,d)\te\n(bob,f)\tc\n(cat,f)\td\n(dan,q)\tb\n(eve,a)\tb\n")
    got = read_negatives(path, SPLIT)
    assert set(got.named) == set(got.items) == {"ann", "bob"}
    assert got.notes == (
        "1 shoppers of the file of negatives are not in the data set.",
        "2 shoppers are not tested: the item that the file holds out is not among their lines.",
    )
    fold, _ = got.restricted(LeaveOneOut(population=SPLIT.population, named=got.named).test)
    assert fold.tested == ("ann", "bob")


def test_held_out_lines_that_are_missing_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "given.tsv"
    path.write_text("(ann,e)\tf\n(bob,c)\td\n(cat,b)\td\n(dan,f)\tb\n")
    with pytest.raises(
        InvalidInputError, match="of 4 shoppers, and the data set has that line for 1"
    ):
        read_negatives(path, SPLIT)


def test_two_held_out_items_contradict(tmp_path: Path) -> None:
    path = tmp_path / "given.tsv"
    path.write_text("(ann,d)\te\n(ann,b)\tf\n(bob,f)\tc\n")
    with pytest.raises(
        InvalidInputError, match="holds out two items of shopper 'ann', 'd' and 'b'"
    ):
        read_negatives(path, SPLIT)


def test_the_training_data_hold_no_line_of_the_held_out_item(tmp_path: Path) -> None:
    split = LeaveOneOut(
        population=population({"ann": ["d", "a", "bd", "c"], "bob": ["a", "b", "f"]})
    )
    path = tmp_path / "given.tsv"
    path.write_text("(ann,d)\te\n(bob,f)\tc\n")
    named = read_negatives(path, split).named
    parts = LeaveOneOut(population=split.population, named=named)
    for fold in (parts.test, parts.validation):
        pairs = zip(fold.training.events.shopper, fold.training.events.item, strict=True)
        assert not {("ann", "d"), ("bob", "f")} & set(pairs)
