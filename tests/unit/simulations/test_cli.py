"""The research commands, run for real on small data."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from crypto.errors import FedcartError, InvalidInputError
from simulations.cli import app
from simulations.population.synthetic import synthetic

EMBEDDED = ["--set", "engine.services=embedded", "--set", "engine.workers=0"]
SMALL = ["--set", "data.source=synthetic", "--set", "evaluation.bootstrap=100", *EMBEDDED]
KEYS = {
    "fedcart",
    "scenario",
    "seed",
    "overrides",
    "machine",
    "versions",
    "dataset",
    "privacy",
    "quality",
    "cost",
    "consent",
    "tasks",
    "left_out",
    "warnings",
}


def _invoke(*words: str) -> str:
    result = CliRunner().invoke(app, list(words), catch_exceptions=True)
    if isinstance(result.exception, FedcartError):
        raise result.exception
    assert result.exit_code == 0, result.output
    return result.output


def test_simulate_writes_the_record_of_its_run(tmp_path: Path) -> None:
    printed = _invoke("simulate", "demo", *SMALL, "--out", str(tmp_path / "run"), "--json")
    record = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert json.loads(printed) == record
    assert record.keys() == KEYS
    assert record["privacy"]["epsilon"] <= record["privacy"]["budget"] == 1.0
    assert record["privacy"]["unit"] == "shopper"
    assert record["consent"]["aggregated_after_withdrawal"] == 0
    assert 'data.source="synthetic"' in record["overrides"]
    assert record["consent"]["asked"] == record["dataset"]["shoppers"]
    assert {task["sealing"] for task in record["tasks"].values()} == {"full"}
    models = record["quality"]["next-basket"]
    for values in models.values():
        low, high = values["ndcg@10_ci"]
        assert low <= values["ndcg@10"] <= high
    assert (tmp_path / "run" / "report.html").is_file()


def test_a_run_without_privacy_says_so(tmp_path: Path) -> None:
    out = tmp_path / "open"
    printed = _invoke(
        "simulate", "demo", *SMALL, "--set", "privacy.enabled=false", "--out", str(out)
    )
    record = json.loads((out / "metrics.json").read_text())
    assert record["privacy"]["epsilon"] is None
    assert record["privacy"]["noise_multiplier"] == 0
    assert record["warnings"][0].startswith("PRIVACY IS OFF")
    assert "privacy is off" in printed.lower()


def test_a_mistyped_key_names_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"privacy\.epsilon"):
        _invoke("simulate", "demo", "--set", "privacy.epsilom=2", "--out", str(tmp_path))


def test_evaluate_runs_the_same_protocol_on_imported_data(tmp_path: Path) -> None:
    events = synthetic(shoppers=50, items=30, stores=1, seed=4).events
    file = tmp_path / "till.csv"
    with file.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["who", "what", "when", "visit"])
        for row in zip(events.shopper, events.item, events.time, events.basket, strict=True):
            writer.writerow(row)
    columns = ["--shopper", "who", "--item", "what", "--time", "when", "--basket", "visit"]
    _invoke("data", "import", str(file), *columns, "--out", str(tmp_path / "shop"))
    found = json.loads(_invoke("evaluate", str(tmp_path / "shop"), "--epsilon", "4", "--json"))
    (protocol, models), *_ = found["quality"].items()
    assert protocol.startswith("next-basket")
    assert {"global top", "personal top", "personal + global top"} < models.keys()
    assert {task["sealing"] for task in found["tasks"].values()} == {"none"}
    table = _invoke("evaluate", str(tmp_path / "shop"), "--epsilon", "0")
    assert "NDCG@10" in table


def test_evaluate_refuses_unknown_protocols() -> None:
    with pytest.raises(InvalidInputError, match="next-basket"):
        _invoke("evaluate", "complete-journey", "--protocol", "leave-two-out")


def test_bench_sums_prints_one_object_a_scheme_and_a_ratio() -> None:
    printed = _invoke("bench", "sums", "--dimension", "16384", "--clients", "4").splitlines()
    lines = [json.loads(line) for line in printed]
    measured = [line for line in lines if "ratio" not in line]
    assert [(line["scheme"], line.get("noise")) for line in measured] == [
        ("compact-sum", "set-a"),
        ("compact-sum", "set-b"),
        ("share-sum", None),
        ("ckks-8192-60-40-40", None),
    ]
    set_a, set_b, share, ckks = (line["bytes_per_value"] for line in measured)
    assert set_b < set_a < share < ckks
    assert set_a == pytest.approx(4 + 22_700 / 16_384, abs=0.05)  # envelopes, header and one grant
    for line in measured:
        assert all(line[step] > 0 for step in ("seal", "add", "open"))
    assert all(line["holder_ms"] > 0 for line in measured[:2])
    ratios = [line for line in lines if "ratio" in line]
    assert [line["bytes_per_value"] > 1 for line in ratios] == [True] * 3
