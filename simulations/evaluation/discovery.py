"""The recommender with its discovery zone as a model to evaluate: what she is shown, in order.

The first ``LIST`` places are her list, as without a zone. Then comes the zone, drawn as on a device
but from a seed, then whatever would have come next. So at 10 places nothing differs, and at 20 a
zone is compared with as many more of the same.
"""

from collections.abc import Iterable
from typing import Final

import numpy as np

from client.contributions.history import FloatArray, History
from client.recommender.discovery import DEFAULT_ZONE, Zone, draws, new_items
from client.recommender.moment import UNKNOWN, Moment
from client.recommender.openness import Breadth, slots
from client.recommender.scores import Model
from consent.tasks.artefact import Artefact
from simulations.evaluation.evaluate import Recommender
from simulations.evaluation.metrics import Scorer
from simulations.evaluation.protocol import Fold

LIST: Final = 10
# Before a model's name: the same with its zone; and what the two are compared in.
ZONED: Final = "discovery zone with "
ZONE_METRICS: Final = ("ndcg@10", "recall_explore@20", "ndcg@20")


def with_zone(
    artefacts: Iterable[Artefact],
    *,
    zone: Zone = DEFAULT_ZONE,
    breadth: Breadth = Breadth.AS_I_SHOP,
    seed: int = 0,
) -> Recommender:
    """The on-device recommender and its zone with the given artefacts."""
    given = tuple(artefacts)

    def fit(fold: Fold) -> Scorer:
        model = Model.of(fold.training.catalogue, given)

        def scores(rows: slice) -> FloatArray:
            shoppers = range(*rows.indices(len(fold.tested)))
            return np.stack(
                [
                    placed(
                        model,
                        fold.histories[fold.tested[number]],
                        fold.moment(number),
                        zone=zone,
                        breadth=breadth,
                        rng=np.random.default_rng([seed, number]),
                    )
                    for number in shoppers
                ]
            )

        return scores

    return fit


def placed(
    model: Model,
    history: History,
    moment: Moment = UNKNOWN,
    *,
    zone: Zone,
    breadth: Breadth,
    rng: np.random.Generator,
) -> FloatArray:
    """Scores in the order in which items are shown, shape (items,): the place, as a negative."""
    total = model.scores(history, moment).total
    order = np.argsort(-total, kind="stable")
    best = order[:LIST]
    ranked = new_items(total, history, model, frozenset(best.tolist()))
    count = slots(history, breadth, mean=zone.mean, most=zone.most)
    drawn = [each.item for each in draws(ranked, model.category, zone=zone, count=count, rng=rng)]
    rest = order[LIST:][~np.isin(order[LIST:], drawn)]
    shown = np.concatenate([best, np.array(drawn, dtype=np.int64), rest])
    places = np.empty(total.size)
    places[shown] = -np.arange(total.size, dtype=np.float64)
    return places
