"""``fedcart data import``: what it prints, what it exits with, and the example in docs/data.md."""

import json
import re
import shlex
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from simulations.population import storage
from simulations.population.cli import app

OPTIONS = ["--shopper", "who", "--item", "what", "--time", "when", "--store", "where"]
DOCS = Path(__file__).parents[3] / "docs" / "data.md"


def _text() -> str:
    lines = [f"s{i:02d},tea,2024-01-01,big" for i in range(24)]
    return "\n".join(["who,what,when,where", *lines]) + "\n"


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    path = tmp_path / "shop.csv"
    path.write_text(_text())
    return path


def _run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, ["import", *map(str, arguments)])


def test_the_command_prints_json(shop: Path, tmp_path: Path) -> None:
    result = _run(shop, *OPTIONS, "--out", tmp_path / "data", "--name", "corner", "--json")
    assert result.exit_code == 0
    printed = json.loads(result.stdout)
    assert (printed["name"], printed["shoppers"], printed["silos"]) == ("corner", 24, 1)
    assert result.stderr == ""


def test_the_command_prints_a_table(shop: Path, tmp_path: Path) -> None:
    result = _run(shop, *OPTIONS, "--out", tmp_path / "data")
    assert result.exit_code == 0
    assert "Median baskets a shopper" in result.stdout


def test_the_command_names_what_it_left_out(shop: Path, tmp_path: Path) -> None:
    shop.write_text(_text() + "s99,tea,never,big\n")
    result = _run(shop, *OPTIONS, "--out", tmp_path / "data", "--skip-bad", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["skipped"] == 1
    assert "Left out line 26: column 'when' is 'never'" in result.stderr


def test_wrong_input_exits_with_two(shop: Path, tmp_path: Path) -> None:
    result = _run(shop, *OPTIONS, "--price", "cost", "--out", tmp_path / "data")
    assert result.exit_code == 2
    assert "no column 'cost'" in result.stderr
    assert _run(shop, "--out", tmp_path / "data").exit_code == 2


def test_a_basket_log_and_an_item_table_need_no_code(tmp_path: Path) -> None:
    log, items = tmp_path / "log.jsonl", tmp_path / "items.csv"
    log.write_text(
        '{"u": "ann", "n": 1, "b": ["milk", "tea"]}\n{"u": "ann", "n": 2, "b": ["milk"]}\n'
    )
    items.write_text("id,kind\nmilk,dairy\ntea,hot|leaf\n")
    words = ["--shopper", "u", "--item", "b", "--time", "n", "--time-format", "number"]
    table: list[str | Path] = ["--item-table", items, "--item-columns", "item=id,category=kind"]
    result = _run(log, *words, *table, "--out", tmp_path / "data", "--json")
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["baskets"] == 2
    population = storage.load_population(tmp_path / "data")
    assert population.catalogue.categories == ("dairy", "hot")
    assert population.catalogue.attributes == {"category": (("dairy",), ("hot", "leaf"))}
    result = _run(log, *words, "--list-all", "--out", tmp_path / "more")
    assert result.exit_code == 2
    assert "belong to --item-table" in result.stderr


def test_a_failing_disk_exits_with_one(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(storage, "_write_events", full)
    result = _run(shop, *OPTIONS, "--out", tmp_path / "data")
    assert result.exit_code == 1
    assert "No space left" in result.stderr
    assert not (tmp_path / "data").exists()


def test_the_example_in_the_docs_gives_what_the_docs_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = DOCS.read_text()
    [table] = re.findall(r"```csv\n(.*?)```", text, re.DOTALL)
    [(command, printed)] = re.findall(r"```console\n\$ (.*?[^\\])\n(\{.*?)```", text, re.DOTALL)
    words = shlex.split(command.replace("\\\n", " "))
    assert words[:3] == ["fedcart", "data", "import"]
    (tmp_path / words[3]).write_text(table)
    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(app, words[2:])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout) == json.loads(printed)
