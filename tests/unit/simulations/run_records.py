"""Run records to report on, ways to spoil them, and a strict reading of the page."""

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from simulations.report.page import render

HOSTILE = "<script>alert('x')</script>\"&"
VOID = {"meta", "br", "link", "img", "input", "hr"}
Json = dict[str, Any]
Spoil = Callable[[Json], None]


def a_task(epsilon: float) -> Json:
    return {
        "epsilon": epsilon,
        "sealing": "full",
        "scheme": "share-sum",
        "dim": 2368,
        "noise_multiplier": 7.0,
        "noise_stddev": 7.615,
        "clients": 653,
        "shoppers": 2158,
        "seconds": 22.3,
        "seconds_by_phase": {"select": 0.1, "contribute": 21.4, "open": 0.8},
        "bytes_up_per_client": 237510,
        "bytes_per_value": 78.5,
        "declined": {"failed: no reply": 10},
        "resealed": 1,
        "dropped_at_commit": 2,
        "opened_by": [1, 3],
    }


def scores(**means: float) -> Json:
    values: Json = {}
    for name, mean in means.items():
        for cutoff in (10, 20):
            values[f"{name}@{cutoff}"] = mean
            values[f"{name}@{cutoff}_ci"] = [mean * 0.9, mean * 1.1]
    return values


def a_record() -> Json:
    ours = scores(ndcg=0.2628, recall=0.2226, recall_repeat=0.3495, recall_explore=0.007)
    ours |= {
        "ndcg@10 minus personal + global top": 0.0112,
        "ndcg@10 minus personal + global top_ci": [0.0073, 0.0156],
    }
    return {
        "fedcart": "0.1.0",
        "scenario": "demo",
        "seed": 7,
        "dataset": {
            "name": "corner",
            "note": "Made up.",
            "shoppers": 2467,
            "items": 2368,
            "interactions": 1446056,
            "clients": 761,
            "stores": 62,
            "devices": 699,
            "evaluated": 2259,
        },
        "privacy": {
            "epsilon": 0.99993,
            "delta": 1e-5,
            "unit": "shopper",
            "adjacency": "zero-out",
            "accountant": "an accountant",
            "noise_multiplier": 4.0456,
            "clipping_norm": 1.0,
            "min_cohort": 565,
            "max_colluders": 11,
            "rounds": 2,
            "budget": 1.0,
        },
        "quality": {
            "next-basket": {
                "global top": scores(
                    ndcg=0.1624, recall=0.1305, recall_repeat=0.1926, recall_explore=0.0326
                ),
                "personal + global top": scores(
                    ndcg=0.2516, recall=0.211, recall_repeat=0.3392, recall_explore=0.0
                ),
                "fedcart": ours,
            }
        },
        "cost": {
            "seconds": 88.3,
            "seconds_by_phase": {"start": 2.6, "train": 52.8, "load": 2.9, "evaluate": 30.0},
            "clients_per_second": 29.0,
            "bytes_up_per_client": 476356,
            "bytes_per_value": 78.5,
            "peak_rss_mb": 1504.2,
        },
        "consent": {
            "asked": 2467,
            "granted": 2191,
            "refused": 276,
            "personalising": 2320,
            "withdrawn_before_commit": 10,
            "aggregated_after_withdrawal": 0,
        },
        "tasks": {"popularity": a_task(0.5512), "recent-popularity": a_task(0.8024)},
        "left_out": {"item-item": "Too little signal."},
        "warnings": ["item-item: Too little signal.", "Made up."],
    }


def a_household() -> Json:
    return {
        "shopper": "319",
        "choices": [
            {"purpose": "train-shared-models", "category": "purchases", "decision": "given"}
        ],
        "left": [
            {
                "task": "popularity",
                "round": "1-popularity",
                "values": 2368,
                "sealed_bytes": 185856,
                "others": 2157,
                "epsilon": 0.5512,
                "noise_stddev": 7.6,
                "clipping_norm": 1.0,
                "opened_by": [1, 3],
            }
        ],
        "stayed": {
            "lines": 853,
            "baskets": 47,
            "first": "2017-01-14",
            "last": "2017-12-16",
            "stores": 3,
            "favourites": [{"item": HOSTILE, "baskets": 13}],
        },
        "recommendations": [
            {
                "item": HOSTILE,
                "category": "MILK",
                "score": 5.2,
                "reason": f"You bought {HOSTILE}.",
                "parts": [
                    {"kind": "habit", "value": 3.0},
                    {"kind": "popular", "value": 3.0},
                    {"kind": "liked", "value": -0.8},
                ],
            }
        ],
    }


def folder(at: Path, record: Json | None = None, household: Json | None = None) -> Path:
    at.mkdir()
    (at / "metrics.json").write_text(json.dumps(a_record() if record is None else record))
    (at / "household.json").write_text(json.dumps(household))
    return at


class Page(HTMLParser):
    """The page's elements; fails where a tag is left open or closed out of turn."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str]]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open, self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), (tag, names)
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID and self.get_starttag_text()[-2:] != "/>":  # type: ignore[index]
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, tag

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text += data

    def all(self, tag: str, kind: str = "") -> list[dict[str, str]]:
        return [
            attributes
            for name, attributes in self.elements
            if name == tag and (not kind or kind in attributes.get("class", "").split())
        ]


def page(tmp_path: Path, *runs: Path) -> Page:
    out = render(list(runs), tmp_path / "made" / "report.html")
    return Page(out.read_text(encoding="utf-8"))


def percent(text: str) -> float:
    assert text.endswith("%"), text
    return float(text[:-1])


def no_noise(record: Json) -> None:
    record["privacy"] |= {"epsilon": None, "budget": None, "noise_multiplier": 0.0}


def one_task_without_bound(record: Json) -> None:
    record["tasks"]["popularity"]["epsilon"] = None


def only_a_warning(record: Json) -> None:
    record["warnings"].append("PRIVACY IS OFF: the sums carry no noise.")


def unsealed(record: Json) -> None:
    record["tasks"]["popularity"]["sealing"] = "none"


def equivalent(record: Json) -> None:
    record["tasks"]["popularity"]["sealing"] = "equivalent"


def dishonoured(record: Json) -> None:
    record["consent"]["aggregated_after_withdrawal"] = 1


def over_budget(record: Json) -> None:
    record["privacy"]["epsilon"] = 1.2


ALARMS: dict[Spoil, str] = {
    no_noise: "Privacy is off",
    one_task_without_bound: "Privacy is off",
    only_a_warning: "Privacy is off",
    unsealed: "Not sealed",
    equivalent: "Not sealed",
    dishonoured: "Withdrawals were not honoured",
    over_budget: "Over budget",
}
