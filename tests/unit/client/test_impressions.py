"""What was shown stays here, is hers to take and erase, and says what other draws would bring."""

import json
import stat
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from client.breadth import read_breadth, set_breadth
from client.erasing import copies_of
from client.home import ClientHome
from client.impressions import (
    KEEP_DAYS,
    SAME_SECONDS,
    Impression,
    Showing,
    read_impressions,
    remember,
)
from client.outcomes import (
    LEAST_LISTS,
    WINDOW_DAYS,
    Drawing,
    bought_after,
    off_policy,
    outcome,
)
from client.personal_export import export_path, write_export
from client.recommender.arrange import arrange
from client.recommender.discovery import Shown, Slot, Zone, probabilities
from client.recommender.openness import Breadth
from consent.admit import ConsentedEvents, admit
from consent.purpose import Category, Purpose
from crypto.errors import ConsentError, InvalidInputError
from tests.unit.client.instructing import run, tell
from tests.unit.client.stage import Party, make_client, purchases
from tests.unit.client.test_discovery import CATALOGUE, MODEL, history, rng
from tests.unit.commands import fedcart
from tests.unit.consent.harness import Stage

DAY = 86_400
NOON = 19_700 * DAY + DAY // 2


@pytest.fixture
def party(stage: Stage, tmp_path: Path) -> Party:
    return make_client(stage, tmp_path / "device", "ann")


def admitted(purpose: Purpose = Purpose.PERSONALISE) -> ConsentedEvents:
    return admit(
        purchases("ann", "item-00"),
        purpose=purpose,
        categories={Category.PURCHASES},
        sensitive_items=frozenset(),
    )


def shown() -> tuple[Shown, ...]:
    return arrange(MODEL, history([0, 1], [2, 3]), rng=rng())


def note(home: ClientHome, at: int, purpose: Purpose = Purpose.PERSONALISE) -> None:
    remember(home, home.shoppers["ann"], admitted(purpose), shown(), catalogue=CATALOGUE, at=at)


def noted(home: ClientHome) -> tuple[Showing, ...]:
    return read_impressions(home, home.shoppers["ann"])


def test_it_is_noted_as_it_was_shown(party: Party) -> None:
    note(party.home, NOON)
    [found] = noted(party.home)
    assert found.time == NOON
    for impression, each in zip(found.items, shown(), strict=True):
        assert impression.item == CATALOGUE.items[each.recommendation.item]
        assert (impression.slot, impression.propensity) == (each.slot, each.propensity)
    [file] = (party.home.derived / party.home.shoppers["ann"]).iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_reloading_wears_nothing_out_and_old_lists_go(party: Party) -> None:
    for at in (NOON, NOON + 10, NOON + SAME_SECONDS + 10):
        note(party.home, at)
    assert [each.time for each in noted(party.home)] == [NOON + 10, NOON + SAME_SECONDS + 10]
    note(party.home, NOON + (KEEP_DAYS + 1) * DAY)
    assert [each.time for each in noted(party.home)] == [NOON + (KEEP_DAYS + 1) * DAY]


def test_a_page_and_a_command_may_write_at_once(party: Party) -> None:
    home, identifier = party.home, party.home.shoppers["ann"]
    for folder in (home.derived / identifier, home.path / "breadth"):
        folder.mkdir(mode=0o700, parents=True)
    places = list(Breadth) * 8
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: note(home, NOON), range(40)))
        list(pool.map(lambda place: set_breadth(home, identifier, place), places))
    assert [each.time for each in noted(home)] == [NOON]
    assert read_breadth(home, identifier) in Breadth
    assert [each.name for each in (home.derived / identifier).iterdir()] == ["impressions.json"]
    left_behind = home.path / "breadth" / f".{identifier}.json.0f.draft"  # as by a crash
    left_behind.touch()
    assert left_behind in copies_of(home, identifier)


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.PERSONALISE}))
def test_without_a_grant_for_lists_nothing_is_noted(party: Party, purpose: Purpose) -> None:
    with pytest.raises(ConsentError, match="noted for"):
        note(party.home, NOON, purpose)
    assert not party.home.derived.exists()


def test_a_damaged_log_is_said_and_not_guessed_at(party: Party) -> None:
    note(party.home, NOON)
    [file] = (party.home.derived / party.home.shoppers["ann"]).iterdir()
    whole = json.loads(file.read_bytes())
    for broken in (b"{}", b"not json", json.dumps({"lists": [{"time": -1, "items": []}]}).encode()):
        file.write_bytes(broken)
        with pytest.raises(InvalidInputError, match="damaged"):
            noted(party.home)
    whole["lists"][0]["items"][0]["propensity"] = 2.0
    file.write_text(json.dumps(whole))
    with pytest.raises(InvalidInputError, match="damaged"):
        noted(party.home)


def test_log_and_slider_are_exported_and_erased_with_her(stage: Stage, party: Party) -> None:
    home = party.home
    identifier = home.shoppers["ann"]
    note(home, NOON)
    set_breadth(home, identifier, Breadth.MUCH_MORE)
    write_export(home, "ann", "copy", at=0, held=[])
    with zipfile.ZipFile(export_path(home, "copy")) as copy:
        told = json.loads(copy.read("shown.json"))
    assert told["discovery"] == "much-more"
    assert [each["time"] for each in told["lists"]] == [NOON]
    assert {file.name for file in copies_of(home, identifier)} >= {
        "impressions.json",
        f"{identifier}.json",
    }
    tell(stage, party, "erase")
    assert run(stage, party).reported == 1
    assert noted(home) == ()
    assert read_breadth(home, identifier) is Breadth.AS_I_SHOP


def test_a_stop_forgets_what_was_shown(stage: Stage, party: Party) -> None:
    note(party.home, NOON)
    tell(stage, party, "stop")
    assert run(stage, party).reported == 1
    assert noted(party.home) == ()


def test_the_slider_at_the_command_line(party: Party) -> None:
    home = party.home.path
    assert fedcart("device", "discovery", "--home", home).said.startswith(
        "New things in your lists: as-i-shop."
    )
    assert fedcart("device", "discovery", "more", "--home", home).code == 0
    assert read_breadth(party.home, party.home.shoppers["ann"]) is Breadth.MORE
    refused = fedcart("device", "discovery", "everything", "--home", home)
    assert refused.code != 0
    assert "much-more" in refused.said
    assert read_breadth(party.home, party.home.shoppers["ann"]) is Breadth.MORE


def test_purchases_count_for_the_list_before_them() -> None:
    days = (1, 2, 2 + WINDOW_DAYS, 40)
    log = [_showing(NOON + day * DAY) for day in (0, 2)]
    lines = purchases("ann", *[f"item-{day:02d}" for day in days])
    events = replace(lines, time=np.array([NOON - DAY // 2 + day * DAY for day in days]))
    found = bought_after(
        log,
        admit(
            events,
            purpose=Purpose.PERSONALISE,
            categories={Category.PURCHASES},
            sensitive_items=frozenset(),
        ),
        CATALOGUE,
    )
    assert found == [{1}, {2}]


def test_lists_of_one_day_share_it_and_end_with_the_next_days() -> None:
    log = [_showing(NOON + hours * 3600) for hours in (0, 4, 24)]
    bought = bought_after(log, bought_on((0, "item-01"), (1, "item-02"), (3, "item-03")), CATALOGUE)
    assert bought == [{1}, {1}, {2, 3}]


def bought_on(*lines: tuple[int, str]) -> ConsentedEvents:
    """Purchases on days after the first list's."""
    made = purchases("ann", *[item for _, item in lines])
    times = np.array([NOON - DAY // 2 + day * DAY for day, _ in lines])
    return admit(
        replace(made, time=times),
        purpose=Purpose.PERSONALISE,
        categories={Category.PURCHASES},
        sensitive_items=frozenset(),
    )


def _showing(at: int, *drawn: tuple[int, float, int, int]) -> Showing:
    return Showing(
        time=at,
        items=tuple(
            Impression(
                item=CATALOGUE.items[item],
                slot=Slot.DISCOVERY,
                propensity=chance,
                rank=rank,
                candidates=candidates,
            )
            for item, chance, rank, candidates in drawn
        ),
    )


def _simulated(
    generator: np.random.Generator, liked: np.ndarray, lists: int
) -> tuple[list[Showing], list[frozenset[int]]]:
    """Lists of one draw each; the candidate at rank r is bought with the probability liked[r]."""
    chances = probabilities(liked.size, Zone())
    log, bought = [], []
    for number in range(lists):
        place = int(generator.choice(liked.size, p=chances))
        log.append(_showing(number, (place, float(chances[place]), place + 1, liked.size)))
        hit = generator.random() < liked[place]
        bought.append(frozenset({place}) if hit else frozenset())
    return log, bought


def test_off_policy_estimates_hold_the_truth_as_often_as_they_claim() -> None:
    liked = np.linspace(0.6, 0.05, 20)
    other = Zone(power=0.2, spread=0.3)
    truth = float(probabilities(20, other) @ liked)
    behaviour = float(probabilities(20, Zone()) @ liked)
    generator, held, fooled, means = rng(), 0, 0, []
    tries = 300
    for _ in range(tries):
        log, bought = _simulated(generator, liked, 200)
        found = off_policy(log, bought, CATALOGUE, other)
        naive = off_policy(log, bought, CATALOGUE, Zone())
        assert found is not None
        assert naive is not None
        held += found.low <= truth <= found.high
        fooled += naive.low <= truth <= naive.high
        means.append(found.mean)
        assert found.effective <= found.impressions == 200
        assert naive.effective == pytest.approx(200)
    assert held / tries > 0.90
    assert np.mean(means) == pytest.approx(truth, abs=0.01)
    # The control: without the weights the answer is another rule's, and is mostly wrong.
    assert abs(behaviour - truth) > 0.05
    assert fooled / tries < 0.3


def test_a_rule_that_never_draws_what_was_drawn_says_nothing() -> None:
    log = [_showing(0, (19, 0.01, 20, 20))]
    assert off_policy(log, [frozenset()], CATALOGUE, Zone(candidates=1)) is None
    assert off_policy([], [], CATALOGUE, Zone()) is None
    with pytest.raises(InvalidInputError, match="as many outcomes"):
        off_policy(log, [], CATALOGUE, Zone())


CHANCES = probabilities(20, Zone())


def _log(lists: int, *, places: int = 6) -> list[Showing]:
    """A list a day, each with a zone of the items 0, 1, 2 and so on, drawn at those ranks."""
    drawn = [(rank, float(CHANCES[rank]), rank + 1, 20) for rank in range(places)]
    return [_showing(NOON + day * DAY, *drawn) for day in range(lists)]


def test_what_came_is_counted_and_only_of_lists_that_are_over() -> None:
    lines = [(0, "item-00"), (0, "item-09"), (4, "item-01"), (4, "item-02"), (20, "item-03")]
    found = outcome(_log(21), bought_on(*lines), CATALOGUE)
    assert (found.lists, found.open) == (20, 1)
    assert (found.shown, found.bought) == (120, 3)
    assert json.loads(json.dumps(found.to_json()))["estimates"]["as-now"]["impressions"] == 120
    now = found.estimates[Drawing.AS_NOW]
    assert now is not None
    assert now.mean == pytest.approx(3 / 120)
    assert now.effective == pytest.approx(120)
    best, alike = found.estimates[Drawing.BEST_MORE], found.estimates[Drawing.ALL_ALIKE]
    assert best is not None
    assert best.mean > now.mean  # what was bought stood high among the candidates
    assert alike is not None
    assert alike.effective < 120


def test_purchases_that_are_not_on_the_device_yet_are_no_refusals() -> None:
    """Two lists and a shop's file that ends before them: nothing is known of either."""
    found = outcome(_log(2), bought_on((0, "item-09")), CATALOGUE)
    assert (found.lists, found.open, found.shown, found.bought) == (0, 2, 0, 0)


def test_with_too_little_nothing_is_claimed() -> None:
    last = bought_on((40, "item-09"))
    few = outcome(_log(LEAST_LISTS - 1), last, CATALOGUE)
    assert few.lists == LEAST_LISTS - 1
    assert set(few.estimates.values()) == {None}
    thin = outcome(_log(LEAST_LISTS, places=2), last, CATALOGUE)
    assert set(thin.estimates.values()) == {None}  # 20 impressions
    assert set(outcome([], last, CATALOGUE).estimates.values()) == {None}


def test_nothing_bought_is_not_known_to_be_never() -> None:
    found = outcome(_log(10), bought_on((40, "item-09")), CATALOGUE).estimates[Drawing.AS_NOW]
    assert found is not None
    assert (found.mean, found.low) == (0.0, 0.0)
    assert found.high == pytest.approx(1.96**2 / (60 + 1.96**2), abs=1e-3)  # by hand: Wilson at 0


def test_what_is_bought_together_is_one_visit() -> None:
    """All of a zone or nothing: 10 lists say what 10 draws say, not what 60 do."""
    log, everything = _log(10), frozenset(range(6))
    together = off_policy(log, [everything, *[frozenset[int]()] * 9], CATALOGUE, Zone())
    apart = off_policy(
        log, [frozenset({n}) for n in range(6)] + [frozenset[int]()] * 4, CATALOGUE, Zone()
    )
    assert together is not None
    assert apart is not None
    assert together.mean == pytest.approx(apart.mean)
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


@pytest.mark.parametrize("purpose", sorted(set(Purpose) - {Purpose.PERSONALISE}))
def test_what_came_needs_the_grant_that_lists_need(purpose: Purpose) -> None:
    with pytest.raises(ConsentError, match="worked out for"):
        outcome(_log(1), admitted(purpose), CATALOGUE)
