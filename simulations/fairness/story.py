"""A fairness audit in words, for somebody who reads no intervals. Both sides are always said."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rich.table import Table
from rich.text import Text

from consent.tasks.estimate import Estimate
from consent.tasks.fairness import FAIR_RATIO, FairnessArtefact, GroupFinding, Verdict
from simulations.report import words

VERDICTS: Final[Mapping[Verdict, str]] = {
    Verdict.BELOW: f"below {100 * FAIR_RATIO:.0f} % of the mean, surely",
    Verdict.WORSE: "worse than the mean, surely; by how much is open",
    Verdict.BETTER: "better than the mean, surely",
    Verdict.FAIR: f"above {100 * FAIR_RATIO:.0f} % of the mean, surely",
    Verdict.NOT_SHOWN: "no gap shown; one of 5 % would probably have been",
    Verdict.NOT_SEEABLE: "no gap shown, and one of 5 % could have been missed",
}
ALARMING: Final = frozenset({Verdict.BELOW, Verdict.WORSE})
GAP: Final = 1 - FAIR_RATIO
# Stands in for a mean of 0, over which no share can be had: every gap is then far out of sight.
LEAST_MEAN: Final = 1e-9
NOBODY: Final = (
    "No group is large enough to be reported. This audit says nothing about fairness, neither good "
    "nor bad."
)


@dataclass(frozen=True, kw_only=True)
class Named:
    """A group's finding with its name, and the mean that it is compared with."""

    attribute: str
    group: str
    finding: GroupFinding
    mean: Estimate

    @property
    def name(self) -> str:
        """As in "age 35-44"."""
        return f"{words.spaced(self.attribute)} {self.group}"

    @property
    def detectable(self) -> float:
        """The smallest gap that would probably have been shown, as a share of the mean."""
        return self.finding.detectable / max(self.mean.value, LEAST_MEAN)


def groups_of(found: FairnessArtefact) -> tuple[Named, ...]:
    """Every reported group."""
    return tuple(
        Named(attribute=attribute, group=group, finding=finding, mean=each.mean["ndcg"])
        for attribute, each in found.attributes.items()
        for group, finding in each.groups.items()
    )


def headline(found: FairnessArtefact) -> tuple[str, ...]:
    """What the audit found, and what it could not have found."""
    groups = groups_of(found)
    if not groups:
        return (NOBODY,)
    return (_who(found, groups), _shown(groups), *_look(groups), _seeable(groups))


def table(found: FairnessArtefact) -> Table:
    """The groups for a reader at a terminal."""
    made = Table(
        title="By group: NDCG over the mean of all",
        caption="ratio: 1 is served like everybody. sure for all: the interval that holds for all "
        "groups at once. gap seen: the smallest, as a share of the mean, that would have been "
        f"shown with 80{words.PERCENT} probability.",
        title_justify="left",
        caption_justify="left",
    )
    made.add_column("group", no_wrap=True)
    for title in ("shoppers", "ratio", "sure for all", "gap seen"):
        made.add_column(title, justify="right", no_wrap=True)
    made.add_column("verdict", no_wrap=True)
    for each in groups_of(found):
        figures = each.finding.figures
        made.add_row(
            Text(each.name),  # a name is never read as markup
            f"{figures['shoppers'].value:,.0f}",
            f"{figures['ratio'].value:.2f}",
            f"{figures['ratio_sure'].low:.2f}–{figures['ratio_sure'].high:.2f}",
            percent(each.detectable),
            words.spaced(each.finding.verdict),
            style="bold red" if each.finding.verdict in ALARMING else None,
        )
    return made


def _who(found: FairnessArtefact, groups: Sequence[Named]) -> str:
    shoppers = [each.mean["shoppers"].value for each in found.attributes.values() if each.groups]
    small = sum(len(each.too_small) for each in found.attributes.values())
    left = f" {words.plural(small, 'group')} of too few shoppers is not reported." if small else ""
    if small > 1:
        left = f" {words.count(small)} groups of too few shoppers are not reported."
    return (
        f"{words.between([round(value) for value in shoppers])} shoppers stated an attribute and "
        f"were audited, in {words.plural(len(groups), 'group')} of "
        f"{words.plural(len(shoppers), 'attribute')}.{left}"
    )


def _shown(groups: Sequence[Named]) -> str:
    below = [each.name for each in groups if each.finding.verdict is Verdict.BELOW]
    worse = [each.name for each in groups if each.finding.verdict is Verdict.WORSE]
    if below:
        told = f"The recommender surely serves {words.listed(below)} below {percent(FAIR_RATIO)}"
        return f"{told} of the mean{_also(worse)}."
    if worse:
        return (
            f"The recommender surely serves {words.listed(worse)} worse than the mean; whether "
            f"below {percent(FAIR_RATIO)} of it is open."
        )
    return (
        "For no group is it shown that the recommender serves it worse than the mean. That is not "
        "the same as fair: see what could have been seen."
    )


def _also(worse: Sequence[str]) -> str:
    return f", and {words.listed(worse)} worse than the mean" if worse else ""


def _look(groups: Sequence[Named]) -> tuple[str, ...]:
    """Groups whose figure lies below the bound without being sure, the worst first."""
    low = sorted(
        (
            each
            for each in groups
            if each.finding.figures["ratio"].value < FAIR_RATIO
            and each.finding.verdict not in ALARMING
        ),
        key=lambda each: each.finding.figures["ratio"].value,
    )
    if not low:
        return ()
    worst = low[0]
    sure = worst.finding.figures["ratio_sure"]
    many = words.plural(len(low), "group")
    told = (
        f"The figures of {many} lie below {percent(FAIR_RATIO)} of the mean, which can be luck: "
        f"the lowest is {worst.name} at {_ratio(sure.value)}, and everything from "
        f"{_ratio(sure.low)} to {_ratio(sure.high)} fits what was measured."
    )
    return (told,)


def _seeable(groups: Sequence[Named]) -> str:
    able = [each for each in groups if each.detectable <= GAP]
    best, worst = (side(groups, key=lambda each: each.detectable) for side in (min, max))
    reach = (
        f"from {percent(best.detectable)} ({best.name}) to {percent(worst.detectable)} "
        f"({worst.name})"
    )
    if len(able) == len(groups):
        return (
            f"A gap of {percent(GAP)} of the mean would probably have been seen in every group: "
            f"the smallest that this audit sees with 80{words.PERCENT} probability are {reach}."
        )
    some = "no" if not able else f"only {len(able)} of {len(groups)}"
    ending = "groups" if able else "group"
    return (
        f"A gap of {percent(GAP)} of the mean would probably have been seen in {some} {ending}. "
        f"The smallest gaps that this audit sees with 80{words.PERCENT} probability are {reach}."
    )


def _ratio(value: float) -> str:
    """A ratio to the mean, in whole percent."""
    return f"{100 * value:.0f}{words.PERCENT}"


def percent(share: float) -> str:
    """Whole percent, with a decimal below ten where there is one; nothing is above all of it."""
    if share > 1:
        return f"more than 100{words.PERCENT}"
    shown = f"{100 * share:.1f}" if share < 0.0995 else f"{100 * share:.0f}"
    return f"{shown.removesuffix('.0')}{words.PERCENT}"
