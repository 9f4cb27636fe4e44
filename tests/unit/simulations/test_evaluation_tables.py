"""Tables for a terminal of 80 columns: nothing is cut, nothing is said twice, names are plain."""

from io import StringIO
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from simulations.evaluation.published import LEAK, LEAVE_ONE_OUT
from simulations.evaluation.tables import quality_table

COLUMNS = {f"m{n}@10": f"metric {n}" for n in range(11)} | {"ndcg@10": "NDCG@10"}
MODELS = ("LightGBM LambdaRank", "fedcart, epsilon 0.5, noise as for 1,000,000 shoppers")


def compared(second: str) -> dict[str, Any]:
    return {
        "first": MODELS[1],
        "second": second,
        "metric": "ndcg@10",
        "mean": -0.0123,
        "ci": [-0.0234, -0.0012],
        "p": 0.0001,
        "p_holm": 0.0123,
        "relative": -1.123,
        "relative_ci": [-2.234, -1.012],
    }


def a_record(name: str = "shop[1] [red]x") -> dict[str, Any]:
    values = {
        key: value for m in COLUMNS for key, value in {m: 0.1234, f"{m}_ci": [0.111, 0.135]}.items()
    }
    view = "leave-one-out validation, negatives"
    return {
        "protocol": "leave-one-out",
        "dataset": {
            "name": name,
            "shoppers": 12,
            "items": 34,
            "evaluated": 11,
            "minimum_baskets": 3,
        },
        "privacy": {"noise_draws": 5},
        "columns": COLUMNS,
        "quality": {view: dict.fromkeys(MODELS, values)},
        "comparisons": {view: [compared("LightGBM LambdaRank"), compared("fedcart, no noise")]},
        "tuning": {
            "TIFU-KNN": {
                "source": "Hu et al. 2020",
                "chosen": {"neighbours": 300, "group": 7, "within": 0.95, "across": 0.7},
                "tried": [1, 2],
            }
        },
        "checks": {
            "leak probe": {
                "hr@10": 0.1,
                "hr@10_ci": [0.09, 0.11],
                "chance": 0.1,
                "limit": 0.12,
                "control": 1.0,
                "holds": True,
            }
        },
        "published": list(LEAVE_ONE_OUT),
    }


def printed(record: dict[str, Any], width: int) -> str:
    out = StringIO()
    Console(width=width, file=out).print(quality_table(record))
    return out.getvalue()


@pytest.mark.parametrize("width", [80, 120, 240])
def test_every_figure_and_every_word_stands_whole(width: int) -> None:
    text = printed(a_record(), width)
    assert max(map(cell_len, text.splitlines())) <= width
    words = set(text.replace(",", " ").split())
    assert {"LambdaRank", "neighbours", "difference", "relative", "0.111–0.135"} <= words
    assert "…" not in text
    assert text.count("0.1234") == len(COLUMNS) * len(MODELS)
    assert text.count("-0.0234 to -0.0012") == 2
    assert text.count("-223.4% to -101.2%") == 2


def test_metrics_that_do_not_fit_stand_below_and_the_caption_once() -> None:
    for width, tables in ((240, 1), (80, 4)):
        text = printed(a_record(), width)
        assert text.count("┃ model ") == tables + 2  # and what was tuned, and what was published
        assert text.count("with at least 3 different items") == 1
        assert text.count("shop[1] [red]x, leave-one-out") == 1


def test_what_two_figures_share_is_said_once_by_number() -> None:
    text = printed(a_record(), 80)
    flat = " ".join(text.split())
    assert flat.count(LEAK) == 1
    assert "MovieLens 1M has 6,040 shoppers and 3,706 items; shop[1] [red]x has 12 and 34" in flat
    table = text[text.index("Published by others") :]
    assert len(table.splitlines()) < 18
    assert [line.split("│")[-2].strip() for line in table.splitlines() if "0.7" in line] == [
        "1",
        "2",
    ]
