"""Item tables: what they say lands in the catalogue, and what they can't say is refused."""

import json
from pathlib import Path

import pytest

from client.importers.item_columns import ItemColumns
from client.importers.item_table import ItemTable, read_item_table
from consent.tasks.catalogue import SENSITIVE, Catalogue
from crypto.errors import InvalidInputError

SHELF = Catalogue(
    name="shelf",
    level="item",
    items=("bread", "milk", "tea"),
    categories=("bakery", "", "hot"),
    departments=("", "", ""),
    products={},
)
CSV = """\
id,Category,aisle,taste
milk,dairy,cold,mild
tea,drinks|leaves,dry,bitter|mild
soap,household,dry,
"""
NAMED = ItemColumns.parse("item=id,category=Category,department=aisle,flavour=taste")


def table(tmp_path: Path, text: str = CSV, name: str = "items.csv") -> Path:
    path = tmp_path / name
    path.write_text(text)
    return path


def test_a_table_describes_the_catalogue(tmp_path: Path) -> None:
    found = read_item_table(table(tmp_path), NAMED)
    catalogue = found.describe(SHELF, listed=False)
    assert catalogue.items == SHELF.items
    assert catalogue.categories == ("bakery", "dairy", "drinks")  # bread keeps what it had
    assert catalogue.departments == ("", "cold", "dry")
    assert catalogue.attributes == {
        "category": ((), ("dairy",), ("drinks", "leaves")),  # for one item has two of them
        "flavour": ((), ("mild",), ("bitter", "mild")),
    }
    assert found.coverage(catalogue) == 2


def test_the_whole_list_may_be_taken_up(tmp_path: Path) -> None:
    catalogue = read_item_table(table(tmp_path), NAMED).describe(SHELF, listed=True)
    assert catalogue.items == ("bread", "milk", "soap", "tea")
    assert catalogue.categories == ("bakery", "dairy", "household", "drinks")
    assert catalogue.attributes["flavour"] == ((), ("mild",), (), ("bitter", "mild"))


def test_without_named_columns_the_header_says_what_is_what(tmp_path: Path) -> None:
    catalogue = read_item_table(table(tmp_path)).describe(SHELF, listed=False)
    assert catalogue.categories == ("bakery", "dairy", "drinks")
    assert set(catalogue.attributes) == {"category", "aisle", "taste"}
    assert catalogue.attributes["aisle"] == ((), ("cold",), ("dry",))


@pytest.mark.parametrize("written", ["sensitive", "Sensitive", "SENSITIVE", " Sensitive "])
def test_whatever_its_case_the_header_says_what_is_sensitive(tmp_path: Path, written: str) -> None:
    found = read_item_table(table(tmp_path, f"id,{written}\nmilk,0\ntea,1\n"))
    catalogue = found.describe(SHELF, listed=False)
    assert catalogue.sensitive.tolist() == [False, False, True]
    assert set(catalogue.attributes) == {SENSITIVE}


@pytest.mark.parametrize(("one", "other"), [("sensitive", "Sensitive"), ("Category", "category")])
def test_two_columns_of_one_plain_name_are_refused(tmp_path: Path, one: str, other: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{one}', '{other}' are both read as"):
        read_item_table(table(tmp_path, f"id,{one},taste,{other}\nmilk,1,mild,0\n"))


def test_json_lists_are_several_values(tmp_path: Path) -> None:
    records = [
        {"id": "milk", "Category": "dairy", "aisle": "cold", "taste": ["mild"]},
        {"id": "tea", "Category": ["drinks", "leaves"], "aisle": "dry", "taste": "bitter|mild"},
        {"id": "soap", "Category": "household", "aisle": "dry", "taste": None},
    ]
    from_json = read_item_table(table(tmp_path, json.dumps(records), "items.json"), NAMED)
    from_csv = read_item_table(table(tmp_path), NAMED)
    assert from_json.values == from_csv.values


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id,a\nmilk,1\nmilk,2\n", "each item once; line 2 has it already"),
        ("id,a\n,1\n", "line 2: column 'item' is ''"),
        ("id,a\nmilk\n", "1 fields; expected 2"),
        ("id,a\n", "describes no item"),
        ("id,a,a\nmilk,1,2\n", "names 'a' more than once"),
    ],
)
def test_broken_tables_are_explained(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        read_item_table(table(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("category=a", "does not say item=COLUMN"),
        ("item", "expected each part once"),
        ("item=a,item=b", "expected each part once"),
        ("item=", "expected each part once"),
    ],
)
def test_columns_of_another_form_are_refused(text: str, said: str) -> None:
    with pytest.raises(InvalidInputError, match=said):
        ItemColumns.parse(text)


def test_what_does_not_fit_the_purchases_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="no column 'sku'"):
        read_item_table(table(tmp_path), ItemColumns.parse("item=sku"))
    stranger = ItemTable(name="other.csv", values={"x1": {"category": ("a",)}})
    with pytest.raises(InvalidInputError, match="names none of the 3 items"):
        stranger.describe(SHELF, listed=True)
