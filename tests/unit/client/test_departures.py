"""What left a device: only what its own register and signed manifests say."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from client.departures import departures
from client.own_data import delete, delete_item, kept, own_lines
from client.register import joined_contexts
from tests.browser.device_seeding import SeededDevice, seeded_device


@pytest.fixture
def seeded(tmp_path: Path) -> Iterator[SeededDevice]:
    with seeded_device(tmp_path) as made:
        yield made


def test_every_round_stands_newest_first(seeded: SeededDevice) -> None:
    found = departures(seeded.home, seeded.releases)
    assert [each.round_id[-2:] for each in found] == ["48", "47", "46", "45", "44", "43"]
    assert [each.sent for each in found] == [True, False, True, True, True, True]
    assert [each.released for each in found] == [False, False, True, True, True, True]
    assert all(each.others == 1_239 and each.sealed_bytes == 98_304 for each in found[2:])
    assert {each.values for each in found[2:]} == {12}
    assert found[0].others is found[0].values is found[0].opened is None


def test_without_releases_only_the_register_speaks(seeded: SeededDevice) -> None:
    for each in departures(seeded.home, None):
        assert (each.released, each.values, each.others) == (False, None, None)
        assert each.epsilon is not None


def test_a_manifest_of_somebody_else_says_nothing(seeded: SeededDevice) -> None:
    for file in seeded.releases.rglob("manifest.json"):
        body = json.loads(file.read_bytes())
        body["signature"] = body["signature"][::-1]
        file.write_text(json.dumps(body))
    assert not any(each.released for each in departures(seeded.home, seeded.releases))


@pytest.mark.parametrize("record", ["", "[]", '{"shoppers": "many"}', '{"shoppers": -1}'])
def test_a_damaged_record_is_no_record(seeded: SeededDevice, record: str) -> None:
    for file in seeded.releases.rglob("record.json"):
        file.write_text(record)
    found = departures(seeded.home, seeded.releases)
    assert all(each.others is None for each in found)
    assert [each.released for each in found][2:] == [True] * 4


def test_what_waits_in_the_outbox_is_told(seeded: SeededDevice) -> None:
    context = joined_contexts(seeded.home.register)["popularity", "2026-w48"]
    place = seeded.home.outbox / context
    place.mkdir(parents=True)
    (place / "sealed").write_bytes(b"x" * 77)
    first = departures(seeded.home, seeded.releases)[0]
    assert (first.waiting, first.sealed_bytes) == (True, 77)
    shutil.rmtree(seeded.home.outbox)
    assert not departures(seeded.home, seeded.releases)[0].waiting


def test_lines_are_by_item_and_day_and_go_for_good(seeded: SeededDevice) -> None:
    home = seeded.home
    before, lines = kept(home), own_lines(home)
    assert before.lines == sum(line.purchases for line in lines)
    assert [line.day for line in lines] == sorted((line.day for line in lines), reverse=True)
    milk = own_lines(home, named="WHOLE")
    assert {line.item for line in milk} == {"whole milk"}
    assert delete_item(home, "whole milk") == sum(line.purchases for line in milk)
    assert own_lines(home, named="whole milk") == ()
    assert delete(home, "whole milk", "2026-11-01") == 0
    assert kept(home).items == before.items - 1
    assert b"whole milk" not in home.events.read_bytes()
