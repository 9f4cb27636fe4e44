"""The summary in a terminal, the words for numbers, and the places on charts."""

from copy import deepcopy

import pytest
from rich.console import Console

from crypto.errors import InvalidInputError
from simulations.report import words
from simulations.report.chart import nice_ceiling, reach, share, stack
from simulations.report.record import Figure
from simulations.report.terminal import summary
from tests.unit.simulations.run_records import (
    ALARMS,
    Json,
    Spoil,
    a_record,
    dishonoured,
    no_noise,
    scores,
    unsealed,
)


def printed(record: Json, *, color: bool = False) -> str:
    console = Console(width=120, force_terminal=color, color_system="standard" if color else None)
    with console.capture() as capture:
        console.print(summary(record))
    return capture.get()


def test_summary_in_a_terminal() -> None:
    text = printed(a_record())
    for shown in ("0.263  0.237–0.289", "1.000 per shopper", "ε 0.552", "sealing full", "left out"):
        assert shown in text
    for shown in ("2,467 asked, 2,191 agreed", "88.3 s", "476.4 kB", "… explores"):
        assert shown in text
    assert "\x1b[1;31m" not in printed(a_record(), color=True)


@pytest.mark.parametrize("spoil", [no_noise, unsealed, dishonoured])
def test_summary_is_red_when_a_promise_does_not_hold(spoil: Spoil) -> None:
    record = a_record()
    spoil(record)
    text = printed(record, color=True)
    assert "\x1b[1;37;41m" in text
    assert "\x1b[1;31m" in text
    assert ALARMS[spoil].upper() in text


def test_summary_reads_names_as_names_and_checks_its_input() -> None:
    record = a_record()
    record["quality"]["next-basket"]["[red]x[/red]"] = scores(ndcg=0.1)
    assert "[red]x[/red]" in printed(record)
    with pytest.raises(InvalidInputError, match="tasks: Field required"):
        summary({key: value for key, value in a_record().items() if key != "tasks"})


@pytest.mark.parametrize(
    ("value", "told"), [(0.551134, "0.552"), (1.0, "1.000"), (0.99994, "1.000"), (None, "none")]
)
def test_epsilon_is_rounded_up(value: float | None, told: str) -> None:
    assert words.epsilon(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(1e-5, "10⁻⁵"), (2.5e-6, "2.5·10⁻⁶"), (0.01, "0.01"), (None, "none")]
)
def test_delta_is_a_power_of_ten(value: float | None, told: str) -> None:
    assert words.delta(value) == told


@pytest.mark.parametrize(
    ("value", "told"), [(0.0031, "3 ms"), (22.33, "22.3 s"), (179.7, "3 min 0 s")]
)
def test_durations(value: float, told: str) -> None:
    assert words.seconds(value) == told


@pytest.mark.parametrize(
    ("difference", "told"),
    [
        (Figure(value=0.01, low=0.005, high=0.015), "0.0100 better (+5.0 %; "),
        (Figure(value=-0.01, low=-0.015, high=-0.005), "0.0100 worse (-5.0 %; "),
        (Figure(value=0.01, low=-0.001, high=0.021), "no clear difference (+0.0100; "),
    ],
)
def test_a_difference_says_only_what_its_interval_says(difference: Figure, told: str) -> None:
    baseline = Figure(value=0.2, low=0.19, high=0.21)
    assert words.gain(difference, baseline).replace("\N{NO-BREAK SPACE}", " ").startswith(told)


@pytest.mark.parametrize(
    ("value", "nice"), [(0.0, 1.0), (0.273, 0.3), (0.3, 0.3), (1.2, 1.2), (9.1, 10.0), (0.04, 0.04)]
)
def test_axes_end_at_round_numbers(value: float, nice: float) -> None:
    assert nice_ceiling(value) == pytest.approx(nice)


def test_negative_parts_go_left_from_zero() -> None:
    values = [3.0, -1.0, 2.0]
    made = stack("x", "4", [("k1", value, "") for value in values], reach=reach([values]))
    assert made.zero == pytest.approx(share(1, 6))
    assert [each.start for each in made.segments] == pytest.approx([100 / 6, 0.0, 400 / 6])
    assert made.segments[-1].start + made.segments[-1].width == pytest.approx(100)


def test_the_given_record_is_not_changed() -> None:
    record = a_record()
    before = deepcopy(record)
    summary(record)
    assert record == before
