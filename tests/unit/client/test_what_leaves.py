"""What leaves a device when it is paired and synced: fixed fields, and nothing of her purchases.

Her purchases carry names, prices and times that occur nowhere else. A device that is asked for
everything must send none of them, plain or wrapped, and no field but those listed here.
"""

import json
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from client.connection import mount
from client.home import ClientHome
from client.register import enter_round
from consent.instruction import InstructionKind
from consent.purpose import Category, Cell, Purpose
from consent.service.app import create_app
from consent.service.context import Context
from consent.service.inprocess import InProcessTransport
from consent.service.instructions import service
from consent.service.settings import Settings
from crypto.wire import b64, canonical, public_bytes, unb64
from tests.unit.client.recording import Recording, Sent
from tests.unit.client.shop import URL, Shop
from tests.unit.client.test_cli_pairing import account, code_for, pair, pair_again, remove
from tests.unit.commands import Outcome, fedcart

PURCHASES = """card,article,date,visit,count,paid,branch
card-quince,wombat-milk,2024-03-01T09:00:07,visit-ocelot,913,7341.17,branch-gannet
card-quince,axolotl-bread,2024-03-04T18:30:11,visit-caracal,617,2893.71,branch-heron
"""
MORE = ("--basket", "visit", "--quantity", "count", "--price", "paid", "--store", "branch")
# Names and numbers of that file; the times as Unix seconds too, with and without the hour.
CANARIES = [
    *(b"quince", b"wombat", b"axolotl", b"ocelot", b"caracal", b"gannet", b"heron"),
    *(b"913", b"617", b"7341", b"2893", b"2024-03-0"),
    *(b"1709283607", b"1709577011", b"1709251200", b"1709510400"),
]
CELL = Cell(Purpose.TRAIN, Category.PURCHASES)
CORRECTIONS = [
    {"item": "wombat-milk", "day": "2024-03-01", "values": {"item": "axolotl-bread"}},
    {"item": "axolotl-bread", "day": "2024-03-04", "delete": True},
]
TOLD: list[tuple[InstructionKind, dict[str, Any]]] = [
    (InstructionKind.STOP, {"cells": [CELL]}),
    (InstructionKind.RESUME, {"cells": [CELL]}),
    (InstructionKind.RESTRICT, {}),
    (InstructionKind.OBJECT, {}),
    (InstructionKind.RESUME, {}),
    (InstructionKind.CORRECT, {"details": {"corrections": CORRECTIONS}}),
    (InstructionKind.EXPORT, {}),
    (InstructionKind.ERASE, {}),
]
HEADERS = {
    *(b"host", b"accept", b"accept-encoding", b"connection", b"user-agent"),
    *(b"content-length", b"content-type", b"authorization"),
}

Holds = Callable[[Any], bool]


def number(value: Any) -> bool:
    return type(value) is int


def one_of(*words: str) -> Holds:
    return lambda value: value in words


def of_form(pattern: str) -> Holds:
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value) is not None


def counts(value: Any) -> bool:
    names = one_of(
        *("cells", "lines-deleted", "lines-corrected", "lines-exported"),
        *("files-deleted", "files-written", "rounds-deleted"),
    )
    return isinstance(value, dict) and all(names(name) and number(value[name]) for name in value)


# All that a device says in these records, field by field. A field more is a decision to take.
SIGNED: Mapping[str, Mapping[str, Holds]] = {
    "pairing": {
        "client_key": of_form(r"[\w-]{43}"),
        "code": of_form("[2-9A-Z]{8}"),
        "issued_at": number,
        "tasks": lambda value: value == [],
    },
    "instruction-fetch": {
        "client_key": of_form(r"[\w-]{43}"),
        "issued_at": number,
        "after": number,
    },
    "instruction-report": {
        "client_key": of_form(r"[\w-]{43}"),
        "instruction": of_form("[0-9a-f]{32}"),
        "status": one_of("done", "refused", "failed"),
        "outcome": one_of(
            *("stopped", "resumed", "restricted", "objection-noted", "exported", "corrected"),
            *("erased", "nothing-there", "unknown-shopper", "too-late", "storage-failed"),
        ),
        "counts": counts,
        "at": number,
    },
}


def records_of(sent: Sent) -> list[dict[str, Any]]:
    """The signed records of a request, which are its whole content, or none without content."""
    match (sent.method, sent.target):
        case ("GET", "/v1/keys"):
            assert sent.content is None
            return []
        case ("GET", target) if re.fullmatch(r"/v1/shoppers/[0-9a-f]{32}/consents", target):
            assert sent.content is None
            return []
        case ("POST", "/v1/pairings" | "/v1/instructions/fetch"):
            return [sent.content]
        case ("POST", "/v1/instructions/report"):
            assert sent.content.keys() == {"reports"}
            return list(sent.content["reports"])
    raise AssertionError(f"A device sent something new: {sent.method} {sent.target}")


def check_form(sent: Sent) -> None:
    """Nothing but the listed fields, each of its type."""
    assert {name.lower() for name, _ in sent.headers} <= HEADERS
    for record in records_of(sent):
        assert record.keys() == {"type", "body", "signature"}
        body, fields = json.loads(unb64(record["body"], what="body")), SIGNED[record["type"]]
        assert body.keys() == fields.keys()
        assert [name for name in fields if not fields[name](body[name])] == []


def leaked(sent: Sent) -> set[bytes]:
    """The canaries in a request; the keys and signatures in it are random, so digits may occur."""
    records = records_of(sent) if sent.method == "POST" else []
    random = {record["signature"].encode() for record in records}
    parts = [part for part in sent.readable() if part not in random]
    words = {each for each in CANARIES if not each.isdigit()}
    found = {each for each in words for part in parts if each in part}
    numbers = {str(each).encode() for record in records for each in _numbers(_said(record))}
    return found | (numbers & {each for each in CANARIES if each.isdigit()})


def _said(record: dict[str, Any]) -> Any:
    return json.loads(unb64(record["body"], what="body"))


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict):
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, list):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, int | float):
        yield value


@pytest.fixture
def context(shop: Shop, sent: list[Sent]) -> Iterator[Context]:
    """The service under a transport that keeps what is sent to it."""
    app = create_app(Settings.load(shop.folder / "consent"))
    transport = Recording(InProcessTransport(app), sent)
    mount(URL, transport)
    yield app.state.context
    transport.close()


@pytest.fixture
def sent() -> list[Sent]:
    return []


def sync(shop: Shop) -> Outcome:
    done = fedcart("device", "sync", "--home", shop.home)
    assert done.code == 0, done.said
    return done


def test_nothing_of_her_purchases_leaves_a_device(
    shop: Shop, context: Context, sent: list[Sent]
) -> None:
    anna, berta = account(), account("berta")
    code = code_for(anna)
    sent.clear()  # what the panel sent
    assert pair(shop, code).code == 0
    assert shop.import_(PURCHASES, *MORE).code == 0
    home = ClientHome.load(shop.home)
    enter_round(
        home.register, population="p", task="popularity", round_id="r", context="c", epsilon=1.0
    )
    for kind, more in TOLD:
        with context.database.writing() as session:
            assert service.issue(context, session, anna["shopper"], kind, **more)
        sync(shop)
        if kind is InstructionKind.EXPORT:
            [file] = home.exports.iterdir()
            assert b"axolotl" in zipfile.ZipFile(file).read("purchases.json")
    panel = len(sent)
    remove(shop, anna)
    code = code_for(berta)
    del sent[panel:]
    assert pair_again(shop, code).code == 0
    sync(shop)

    outcomes = [
        _said(record)["outcome"]
        for each in sent
        for record in records_of(each)
        if record["type"] == "instruction-report"
    ]
    assert outcomes[:8] == [
        *("stopped", "resumed", "restricted", "objection-noted", "resumed", "corrected"),
        *("exported", "erased"),
    ]
    for each in sent:
        check_form(each)
        assert leaked(each) == set()
        assert not any(b"PK\x03\x04" in part for part in each.readable())  # no export


def test_a_failure_says_no_more(shop: Shop, context: Context, sent: list[Sent]) -> None:
    anna = account()
    pair(shop, code_for(anna))
    assert shop.import_(PURCHASES, *MORE).code == 0
    home = ClientHome.load(shop.home)
    home.exports.write_text("a file where the folder belongs: wombat-milk")
    with context.database.writing() as session:
        service.issue(context, session, anna["shopper"], InstructionKind.EXPORT)
    sent.clear()
    sync(shop)
    said = [_said(record) for each in sent for record in records_of(each)]
    assert [each["outcome"] for each in said if "outcome" in each] == ["storage-failed"]
    for each in sent:
        check_form(each)
        assert leaked(each) == set()


@pytest.mark.parametrize(
    "hidden",
    [
        {"note": "wombat-milk"},
        {"counts": {"cells": 913}},
        {"note": b64(b"wombat-milk")},
        {"note": b64(canonical({"deep": b64(b"axolotl")}))},
    ],
)
def test_a_leak_would_be_seen(hidden: dict[str, Any], shop: Shop) -> None:
    home = shop.enrolled()
    body = {
        "client_key": b64(public_bytes(home.identity.public_key())),
        "issued_at": 1,
        "after": 0,
        **hidden,
    }
    record = {"type": "instruction-fetch", "body": b64(canonical(body)), "signature": "AAAA"}
    leaky = Sent("POST", "/v1/instructions/fetch", (), canonical(record))
    assert leaked(leaky)
    with pytest.raises(AssertionError):
        check_form(leaky)


def test_a_request_of_another_kind_would_be_seen() -> None:
    for method, target in [("POST", "/v1/purchases"), ("GET", "/v1/keys?item=wombat")]:
        with pytest.raises(AssertionError, match="something new"):
            records_of(Sent(method, target, (), b""))
