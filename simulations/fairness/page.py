"""A fairness audit as one self-contained page that an ethics board can read: no network, no script.

The page is made from the artefact, whether a federated round released it or a study computed it
offline; what only a study has (bootstrap intervals, the outlook) is shown where it is there.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from consent.tasks.artefact import decode_artefact
from consent.tasks.estimate import Estimate
from consent.tasks.evaluation import EvaluationArtefact
from consent.tasks.fairness import BANDS, FAIR_RATIO, FairnessArtefact
from crypto.errors import InvalidInputError
from simulations.fairness import story
from simulations.report import words
from simulations.report.chart import Key, Tick, nice_ceiling
from simulations.report.html import environment, write_whole
from simulations.report.story import Fact

PAGE, RECORD = "fairness.html", "fairness.json"
ROW: Final = 1.5  # rem
AXIS: Final = 2.0
LABELS: Final = 34.0  # percent of a chart's width
LEGEND: Final = (
    Key("line", "own", f"95{words.PERCENT} interval of this group alone"),
    Key("line", "sure", "interval that holds for all groups at once; claims rest on it"),
    Key("area", "blind", "gaps that this audit would probably have missed"),
    Key("line", "fair", f"{100 * FAIR_RATIO:.0f}{words.PERCENT} of the mean"),
)


@dataclass(frozen=True, kw_only=True)
class Mark:
    """A group's line: percent across, rem down."""

    label: str
    text: str
    down: float
    at: float
    ends: tuple[float, float]
    sure: tuple[float, float]
    blind: tuple[float, float]
    alarming: bool


@dataclass(frozen=True, kw_only=True)
class Forest:
    """Ratios with their intervals, a group a line, and the gaps that could not have been seen."""

    title: str
    description: str
    marks: tuple[Mark, ...]
    ticks: tuple[Tick, ...]
    one: float
    bound: float

    @property
    def height(self) -> float:
        """In rem."""
        return ROW * len(self.marks) + AXIS


def parsed(record: Mapping[str, Any]) -> FairnessArtefact:
    """The artefact in an offline audit's record."""
    return FairnessArtefact.parse(dict(record["audit"]))


def released(file: Path) -> FairnessArtefact | EvaluationArtefact:
    """A federation's released audit or evaluation.

    Raises:
        InvalidInputError: the file is neither.
    """
    artefact = decode_artefact(file.read_bytes())
    if not isinstance(artefact, FairnessArtefact | EvaluationArtefact):
        raise InvalidInputError(f"{file} is a release of {artefact.task}, not a fairness audit.")
    return artefact


def write(artefact: FairnessArtefact, record: Mapping[str, Any] | None, folder: Path) -> Path:
    """Write an audit's page into a folder, made if missing, and its record where there is one.

    Raises:
        FedcartError: the folder can't be written to.
    """
    if record is not None:
        body = json.dumps(record, indent=1, allow_nan=False) + "\n"
        write_whole(folder / RECORD, body, what="audit")
    return write_whole(folder / PAGE, to_html(artefact, record), what="audit")


def to_html(artefact: FairnessArtefact, record: Mapping[str, Any] | None) -> str:
    """The page as text; ``record`` is an offline audit's, None for a release of a federation."""
    groups = story.groups_of(artefact)
    made = environment("simulations.fairness")
    made.globals |= {"story": story, "BANDS": tuple(BANDS), "FAIR": FAIR_RATIO}
    return made.get_template("fairness.html").render(
        audit=artefact,
        record=record,
        groups=groups,
        headline=story.headline(artefact),
        facts=_facts(groups),
        links=_links(groups),
        legend=LEGEND,
        forests=_forests(artefact, groups),
        noise=artefact.noise_share,
    )


def _links(groups: Sequence[story.Named]) -> list[tuple[str, str]]:
    there = [("groups", "Groups"), ("lists", "What their lists hold")] if groups else []
    return [*there, ("seen", "What could have been seen"), ("method", "Method and limits")]


def _facts(groups: Sequence[story.Named]) -> list[Fact]:
    if not groups:
        return []
    sure = sum(each.finding.verdict in story.ALARMING for each in groups)
    seen = sum(each.detectable <= story.GAP for each in groups)
    worst = min(groups, key=lambda each: each.finding.figures["ratio"].value)
    ratio = worst.finding.figures["ratio_sure"]
    lowest = (
        f"of the mean is the lowest figure ({worst.name}); anything from {100 * ratio.low:.0f} to "
        f"{100 * ratio.high:.0f}{words.PERCENT} fits what was measured as well"
    )
    seeing = f"groups in which a gap of {story.percent(story.GAP)} would probably have been seen"
    whole = f"of {len(groups)}"
    return [
        Fact(
            value=f"{sure} {whole}",
            text="groups surely served worse than the mean",
            alarming=sure > 0,
        ),
        Fact(value=f"{100 * ratio.value:.0f}{words.PERCENT}", text=lowest),
        Fact(value=f"{seen} {whole}", text=seeing),
    ]


def _forests(artefact: FairnessArtefact, groups: Sequence[story.Named]) -> list[Forest]:
    """A chart an attribute, all on one axis."""
    reach = nice_ceiling(max((0.1, *map(_reach, groups))))
    reported = [name for name, each in artefact.attributes.items() if each.groups]
    return [_forest(artefact, name, groups, reach) for name in reported]


def _forest(
    artefact: FairnessArtefact, attribute: str, groups: Sequence[story.Named], reach: float
) -> Forest:
    def place(ratio: float) -> float:
        inside = min(max(ratio, 1 - reach), 1 + reach)
        return LABELS + (100 - LABELS - 2) * (inside - 1 + reach) / (2 * reach)

    mine = [each for each in groups if each.attribute == attribute]
    told = "; ".join(f"{each.group} {_told(each.finding.figures['ratio'])}" for each in mine)
    mean = artefact.attributes[attribute].mean["ndcg"]
    at = [1 + reach * part for part in (-1, -0.5, 0, 0.5, 1)]
    return Forest(
        title=f"By {words.spaced(attribute)}: NDCG over the mean of all",
        description=f"The mean is {mean.value:.3f}. By group, with 95 % intervals: {told}.",
        marks=tuple(_mark(each, place, ROW * (number + 0.5)) for number, each in enumerate(mine)),
        ticks=tuple(Tick(place=place(each), text=f"{each:.3g}") for each in at),
        one=place(1.0),
        bound=place(FAIR_RATIO),
    )


def _mark(each: story.Named, place: Callable[[float], float], down: float) -> Mark:
    figures = each.finding.figures
    ratio, sure = figures["ratio"], figures["ratio_sure"]
    return Mark(
        label=each.group,
        text=f"{ratio.value:.2f}",
        down=down,
        at=place(ratio.value),
        ends=(place(ratio.low), place(ratio.high)),
        sure=(place(sure.low), place(sure.high)),
        blind=(place(1 - each.detectable), place(1 + each.detectable)),
        alarming=each.finding.verdict in story.ALARMING,
    )


def _reach(each: story.Named) -> float:
    """How far from 1 a group's line goes; what is beyond twice the mean is cut."""
    sure = each.finding.figures["ratio_sure"]
    return min(max(abs(sure.low - 1), abs(sure.high - 1), each.detectable), 1.0)


def _told(ratio: Estimate) -> str:
    return f"{ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f})"
