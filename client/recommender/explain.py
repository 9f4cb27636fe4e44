"""Why an item is on the list, in plain English, from the parts of its score and nothing else."""

from client.recommender.recommend import Part, PartKind, Recommendation
from consent.tasks.catalogue import Catalogue

# A second part is told as well when it makes up at least this share of the score.
WORTH_TELLING = 0.2


def reason(recommendation: Recommendation, catalogue: Catalogue) -> str:
    """One sentence that names the largest part, and the next where it weighs enough."""
    told = sorted((p for p in recommendation.parts if p.value > 0), key=lambda part: -part.value)
    clauses = [
        clause
        for place, part in enumerate(told)
        if place == 0 or part.value >= WORTH_TELLING * recommendation.score
        if (clause := _clause(part, recommendation.item, catalogue))
    ][:2]
    if not clauses:
        return "It fits what you buy."
    sentence = ", and ".join(clauses)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _clause(part: Part, item: int, catalogue: Catalogue) -> str:
    match part.kind:
        case PartKind.HABIT:
            return _habit(part.evidence)
        case PartKind.POPULAR:
            return "it is popular with other shoppers"
        case PartKind.PAIRED:
            names = " and ".join(catalogue.items[i] for i in part.evidence)
            return f"it is often bought by people who buy {names}, as you do" if names else ""
        case PartKind.LIKED:
            category = catalogue.categories[item]
            return f"it is new to you in a category you like ({category})"


def _habit(evidence: tuple[int, ...]) -> str:
    times, window = evidence
    if times == 0:
        return "you used to buy it"
    if window == 1:
        return "you bought it in your last basket"
    return f"you bought it in {times} of your last {window} baskets"
