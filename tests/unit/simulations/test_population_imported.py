"""Imports land on disk whole or not at all, and come back as they went in."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest

from client.importers.columns import Columns
from client.importers.item_columns import ItemColumns
from client.importers.times import Clock
from crypto.errors import InvalidInputError
from simulations.population import storage
from simulations.population.imported import (
    ItemFile,
    import_file,
    load_population,
    save_population,
)
from simulations.population.population import Population
from simulations.population.synthetic import synthetic

COLUMNS = Columns(shopper="who", item="what", time="when", store="where")


def _text(shoppers: int = 24) -> str:
    """Four of the shoppers go to the small store, the others to the big one."""
    lines = ["who,what,when,where"]
    for i in range(shoppers):
        store = "small" if i < 4 else "big"
        lines += [f"s{i:02d},tea,2024-01-0{1 + i % 9},{store}", f"s{i:02d},milk,2024-02-01,{store}"]
    return "\n".join(lines) + "\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "shop.csv"
    path.parent.mkdir()
    path.write_text(_text())
    return path


def _same(left: Population, right: Population) -> None:
    for name in vars(left.events):
        np.testing.assert_array_equal(getattr(left.events, name), getattr(right.events, name))
    for field in ("name", "note", "catalogue", "stores", "devices", "groups"):
        assert getattr(left, field) == getattr(right, field), field


def test_an_import_has_silos_devices_and_counts(shop: Path, tmp_path: Path) -> None:
    out = tmp_path / "new" / "data"
    summary = import_file(shop, COLUMNS, out=out)
    assert (summary.shoppers, summary.items, summary.lines, summary.baskets) == (24, 2, 48, 48)
    assert (summary.silos, summary.devices, summary.median_baskets) == (1, 4, 2.0)
    assert (summary.first, summary.last) == ("2024-01-01T00:00:00", "2024-02-01T00:00:00")
    population = load_population(out)
    assert population.stores == {"big": tuple(f"s{i:02d}" for i in range(4, 24))}
    assert population.devices == ("s00", "s01", "s02", "s03")
    assert population.catalogue.level == "item"
    assert "shop.csv" in population.note
    record = json.loads((out / "dataset.json").read_bytes())
    assert record["counts"] == {"shoppers": 24, "items": 2, "baskets": 48, "lines": 48}
    assert record["columns"]["shopper"] == "who"
    assert record["hash"] == summary.hash
    assert sorted(entry.name for entry in out.iterdir()) == sorted(storage.FILES)


def test_without_a_store_column_all_are_devices(shop: Path, tmp_path: Path) -> None:
    columns = Columns(shopper="who", item="what", time="when")
    summary = import_file(shop, columns, out=tmp_path / "data")
    assert (summary.silos, summary.devices) == (0, 24)


def test_csv_and_parquet_have_one_hash(shop: Path, tmp_path: Path) -> None:
    parquet = shop.with_suffix(".parquet")
    pq.write_table(pacsv.read_csv(shop), parquet)
    one = import_file(shop, COLUMNS, out=tmp_path / "one")
    two = import_file(parquet, COLUMNS, out=tmp_path / "two")
    assert one.hash == two.hash


def test_a_population_comes_back_as_it_went(tmp_path: Path) -> None:
    population = synthetic(shoppers=30, stores=3)
    save_population(population, tmp_path / "data")
    _same(load_population(tmp_path / "data"), population)


def test_only_the_owner_may_look_inside(tmp_path: Path) -> None:
    save_population(synthetic(shoppers=3, stores=1), tmp_path / "data")
    assert (tmp_path / "data").stat().st_mode & 0o077 == 0


def test_described_items_come_back_with_their_attributes(shop: Path, tmp_path: Path) -> None:
    table = tmp_path / "in" / "items.csv"
    table.write_text("id,category,mood\ntea,hot,calm|warm\nmilk,cold,\nsoap,bath,\n")
    items = ItemFile(path=table, columns=ItemColumns.parse(None))
    plain = import_file(shop, COLUMNS, out=tmp_path / "plain")
    described = import_file(shop, COLUMNS, out=tmp_path / "data", items=items)
    population = load_population(tmp_path / "data")
    assert dict(zip(population.catalogue.items, population.catalogue.categories, strict=True)) == {
        "milk": "cold",
        "tea": "hot",
    }
    assert population.catalogue.attributes == {"mood": ((), ("calm", "warm"))}
    assert "items.csv describes 2 of its 2 items." in population.note
    assert described.hash != plain.hash
    listed = import_file(shop, COLUMNS, out=tmp_path / "all", items=replace(items, listed=True))
    assert listed.items == 3
    assert load_population(tmp_path / "all").catalogue.items == ("milk", "soap", "tea")


def test_bad_lines_leave_nothing_behind(shop: Path, tmp_path: Path) -> None:
    shop.write_text(_text() + "s99,tea,never,big\n")
    with pytest.raises(InvalidInputError, match="line 50: column 'when' is 'never'"):
        import_file(shop, COLUMNS, out=tmp_path / "out" / "data")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["in"]


@pytest.mark.parametrize("old", [False, True])
def test_a_failure_midway_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: bool
) -> None:
    population = synthetic(shoppers=5, stores=1)
    if old:
        save_population(population, tmp_path / "data")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "_record", full)
    with pytest.raises(OSError, match="No space"):
        save_population(synthetic(shoppers=6, stores=1), tmp_path / "data", force=True)
    assert [entry.name for entry in tmp_path.iterdir()] == (["data"] if old else [])
    if old:
        _same(load_population(tmp_path / "data"), population)


def test_a_failed_last_rename_brings_the_old_data_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    population = synthetic(shoppers=5, stores=1)
    save_population(population, tmp_path / "data")
    rename = Path.rename

    def fail_once(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OSError, match="Input/output"):
        save_population(synthetic(shoppers=6, stores=1), tmp_path / "data", force=True)
    monkeypatch.undo()
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]
    _same(load_population(tmp_path / "data"), population)


def test_an_older_data_set_goes_only_by_force(tmp_path: Path) -> None:
    save_population(synthetic(seed=1), tmp_path / "data")
    with pytest.raises(InvalidInputError, match="--force"):
        save_population(synthetic(seed=2), tmp_path / "data")
    save_population(synthetic(seed=2), tmp_path / "data", force=True)
    _same(load_population(tmp_path / "data"), synthetic(seed=2))
    assert [entry.name for entry in tmp_path.iterdir()] == ["data"]


def test_an_empty_directory_is_taken(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    save_population(synthetic(shoppers=3, stores=1), tmp_path / "data")
    load_population(tmp_path / "data")


def test_force_never_removes_what_is_not_a_data_set(shop: Path) -> None:
    with pytest.raises(InvalidInputError, match="not a fedcart data set"):
        import_file(shop, COLUMNS, out=shop.parent, force=True)
    with pytest.raises(InvalidInputError, match="is a file"):
        import_file(shop, COLUMNS, out=shop, force=True)
    assert shop.read_text() == _text()


def _altered(folder: Path, **changes: object) -> None:
    record = json.loads((folder / "dataset.json").read_bytes())
    (folder / "dataset.json").write_text(json.dumps(record | changes))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"version": 2}, "version 2; this release reads version 1"),
        ({"hash": "00"}, "altered or are damaged"),
        ({"stores": {"s": ["nobody"]}}, "unknown or in two stores"),
        ({"stores": {"s": 5}}, "lists of shoppers"),
        ({"groups": []}, "labels"),
        ({"clock": "sundial"}, "'clock' is 'sundial'; expected one of wall, days, ordinal"),
    ],
)
def test_altered_records_are_refused(tmp_path: Path, changes: dict[str, object], said: str) -> None:
    save_population(synthetic(shoppers=4, stores=1), tmp_path / "data")
    _altered(tmp_path / "data", **changes)
    with pytest.raises(InvalidInputError, match=said):
        load_population(tmp_path / "data")


def test_times_without_dates_are_remembered_as_such(tmp_path: Path) -> None:
    log = tmp_path / "log.csv"
    log.write_text("who,what,when\nann,tea,3\nann,milk,4\n")
    numbered = Columns(shopper="who", item="what", time="when", time_format="number")
    summary = import_file(log, numbered, out=tmp_path / "data")
    assert (summary.clock, summary.first, summary.last) == ("ordinal", "3", "4")
    population = load_population(tmp_path / "data")
    assert population.clock is Clock.ORDINAL
    assert "an order, not dates" in population.note
    record = json.loads((tmp_path / "data" / "dataset.json").read_bytes())
    assert record.pop("clock") == "ordinal"  # as in data sets from before there were clocks
    (tmp_path / "data" / "dataset.json").write_text(json.dumps(record))
    assert load_population(tmp_path / "data").clock is Clock.WALL


def test_altered_events_are_noticed(tmp_path: Path) -> None:
    save_population(synthetic(shoppers=4, stores=1, seed=1), tmp_path / "one")
    save_population(synthetic(shoppers=4, stores=1, seed=2), tmp_path / "two")
    (tmp_path / "two" / "events.parquet").replace(tmp_path / "one" / "events.parquet")
    with pytest.raises(InvalidInputError, match="altered or are damaged"):
        load_population(tmp_path / "one")
    (tmp_path / "one" / "events.parquet").write_bytes(b"nonsense")
    with pytest.raises(InvalidInputError, match="not a readable Parquet file"):
        load_population(tmp_path / "one")
    (tmp_path / "one" / "events.parquet").unlink()
    with pytest.raises(InvalidInputError, match=r"it has no events\.parquet"):
        load_population(tmp_path / "one")
