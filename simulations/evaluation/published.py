"""Published figures to read beside a leave-one-out run, with what is known about how they came.

They are of one data set, and hardly ever of the one at hand: whoever shows them says so.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

DATASET: Final = "MovieLens 1M"
# Its raters and films, and how many negatives a held-out film competes with.
SHOPPERS, ITEMS, NEGATIVES = 6_040, 3_706, 99

LEAK = (
    "Its code draws training negatives from the items outside all interactions, the held-out one "
    "included, so that item is never a negative. Counting how often an item was drawn then finds "
    "it without learning anything (see the leak probe). Not comparable."
)
SETTING = f"{DATASET}, {NEGATIVES} negatives, as published; not measured here"

LEAVE_ONE_OUT: tuple[dict[str, Any], ...] = (
    {
        "model": "FedMF",
        "source": "as reported with PFedRec (Zhang et al. 2023)",
        "setting": SETTING,
        "hr@10": 0.677,
        "ndcg@10": 0.409,
        "federated": True,
        "private": False,
        "note": LEAK,
    },
    {
        "model": "PFedRec",
        "source": "Zhang et al. 2023",
        "setting": SETTING,
        "hr@10": 0.733,
        "ndcg@10": 0.444,
        "federated": True,
        "private": False,
        "note": LEAK,
    },
    {
        "model": "MF, 192 dimensions",
        "source": "Rendle et al. 2020",
        "setting": SETTING,
        "hr@10": 0.729,
        "ndcg@10": 0.452,
        "federated": False,
        "private": False,
        "note": "Centralised.",
    },
)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """The figures as a reader sees them.

    Attributes:
        title: whose figures they are.
        remark: what they have to do with the data at hand.
        rows: each figure with the numbers of its notes.
        notes: every different note once, numbered from 1.
    """

    title: str
    remark: str
    rows: tuple[tuple[Mapping[str, Any], tuple[int, ...]], ...]
    notes: tuple[str, ...]


def shown(figures: Sequence[Mapping[str, Any]], dataset: Mapping[str, Any]) -> Shown | None:
    """Published figures beside a run on a data set; None where there are none.

    Args:
        figures: as in a record.
        dataset: of the run: its name, shoppers and items.
    """
    if not figures:
        return None
    notes = list(dict.fromkeys(one["note"] for one in figures if one["note"]))
    return Shown(
        title=f"Published by others, on {DATASET} with {NEGATIVES} negatives: not measured here",
        remark=_remark(dataset),
        rows=tuple(
            (one, (1 + notes.index(one["note"]),) if one["note"] else ()) for one in figures
        ),
        notes=tuple(notes),
    )


def _remark(dataset: Mapping[str, Any]) -> str:
    here, items = dataset["shoppers"], dataset["items"]
    if (here, items) == (SHOPPERS, ITEMS):
        return f"{dataset['name']} has as many shoppers and items as {DATASET}."
    return (
        f"{DATASET} has {SHOPPERS:,} shoppers and {ITEMS:,} items; {dataset['name']} has {here:,} "
        f"and {items:,}. Figures of two data sets can't be compared."
    )
