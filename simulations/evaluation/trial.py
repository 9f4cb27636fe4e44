"""A protocol made ready for one data set: which fold is tuned on, which is reported, and how.

Both protocols look alike from here: a model is fitted on a fold and measured in one or more views,
each a table of its own in the results.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from client.contributions.history import FloatArray, IndexArray
from simulations.evaluation.baselines import BASELINES, central_item_item, global_top
from simulations.evaluation.evaluate import Recommender
from simulations.evaluation.leak_probe import leak_probe
from simulations.evaluation.leave_one_out import LeaveOneOut
from simulations.evaluation.metrics import Scorer, measure
from simulations.evaluation.models.linear import MOST_ITEMS
from simulations.evaluation.models.registry import LEAVE_ONE_OUT, NEXT_BASKET, Rival, RivalName
from simulations.evaluation.negatives import Negatives, drawn_negatives
from simulations.evaluation.negatives_file import read_negatives
from simulations.evaluation.options import Options, Protocol
from simulations.evaluation.protocol import CONTEXT, Fold, Stage, split
from simulations.evaluation.ranks import at_cutoffs, both_ranks
from simulations.population.population import Population

# View to metric to values, shape (tested,).
Views = Mapping[str, Mapping[str, FloatArray]]
TARGET = "ndcg@10"
IN_CONTEXT = (
    "Lists are made for when and where the held-out basket was bought, as if every shopper had "
    "granted time of day and places; LambdaRank is told the same."
)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One protocol on one data set.

    Attributes:
        tuning: the validation fold.
        fold: the one that is reported; on the validation stage the same.
        measure: a fitted scorer of a fold's shoppers, in every view; the first view is tuned on.
        simple: baselines that need no tuning.
        rivals: the tuned ones that fit the protocol.
        compared: metrics whose differences are tested.
        columns: metric to its title in tables.
        checks: what the evaluation says about itself.
        notes: what a reader of the results must know.
    """

    tuning: Fold
    fold: Fold
    measure: Callable[[Scorer, Fold], Views]
    simple: Mapping[str, Recommender]
    rivals: Mapping[RivalName, Rival]
    compared: tuple[str, ...]
    columns: Mapping[str, str]
    checks: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def score(self, model: Recommender) -> float:
        """What tuning maximises: mean NDCG@10 on validation, in the first view."""
        views = self.measure(model(self.tuning), self.tuning)
        return float(np.nanmean(next(iter(views.values()))[TARGET]))


def prepare(population: Population, options: Options) -> Trial:
    """Split the data as the options ask for.

    Raises:
        InvalidInputError: nobody is eligible, or the file of negatives is of other data.
    """
    if options.protocol is Protocol.NEXT_BASKET:
        return _next_basket(population, options)
    return _leave_one_out(population, options)


def _next_basket(population: Population, options: Options) -> Trial:
    parts = split(population, minimum_baskets=options.minimum)
    view = f"{options.protocol} {options.stage}"
    tuning, fold = parts.validation, parts.test if options.stage is Stage.TEST else parts.validation
    if options.context:
        granted = dict.fromkeys(population.shoppers, CONTEXT)
        tuning, fold = tuning.in_context(granted), fold.in_context(granted)
    return Trial(
        tuning=tuning,
        fold=fold,
        measure=lambda scorer, fold: {view: measure(scorer, fold)},
        simple=_baselines(population, options),
        rivals=NEXT_BASKET,
        compared=(TARGET, "recall@10", "ndcg_explore@10", "ndcg_new@10"),
        columns={
            TARGET: "NDCG@10",
            "recall@10": "recall@10",
            "recall_repeat@10": "… repeat",
            "recall_explore@10": "… explore",
            "ndcg_explore@10": "NDCG explore",
            "ndcg_new@10": "NDCG new only",
            "phr@10": "PHR@10",
            "repeat_share@10": "repeats in list",
            "ndcg@20": "NDCG@20",
            "recall@20": "recall@20",
            "recall_explore@20": "… explore@20",
        },
        notes=(IN_CONTEXT,) if options.context else (),
    )


def _baselines(population: Population, options: Options) -> Mapping[str, Recommender]:
    """All, but for the untuned item-item model where the tuned one runs or it would take hours."""
    wanted = RivalName.EASE not in options.rivals and len(population.catalogue) <= MOST_ITEMS
    return {
        name: model for name, model in BASELINES.items() if wanted or model is not central_item_item
    }


def _leave_one_out(population: Population, options: Options) -> Trial:
    parts = LeaveOneOut(population=population, minimum_items=options.minimum)
    rng = np.random.default_rng([options.seed, 0x1E])
    if options.negatives is None:
        negatives = drawn_negatives(parts, rng=rng)
    else:
        negatives = read_negatives(options.negatives, parts)
        parts = LeaveOneOut(
            population=population, minimum_items=options.minimum, named=negatives.named
        )
    tuning, _ = negatives.restricted(parts.validation)
    fold, given = negatives.restricted(
        parts.test if options.stage is Stage.TEST else parts.validation
    )
    probe = leak_probe(fold, given, rng=rng)
    return Trial(
        tuning=tuning,
        fold=fold,
        measure=_ranker(options, negatives),
        simple={"global top": global_top},
        rivals=LEAVE_ONE_OUT,
        compared=("hr@10", TARGET),
        columns={"hr@10": "HR@10", TARGET: "NDCG@10", "hr@20": "HR@20", "ndcg@20": "NDCG@20"},
        checks={
            "leak probe": {
                "hr@10": probe.hit_rate,
                "hr@10_ci": list(probe.ci),
                "chance": probe.chance,
                "limit": probe.limit,
                "control": probe.control,
                "holds": probe.holds,
            }
        },
        notes=(_negatives_note(negatives, given), *negatives.notes, *_untested(parts, fold)),
    )


def _ranker(options: Options, negatives: Negatives) -> Callable[[Scorer, Fold], Views]:
    given_view = f"{options.protocol} {options.stage}, negatives"
    full_view = f"{options.protocol} {options.stage}, full ranking"

    def views(scorer: Scorer, fold: Fold) -> Views:
        given: list[IndexArray] = [negatives.items[shopper] for shopper in fold.tested]
        first, second = both_ranks(scorer, fold, (given, None))
        return {given_view: at_cutoffs(*first), full_view: at_cutoffs(*second)}

    return views


def _negatives_note(negatives: Negatives, given: tuple[IndexArray, ...]) -> str:
    sizes = [items.size for items in given]
    least, most = min(sizes), max(sizes)
    many = f"{least}" if least == most else f"{least} to {most}"
    named = " The file names the held-out items." if negatives.named else ""
    return f"Negatives: {many} a shopper, {negatives.origin}.{named}"


def _untested(parts: LeaveOneOut, fold: Fold) -> tuple[str, ...]:
    left = len(parts.owned) - len(fold.tested)
    said = f"{left:,} shoppers are not tested: too few items, or no negatives given for them."
    return (said,) if left else ()
