"""Documents stay true: links lead somewhere, commands exist, and the cheap examples run."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import typer.main
from typer.testing import CliRunner

from client.cli import app as device_app
from client.store.cli import app as store_app
from consent.cli import app as consent_app
from crypto.keyholder.cli import app as keyholder_app
from server.cli import app as coordinator_app
from simulations.cli import app as research_app
from tests.unit.simulations import layouts

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)#]+?)(?:#[^)]*)?\)")
PARTIES = {
    "consent": consent_app,
    "coordinator": coordinator_app,
    "device": device_app,
    "keyholder": keyholder_app,
    "store": store_app,
}


def _commands(document: Path) -> Iterator[str]:
    for block in re.findall(r"```console\n(.*?)```", document.read_text(), flags=re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("$ "):
                yield line[2:].strip()


EXAMPLES = [
    pytest.param(document, command, id=f"{document.name}: {command[:60]}")
    for document in DOCUMENTS
    for command in _commands(document)
]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_to_files(document: Path) -> None:
    for target in LINK.findall(document.read_text()):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (document.parent / target).exists(), f"{document}: {target}"


@pytest.mark.parametrize(("document", "command"), EXAMPLES)
def test_commands_and_their_options_exist(document: Path, command: str) -> None:
    words = shlex.split(command)
    if words[0] == "make":
        targets = (ROOT / "Makefile").read_text()
        assert all(re.search(rf"^{word}:", targets, re.MULTILINE) for word in words[1:])
    if words[0] == "fedcart":
        found, rest = _resolve(words[1:])
        known = {name for parameter in found.params for name in parameter.opts}
        known |= {name for parameter in found.params for name in parameter.secondary_opts}
        for word in rest:
            assert not word.startswith("--") or word.split("=")[0] in known, f"{document}: {word}"


def _resolve(words: list[str]) -> tuple[click.Command, list[str]]:
    app = PARTIES.get(words[0], research_app)
    command: click.Command = typer.main.get_command(app)
    rest = words[1:] if words[0] in PARTIES else words
    while isinstance(command, click.Group):
        assert rest, f"incomplete: {words}"
        assert rest[0] in command.commands, f"no command {rest[0]} in {words}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def test_the_first_try_of_the_readme_runs(tmp_path: Path) -> None:
    tried = [c for c in _commands(ROOT / "README.md") if "data.source=synthetic" in c]
    assert len(tried) == 1
    words = shlex.split(tried[0])[1:]
    words[words.index("--out") + 1] = str(tmp_path / "first")
    result = CliRunner().invoke(research_app, words)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "first" / "metrics.json").is_file()
    page = (tmp_path / "first" / "report.html").read_text()
    assert page.startswith("<!doctype html>")


@pytest.mark.parametrize("data", layouts.commands())
def test_the_layouts_of_the_data_page_run(
    data: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for make in (*layouts.RATINGS.values(), *layouts.LOGS.values()):
        make(tmp_path)
    monkeypatch.chdir(tmp_path)
    for words in layouts.commands()[data]:
        result = CliRunner().invoke(research_app, words)
        assert result.exit_code == 0, result.output
    assert (tmp_path / data / "dataset.json").is_file()


def test_the_figures_of_the_readme_are_those_of_the_recorded_run() -> None:
    record = json.loads((ROOT / "benchmarks" / "demo.json").read_text())
    rows = {
        cells[0].strip("* ").split(", no privacy")[0]: [cell.strip("* ") for cell in cells[1:]]
        for line in (ROOT / "README.md").read_text().splitlines()
        if line.startswith("| ") and line.count("|") == 5
        if (cells := [cell.strip() for cell in line.strip("|").split("|")])
    }
    for model, values in record["quality"]["next-basket"].items():
        low, high = values["ndcg@10_ci"]
        assert rows[model] == [
            f"{values['ndcg@10']:.3f} ({low:.3f} to {high:.3f})",
            f"{values['recall@10']:.3f}",
            f"{values['recall_explore@10']:.3f}",
        ]


def test_what_privacy_costs_is_what_the_recorded_evaluation_says() -> None:
    told = (ROOT / "README.md").read_text()
    for name, budget, rival in (
        ("evaluation", "fedcart, epsilon 1", "LightGBM LambdaRank"),
        ("evaluation", "fedcart, epsilon 4", "LightGBM LambdaRank"),
        ("evaluation", "fedcart, epsilon 1", "TIFU-KNN"),
        ("evaluation-context", "fedcart, epsilon 1", "LightGBM LambdaRank"),
        ("evaluation-context", "fedcart, epsilon 1", "TIFU-KNN"),
    ):
        record = json.loads((ROOT / "benchmarks" / f"{name}.json").read_text())
        assert record["stage"] == "test"
        (compared,) = record["comparisons"].values()
        (one,) = (
            each
            for each in compared
            if (each["first"], each["second"], each["metric"]) == (budget, rival, "ndcg@10")
        )
        low, high = (100 * end for end in one["relative_ci"])
        assert f"{100 * one['relative']:+.2f} % (" in told
        assert f"{low:+.2f} to {high:+.2f})" in told


def test_the_benchmark_table_is_the_recorded_one() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text()
    lines = (ROOT / "benchmarks" / "sums.jsonl").read_text().splitlines()
    measured = [entry for entry in map(json.loads, lines) if "ratio" not in entry]
    assert len(measured) == 6
    rows = [line.split(" | ") for line in text.splitlines()]
    table = {cells[0].strip("| "): cells[1:] for cells in rows if len(cells) == 5}
    for place, entry in enumerate(entry for entry in measured if entry["dim"] == 131_072):
        for row, name in (
            ("seal, s per million values", "seal"),
            ("add, s per million values and client", "add"),
            ("open a sum, s per million values", "open"),
        ):
            assert table[row][place].strip("| ") == f"{entry[name]:.2g}", (row, entry)
        size = table["bytes a value that a client sends"][place].strip("| ")
        assert float(size) == pytest.approx(entry["bytes_per_value"], abs=0.05)


def test_the_audit_table_is_the_recorded_one() -> None:
    record = json.loads((ROOT / "benchmarks" / "audit.json").read_text())
    text = (ROOT / "benchmarks" / "README.md").read_text()
    assert f"{len(record['findings'])} attacks in {record['seconds']:.0f} s" in text
    assert record["passed"]
    assert all(each["holds"] and each["control"]["fired"] for each in record["findings"])


def _load(records: list[dict[str, Any]]) -> dict[str, str]:
    """Milliseconds by part as the table shows them: median / 99th percentile, or the largest."""
    found = {"seed, in seconds": f"{records[0]['seconds']:.0f}"}
    for part in ("bulk check", "single check", "withdrawal"):
        (line,) = [each for each in records if each["part"] == part]
        found[part] = f"{line['p50_ms']:.1f} / {line['p99_ms']:.1f}"
    for role in ("shopper", "operator"):
        pages = [each for each in records if each["part"] == "page" and each["role"] == role]
        slowest = max(pages, key=lambda each: each["p99_ms"])
        found[f"slowest page of {len(pages)}, {role}"] = (
            f"{slowest['p50_ms']:.1f} / {slowest['p99_ms']:.1f} (`{slowest['path']}`)"
        )
    commits = [each["milliseconds"] for each in records if each["part"] == "commit"]
    found["commit"] = f"{max(commits):,.0f}"
    return found


def test_the_load_table_is_the_recorded_one() -> None:
    lines = (ROOT / "benchmarks" / "consent.jsonl").read_text().splitlines()
    runs: dict[str, list[dict[str, Any]]] = {}
    for record in map(json.loads, lines):
        runs.setdefault(f"{record['database']}, {record['shoppers']:,}", []).append(record)
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in (ROOT / "benchmarks" / "README.md").read_text().splitlines()
        if line.startswith("| ")
    ]
    (header,) = [row for row in rows if row[1:] == list(runs)]
    for column, records in enumerate(runs.values(), start=1):
        for part, shown in _load(records).items():
            found = [row[column] for row in rows if row[0] == part and len(row) == len(header)]
            assert found == [shown], part
