"""Why each task has the share of the budget that it has, in a sentence for people."""

from collections.abc import Mapping
from typing import Final

from consent.tasks.names import TaskName
from crypto.dp.plan import PrivacyPlan
from server.runs import cost

_WHY: Final = {
    TaskName.POPULARITY: (
        "every shopper's whole shelf speaks for a few hundred items or more, so it stands much "
        "noise, and the tasks after it are planned from it"
    ),
    TaskName.RECENT_POPULARITY: (
        "what is bought now moves a list most after her own habit, and few baskets say it"
    ),
    TaskName.ITEM_ITEM: "its signal is spread over very many pairs, so it stands the least noise",
    TaskName.FACTORS: "a few tastes of each listed item, sharper with every round",
    TaskName.RANKER: "few weights, each felt in every list",
    TaskName.EVALUATION: "a few figures over everybody, each with its interval",
    TaskName.FAIRNESS: "groups are small, so their figures stand little noise",
}


def reasons(
    plans: Mapping[TaskName, PrivacyPlan],
    *,
    defaults: Mapping[TaskName, float],
    weights: Mapping[TaskName, float],
    left_out: Mapping[TaskName, str],
) -> dict[TaskName, str]:
    """A sentence for each task that runs.

    Args:
        plans: what runs, calibrated.
        defaults: the shipped shares of the budget.
        weights: this plan's.
        left_out: what does not run, whose shares went to the others.
    """
    whole = sum(weights[name] for name in plans)
    return {
        name: _sentence(name, plan, weights[name] / whole, defaults, weights, left_out)
        for name, plan in plans.items()
    }


def _sentence(
    name: TaskName,
    plan: PrivacyPlan,
    share: float,
    defaults: Mapping[TaskName, float],
    weights: Mapping[TaskName, float],
    left_out: Mapping[TaskName, str],
) -> str:
    if not plan.private:
        return "Privacy is off: no budget is split."
    source = "by default" if defaults.get(name) == weights[name] else "as this plan says"
    why = f": {_WHY[name]}" if name in _WHY else ""
    freed = f" ({', '.join(left_out)} left its share to the others)" if left_out else ""
    return f"{share:.0%} of μ² {source}{freed}{why}. {_rounds(plan)}"


def _rounds(plan: PrivacyPlan) -> str:
    noise = f"z = {plan.noise_multiplier:.3g}"
    if plan.rounds == 1:
        return f"One round with {noise}."
    paid = len(plan.releases())
    if plan.bands > 1:
        how = (
            f"noise of {plan.bands} bands that cancels over rounds; each shopper takes part once "
            f"in {plan.separation}, so {paid} count"
        )
    elif plan.sampling_rate < 1:
        how = f"a coin on each device leaves her out of all but {plan.sampling_rate:.0%} of them"
    elif plan.separation > 1:
        how = f"each shopper takes part once in {plan.separation}, so {paid} count"
    else:
        how = "composed as they are: over so few, bands or sampling gain nothing"
    return f"{plan.rounds} rounds with {noise} each, μ² = {cost(plan):.4g}/z² in all: {how}."
