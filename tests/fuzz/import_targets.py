"""Foreign files: purchases and ratings in every form, tables of items and baskets, given negatives.

Every target writes its bytes to a file, as a reader would have them, and takes the whole way to
what is stored: events in order, a catalogue, the held-out items.
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from client.importers.basket_table import BasketTable
from client.importers.columns import Columns
from client.importers.item_columns import ItemColumns
from client.importers.item_table import read_item_table
from client.importers.purchases import Purchases, read_purchases
from client.importers.source import Source
from client.importers.text_form import TextForm
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.negatives_file import read_negatives
from simulations.population.population import Population
from tests.fuzz.target import Target

PLAIN: Final = Columns(shopper="u", item="i", time="t", basket="b", quantity="q", price="p")
BARE: Final = Columns(shopper="1", item="2", time="4", rating="3", least=3.0)
LISTED: Final = Columns(shopper="u", item="i", time=None, item_separator=" ")
WIDE: Final = Columns(shopper="1", item="3..", time="2")
MAPPED: Final = Columns(
    shopper="key",
    item="value",
    time="position",
    time_format="number",
    ignored=frozenset({"-1"}),
)
NO_HEADER: Final = TextForm(header=False)
FILMS: Final = ItemColumns.parse("item=1,genre=4..6,decade=decade(2),price=bands(3)")


def _in_file(name: str, use: Callable[[Path], object]) -> Callable[[bytes], object]:
    """Let ``use`` read the bytes from a file of that name."""

    def parse(data: bytes) -> object:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.write_bytes(data)
            return use(path)

    return parse


def _purchases(columns: Columns, form: TextForm | None = None) -> Callable[[Path], Purchases]:
    def read(path: Path) -> Purchases:
        source = Source(files=(path,), form=form or TextForm())
        found = read_purchases(source, columns, skip_bad=path.read_bytes().endswith(b"\n\n"))
        events = found.events
        order = list(zip(events.shopper, events.time.tolist(), strict=True))
        assert order == sorted(order)
        assert (found.catalogue.indices(events.item) >= 0).all()
        assert not {"", *columns.ignored} & set(events.item)
        owners = dict(zip(events.basket, events.shopper, strict=True))
        assert all(owners[b] == s for b, s in zip(events.basket, events.shopper, strict=True))
        return found

    return read


def _two_files(path: Path) -> Purchases:
    """The bytes as the later of two files."""
    first = path.with_name("first.json")
    first.write_text('{"c1": [["milk", "tea"], ["milk"]]}')
    found = read_purchases(Source(files=(first, path), sequel=True), MAPPED)
    mine = [
        (time, item)
        for shopper, time, item in zip(
            found.events.shopper, found.events.time, found.events.item, strict=True
        )
        if shopper == "c1"
    ]
    assert [item for _, item in mine[:3]] == ["milk", "tea", "milk"]
    return found


def _baskets(path: Path) -> Purchases:
    """The bytes as a table of baskets."""
    lines = path.with_name("lines.csv")
    lines.write_text("b,i\no1,milk\no2,tea\n")
    source = Source(files=(lines,), baskets=BasketTable(path=path, key="b"))
    return read_purchases(source, Columns(shopper="u", item="i", time="t", basket="b"))


def _items(path: Path) -> Catalogue:
    shelf = Catalogue(
        name="shelf",
        level="item",
        items=("7", "8"),
        categories=("", ""),
        departments=("", ""),
        products={},
    )
    table = read_item_table(path, FILMS, form=TextForm(header=False, encoding="latin-1"))
    catalogue = table.describe(shelf, listed=True)
    return Catalogue.from_bytes(catalogue.to_bytes())


def _split() -> LeaveOneOut:
    lines = "".join(f"{u},{i},2024-03-{n:02d}\n" for u in "ab" for n, i in enumerate("wxyz", 1))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "all.csv"
        path.write_text("u,i,t\n" + lines + "c,k,2024-03-01\nc,m,2024-03-02\nc,n,2024-03-03\n")
        found = read_purchases(path, Columns(shopper="u", item="i", time="t"))
    population = Population(
        name="all",
        note="",
        catalogue=found.catalogue,
        events=found.events,
        stores={},
        devices=("a", "b", "c"),
        groups={},
    )
    return LeaveOneOut(population=population)


SPLIT: Final = _split()


def _negatives(path: Path) -> object:
    read = read_negatives(path, SPLIT)
    for shopper, items in read.items.items():
        assert not np.isin(items, SPLIT.owned[shopper]).any()
    for shopper, item in read.named.items():
        assert item in SPLIT.owned[shopper]
    _ = replace(SPLIT, named=read.named).test
    return read


MAP: Final = json.dumps({"c1": [[-1], ["milk", "tea"], ["milk"]], "c2": [["tea"], [-1]]}).encode()
NESTED: Final = json.dumps([{"u": "c1", "i": ["milk", "tea"]}, {"u": "c2", "i": "tea milk"}])
CSV: Final = b'u,i,t,b,q,p\nc1,"milk, 1 l",2024-03-01,1,2,1.5\nc2,tea,1709284320,1,1,\n'

TARGETS: Final = tuple(
    Target(name, _in_file(file, use), seeds, allowed=(InvalidInputError,), hostile=hostile)
    for name, file, use, seeds, hostile in (
        (
            "csv",
            "a.csv",
            _purchases(PLAIN),
            (CSV, CSV + b"c3,,\n\n"),
            (CSV.replace(b"2024", b"1024"), b"\0" * 9),
        ),
        (
            "ratings",
            "a.dat",
            _purchases(BARE, NO_HEADER),
            (b"1::7::5::978300760\n1::8::2::978300761\n2::7::3::978300762\n",),
            (b"1::7::5::978300760\n\xff::8::4::978300761\n", b"1::7::1::978300760\n"),
        ),
        (
            "cells",
            "a.tsv",
            _purchases(LISTED),
            (b"u\ti\nc1\tmilk tea\nc2\t tea \n",),
            (b"u\ti\nc1\t-1\n",),
        ),
        (
            "wide",
            "a.txt",
            _purchases(WIDE, NO_HEADER),
            (b"c1,2024-03-01,milk,tea\nc2,2024-03-02,tea\n",),
            (b"c1,2024-03-01\n", b"c1,2024-03-01,,\n"),
        ),
        ("map", "a.json", _purchases(MAPPED), (MAP,), (b"[" * 90_000, b'{"c1": 3}')),
        (
            "log",
            "a.json",
            _purchases(LISTED),
            (NESTED.encode(),),
            (b'[{"u": "c1", "i": [-1, "-1"]}]',),
        ),
        ("sequel", "later.json", _two_files, (MAP,), (b"{}", b'{"c1": [["-1x", 0.5, {}]]}')),
        (
            "baskets",
            "orders.csv",
            _baskets,
            (b"b,u,t\no1,ann,2024-03-01\no2,ben,2024-03-02\n",),
            (b"b,u,t\no1,ann,2024-03-01\no1,ben,2024-03-02\n",),
        ),
        (
            "items",
            "a.item",
            _items,
            (b"7|\xc9t\xe9 (1995)|3.5|1|0|1\n8|Heat|2|0|0|1\n",),
            (b"7|Heat|3|1|0|2\n", b"7|Heat|3|1|0|0\n7|Heat (1995)|3|1|0|0\n"),
        ),
        (
            "negatives",
            "given.txt",
            _negatives,
            (b"(a,z)\tk\tm\n(b,z)\tn\tk\n", b"a,z,1\na,k,0\nb,m,0\nb,z,1\n", b"a k m\nb n\n"),
            (b"(a,z)\tk\n(a,y)\tm\n", b"(a,k)\tm\n(b,m)\tn\n"),
        ),
        (
            "negative objects",
            "given.json",
            _negatives,
            (b'{"a": {"pos": "z", "neg": ["k", "m"]}, "b": ["z", ["n"]]}',),
            (b'[["a"]]', b'[[["a"], "k"]]'),
        ),
    )
)
