"""Published figures to read beside a leave-one-out run, with what is known about how they came."""

from typing import Any

LEAK = (
    "Its code draws training negatives from the items outside all interactions, the held-out one "
    "included, so that item is never a negative. Counting how often an item was drawn then finds "
    "it without learning anything (see the leak probe). Not comparable."
)
SETTING = "MovieLens 1M, 99 negatives, as published; not measured here"

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
