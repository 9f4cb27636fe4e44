"""Scenarios are parsed at one door: known keys, right types, shares within bounds."""

from pathlib import Path

import pytest

from crypto.errors import InvalidInputError
from simulations.engine.scenario import Scenario, shipped


def test_the_demo_is_a_scenario_like_any_other() -> None:
    demo = Scenario.load(shipped("demo"))
    assert demo.name == "demo"
    assert demo.data.source == "complete-journey"
    assert demo.privacy.epsilon <= 2.0
    assert demo.privacy.enabled


def test_overrides_win_over_the_file() -> None:
    changed = Scenario.load(
        shipped("demo"), ["privacy.epsilon=4", "data.source=synthetic", "seed=11"]
    )
    assert changed.privacy.epsilon == 4.0
    assert changed.data.source == "synthetic"
    assert changed.seed == 11


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("privacy.epsilonn=4", "Did you mean 'privacy.epsilon'"),
        ("dropout=0.1", "Did you mean 'clients.dropout'"),
        ("privcy.epsilon=4", "Did you mean 'privacy'"),
        ("privacy.epsilon=-1", "expected > 0"),
        ('privacy.epsilon="much"', "expected float"),
        ("privacy=4", "is a section"),
        ("consent.refuse=1.5", "expected a share from 0 to 1"),
        ("consent.refuse", "expected section.key=value"),
        ("engine.services=cloud", "processes"),
        ("tasks.force_item_item=1", "expected bool"),
        ("seed.more=1", "is no section"),
    ],
)
def test_a_wrong_override_says_what_is_expected(override: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Scenario.load(shipped("demo"), [override])


def test_a_missing_file_names_the_shipped_scenarios(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="Shipped scenarios: demo"):
        Scenario.load(tmp_path / "none.toml")


def test_a_file_that_is_not_toml_is_refused(tmp_path: Path) -> None:
    broken = tmp_path / "broken.toml"
    broken.write_text("privacy = [")
    with pytest.raises(InvalidInputError, match="not TOML"):
        Scenario.load(broken)


def test_the_file_name_names_a_scenario_without_a_name(tmp_path: Path) -> None:
    path = tmp_path / "whatif.toml"
    path.write_text("seed = 3\n")
    assert Scenario.load(path).name == "whatif"
