"""The audit as a whole: reads a run folder, runs every attack, writes record and page, exits 1."""

import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from crypto.errors import InvalidInputError
from crypto.sums.schemes import Scheme
from simulations.attacks import cli, suite
from simulations.attacks.audited import load_run
from simulations.attacks.finding import Control, Finding
from simulations.attacks.membership import membership
from simulations.attacks.page import PAGE, between, render, shown, to_html, verdict
from simulations.attacks.pipeline import Equality
from simulations.attacks.registry import ATTACKS, Family
from simulations.attacks.sensitivity import sensitivity
from simulations.attacks.setting import Attack
from simulations.attacks.statistics import Interval, exactly
from simulations.attacks.suite import RESULT, Audit, audit
from simulations.attacks.terminal import summary
from simulations.attacks.tries import RefusedError, Words, at_the_door
from tests.unit.simulations.attack_runs import a_bare_run, a_folder, a_run
from tests.unit.simulations.run_records import HOSTILE, Page

WORDS: Words = {
    "name": "a door",
    "adversary": "Somebody.",
    "action": "Tries.",
    "claim": "It is shut.",
    "note": "",
}


def quiet(phase: str, done: int, total: int) -> None:
    """Nobody watches."""


def refuses() -> None:
    raise RefusedError("not today")


def a_finding(*, holds: bool = True, fired: bool = True, documented: bool = False) -> Finding:
    return Finding(
        name="an attack",
        adversary="Somebody.",
        action="Does something.",
        claim="Nothing happens.",
        measure="share of something",
        figure=0.25,
        interval=Interval(low=0.2, high=0.3),
        bound=None if documented else 0.5,
        permitted="half",
        holds=holds,
        documented=documented,
        control=Control(name="without", figure=1.0, interval=exactly(1.0), fired=fired),
        note="",
        details={"tries": "12"},
    )


def an_audit(*findings: Finding, equal: bool = True) -> Audit:
    equality = Equality(scheme="compact-sum", clients=6, dimension=64, equal=equal)
    return Audit(
        run=a_run(),
        equalities=(equality,),
        findings={Family.RELEASES: findings},
        seconds=1.0,
    )


def only(*attacks: Attack) -> dict[Family, Sequence[Attack]]:
    return {Family.RELEASES: attacks}


def test_every_family_has_attacks_and_every_attack_stands_once() -> None:
    assert set(ATTACKS) == set(Family)
    every = [attack for attacks in ATTACKS.values() for attack in attacks]
    assert len(every) == len(set(every)) == 21


def test_a_run_folder_is_read_as_it_was_written(tmp_path: Path) -> None:
    read, made = load_run(a_folder(tmp_path / "run")), a_run()
    assert read.scenario == made.scenario
    assert read.popularity.plan == made.popularity.plan
    assert (read.popularity.values == made.popularity.values).all()
    assert read.contributors == made.contributors
    assert 0 < len(read.contributors) < len(read.histories)


def test_folders_that_can_not_be_audited_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"No metrics\.json"):
        load_run(tmp_path)
    run = a_folder(tmp_path / "run")
    metrics = json.loads((run / "metrics.json").read_text())
    for spoilt, match in (
        (metrics | {"privacy": {"epsilon": None, "delta": 1e-5}}, "privacy off"),
        ({"scenario": "small"}, "can audit"),
    ):
        (run / "metrics.json").write_text(json.dumps(spoilt))
        with pytest.raises(InvalidInputError, match=match):
            load_run(run)
    (run / "metrics.json").write_text(json.dumps(metrics))
    for file in run.rglob("record.json"):
        file.unlink()
    with pytest.raises(InvalidInputError, match="no popularity"):
        load_run(run)


def test_an_audit_passes_only_if_all_stand_all_fired_and_sealing_is_exact() -> None:
    assert an_audit(a_finding(), a_finding(documented=True)).passed
    assert not an_audit(a_finding(), a_finding(holds=False)).passed
    assert not an_audit(a_finding(), a_finding(fired=False)).passed
    assert not an_audit(a_finding(holds=False, documented=True)).passed
    assert not an_audit(a_finding(), equal=False).passed


def test_the_record_names_every_attack_and_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "ATTACKS", only(sensitivity, membership))
    phases: list[str] = []
    done = audit(a_folder(tmp_path / "run"), progress=lambda phase, *_: phases.append(phase))
    written = json.loads((tmp_path / "run" / RESULT).read_text())
    assert written == json.loads(json.dumps(done.to_json()))
    assert written["passed"] is True
    assert [each["name"] for each in written["findings"]] == ["sensitivity", "membership"]
    assert {each["scheme"] for each in written["sealed_equals_plain"]} == set(Scheme)
    assert all(each["equal"] for each in written["sealed_equals_plain"])
    assert {"sealed = plain", "sensitivity", "membership"} <= set(phases)
    assert all(each["seconds"] > 0 for each in written["findings"])


@pytest.mark.parametrize("broken", [False, True])
def test_the_exit_code_tells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: bool) -> None:
    monkeypatch.setattr(suite, "ATTACKS", only(sensitivity, membership))
    app = typer.Typer()
    app.command()(cli.audit)
    run = a_folder(tmp_path / "run", a_bare_run() if broken else a_run())
    found = CliRunner().invoke(app, [str(run)])
    assert found.exit_code == int(broken), found.output
    assert ("BROKEN" in found.output) is broken
    assert json.loads((run / RESULT).read_text())["passed"] is not broken
    assert (run / PAGE).is_file()


def test_the_page_is_one_file_without_network(tmp_path: Path) -> None:
    done = an_audit(a_finding(), a_finding(documented=True))
    out = render(done, tmp_path / PAGE)
    html = out.read_text(encoding="utf-8")
    page = Page(html)
    assert [each.name for each in tmp_path.iterdir()] == [PAGE]
    assert not {tag for tag, _ in page.elements} & {"script", "link", "img", "iframe", "form"}
    assert not re.search(r"https?://|url\(|@import|//[a-z]", html)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for attributes in page.all("a"):
        assert attributes["href"].removeprefix("#") in ids
    assert "prefers-color-scheme: dark" in html
    assert len(page.all("details")) == 2
    assert not page.all("aside")


def test_the_page_shows_what_is_broken_and_escapes_what_it_shows() -> None:
    hostile = replace(a_finding(holds=False), name=HOSTILE, details={HOSTILE: HOSTILE})
    page = Page(to_html(an_audit(hostile, a_finding(fired=False), equal=False)))
    text = " ".join(page.text.split())
    assert HOSTILE in page.text
    assert not page.all("script")
    assert page.all("aside")
    assert "DID NOT FIRE" in text
    assert "BROKEN" in text
    assert "differs from the plain one" in text


def test_every_line_has_figure_bound_verdict_and_control() -> None:
    text = " ".join(Page(to_html(an_audit(a_finding()))).text.split())
    for told in ("Somebody.", "Does something.", "0.250", "0.200 to 0.300", "0.500", "holds"):
        assert told in text
    assert "fired: 1" in text


def test_the_terminal_shows_every_attack() -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(summary(an_audit(a_finding(), a_finding(holds=False), equal=False)))
    text = console.export_text()
    assert text.count("an attack") == 2
    assert "BROKEN" in text
    assert "differs" in text


@pytest.mark.parametrize(
    ("value", "told"),
    [(None, "–"), (0.0, "0"), (16.0 + 1e-12, "16"), (0.12345, "0.123"), (21786.0, "21,786")],
)
def test_figures_are_short(value: float | None, told: str) -> None:
    assert shown(value) == told


def test_intervals_and_verdicts_in_words() -> None:
    assert between(exactly(0.0)) == "exact"
    assert between(Interval(low=1.0, high=1.0)) == "1 to 1"
    assert verdict(a_finding(documented=True)) == "succeeds, as documented"
    assert verdict(a_finding(documented=True, holds=False)) == "NO LONGER SUCCEEDS"


def test_a_door_that_lets_one_through_is_open() -> None:
    shut = at_the_door(WORDS, {"a": refuses, "b": refuses}, control="honest", honest=lambda: None)
    assert shut.passed
    assert shut.details["a"] == "refused: not today"
    ajar = at_the_door(
        WORDS, {"a": refuses, "b": lambda: None}, control="honest", honest=lambda: None
    )
    assert not ajar.holds
    assert ajar.figure == 0.5
    assert ajar.details["b"] == "GOT THROUGH"


def test_a_door_that_refuses_everybody_proves_nothing() -> None:
    found = at_the_door(WORDS, {"a": refuses}, control="honest", honest=refuses)
    assert found.holds
    assert not found.control.fired
    assert not found.passed


def test_a_fault_is_no_refusal() -> None:
    def fails() -> None:
        raise KeyError("a bug")

    with pytest.raises(KeyError):
        at_the_door(WORDS, {"a": fails}, control="honest", honest=lambda: None)
