"""Fairness audit: what is summed over the groups that shoppers stated of themselves, and released.

A shopper who stated a group and agreed to this use is counted in it, with how well the recommender
foretells her last basket and what her list looks like. An attribute that she did not state counts
her nowhere. What she stated stays on her device; the sum shows each group under the task's noise.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from math import sqrt
from typing import Any, Final, Self

from consent.tasks.block import Block, Counted, Measured
from consent.tasks.estimate import Estimate, parse_estimates
from consent.tasks.evaluation import MAX_INPUTS, MAX_LENGTH, get_time
from consent.tasks.groups import GroupSchema
from consent.tasks.names import TaskName
from consent.tasks.parameters import MAX_ITEMS
from crypto.errors import WireError
from crypto.wire import get_float, get_hashes, get_int, get_str

# Where the popularity bands of the catalogue end, as shares of its items, the most popular first.
BANDS: Final = {"top 1 %": 0.01, "next 4 %": 0.05, "next 15 %": 0.20, "the other 80 %": 1.0}
# A group below this share of the mean of all is what the audit looks for.
FAIR_RATIO: Final = 0.95

# What a shopper's device measures, and what each number may take of the squared norm.
MEASURES: Final = Block(
    counts=(Counted("shoppers", 0.22),),
    measures=(
        Measured("ndcg", "shoppers", 0.24, 0.07),
        Measured("popularity_lift", "shoppers", 0.12, 0.03),
        Measured("new_share", "shoppers", 0.10, 0.03),
        Measured("diversity", "shoppers", 0.08, 0.03),
    ),
)
# What is left of the squared norm for the share of her list in each popularity band.
BANDS_SHARE: Final = 0.08


@dataclass(frozen=True, kw_only=True)
class FairnessTask:
    """How well the recommender serves each group.

    Attributes:
        items: size of the catalogue.
        schema: the attributes and groups that are audited, as devices ask shoppers for them.
        length, least_baskets, not_before, inputs: as in ``EvaluationTask``.
        least_shoppers: a group whose noisy count is below this is not reported.
    """

    items: int
    schema: GroupSchema
    length: int = 10
    least_baskets: int = 3
    not_before: int | None = None
    least_shoppers: int = 20
    inputs: tuple[str, ...] = ()
    name: TaskName = TaskName.FAIRNESS

    @property
    def block(self) -> int:
        """How many values each group has: the measures, then the bands."""
        return MEASURES.dimension + len(BANDS)

    @property
    def dimension(self) -> int:
        """Length of the contribution: a block for every group of every attribute, in order."""
        return self.block * sum(len(groups) for groups in self.schema.attributes.values())

    @property
    def scale(self) -> float:
        """What every block is multiplied with, so that all her groups share one norm."""
        return 1.0 / sqrt(len(self.schema.attributes))

    def to_json(self) -> dict[str, Any]:
        """The parameters as JSON."""
        return {
            "items": self.items,
            "schema": self.schema.to_json(),
            "length": self.length,
            "least_baskets": self.least_baskets,
            "not_before": self.not_before,
            "least_shoppers": self.least_shoppers,
            "inputs": list(self.inputs),
        }

    @classmethod
    def parse(cls, parameters: dict[str, Any]) -> Self:
        """Read the parameters of a manifest; WireError where they are out of bounds."""
        return cls(
            items=get_int(parameters, "items", low=1, high=MAX_ITEMS),
            schema=GroupSchema.parse(parameters.get("schema")),
            length=get_int(parameters, "length", low=1, high=MAX_LENGTH),
            least_baskets=get_int(parameters, "least_baskets", low=2, high=1000),
            not_before=get_time(parameters, "not_before"),
            least_shoppers=get_int(parameters, "least_shoppers", low=1, high=10**9),
            inputs=get_hashes(parameters, "inputs", max_count=MAX_INPUTS),
        )


class Verdict(StrEnum):
    """What may be said of a group, taking into account that many groups were looked at.

    BELOW: its NDCG is below FAIR_RATIO of the mean of all, surely.
    WORSE, BETTER: it differs from the mean of all, surely; whether by so much is open.
    FAIR: it is above FAIR_RATIO of the mean, surely, and no difference is shown.
    NOT_SHOWN: no difference is shown; one as large as FAIR_RATIO allows would probably have been.
    NOT_SEEABLE: no difference is shown, and one of that size would probably have been missed.
    """

    BELOW = "below"
    WORSE = "worse"
    BETTER = "better"
    FAIR = "fair"
    NOT_SHOWN = "not-shown"
    NOT_SEEABLE = "not-seeable"


@dataclass(frozen=True, kw_only=True)
class GroupFinding:
    """What the audit found of one group.

    Attributes:
        figures: "shoppers", "ndcg", "gap" (its NDCG minus the mean of all who stated the
            attribute), "ratio" (over that mean), "ratio_sure" (the same with an interval that
            holds for all groups of the audit at once), "popularity_lift" (popularity of what is
            listed minus that of what she buys), "new_share", "diversity", and the share of lists
            in each of ``BANDS``.
        detectable: the smallest gap that would have been shown with 80 % probability.
        needed: how many of its shoppers would have shown a gap of 1 - FAIR_RATIO of the mean so.
        verdict: what may be said.
    """

    figures: Mapping[str, Estimate]
    detectable: float
    needed: int
    verdict: Verdict

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {
            "figures": {name: each.to_json() for name, each in self.figures.items()},
            "detectable": self.detectable,
            "needed": self.needed,
            "verdict": str(self.verdict),
        }

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read a finding; WireError where a field is wrong."""
        if not isinstance(body, dict) or body.get("verdict") not in list(Verdict):
            raise WireError(f"A group's finding has a verdict of {', '.join(Verdict)}.")
        return cls(
            figures=parse_estimates(body.get("figures")),
            detectable=get_float(body, "detectable", low=0, high=1e15),
            needed=get_int(body, "needed", low=0, high=10**15),
            verdict=Verdict(body["verdict"]),
        )


@dataclass(frozen=True, kw_only=True)
class AttributeFinding:
    """One attribute's groups.

    Attributes:
        mean: "shoppers" who stated it and "ndcg" over them.
        groups: each reported group's finding.
        too_small: groups that are not reported: the noisy count is below the task's minimum, or
            not clear of the noise.
    """

    mean: Mapping[str, Estimate]
    groups: Mapping[str, GroupFinding]
    too_small: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """All fields."""
        return {
            "mean": {name: each.to_json() for name, each in self.mean.items()},
            "groups": {name: each.to_json() for name, each in self.groups.items()},
            "too_small": list(self.too_small),
        }

    @classmethod
    def parse(cls, body: object) -> Self:
        """Read a finding; WireError where a field is wrong."""
        if not isinstance(body, dict) or not isinstance(body.get("groups"), dict):
            raise WireError("An attribute's finding has the fields mean, groups and too_small.")
        small = body.get("too_small")
        if not isinstance(small, list) or not all(isinstance(name, str) for name in small):
            raise WireError("Field 'too_small': expected names of groups.")
        return cls(
            mean=parse_estimates(body.get("mean")),
            groups={name: GroupFinding.parse(each) for name, each in body["groups"].items()},
            too_small=tuple(small),
        )


@dataclass(frozen=True, kw_only=True)
class FairnessArtefact:
    """The audit of one release.

    Attributes:
        catalogue: hash of the item list.
        schema: of the groups.
        length, not_before, inputs, least_shoppers: as in ``FairnessTask``.
        noise_share: how large the noise in a group's count is, in shoppers (standard deviation).
        attributes: what was found of each.
    """

    catalogue: str
    schema: GroupSchema
    length: int
    not_before: int | None
    inputs: tuple[str, ...]
    least_shoppers: int
    noise_share: float
    attributes: Mapping[str, AttributeFinding]
    task: TaskName = TaskName.FAIRNESS

    def to_json(self) -> dict[str, Any]:
        """The body beside task and catalogue."""
        return {
            "schema": self.schema.to_json(),
            "length": self.length,
            "not_before": self.not_before,
            "inputs": list(self.inputs),
            "least_shoppers": self.least_shoppers,
            "noise_share": self.noise_share,
            "attributes": {name: each.to_json() for name, each in self.attributes.items()},
        }

    @classmethod
    def parse(cls, body: dict[str, Any]) -> Self:
        """Read an artefact; WireError where a field is wrong."""
        found = body.get("attributes")
        if not isinstance(found, dict):
            raise WireError("Field 'attributes': expected findings by attribute.")
        return cls(
            catalogue=get_str(body, "catalogue"),
            schema=GroupSchema.parse(body.get("schema")),
            length=get_int(body, "length", low=1, high=MAX_LENGTH),
            not_before=get_time(body, "not_before"),
            inputs=get_hashes(body, "inputs", max_count=MAX_INPUTS),
            least_shoppers=get_int(body, "least_shoppers", low=1, high=10**9),
            noise_share=get_float(body, "noise_share", low=0, high=1e15),
            attributes={name: AttributeFinding.parse(each) for name, each in found.items()},
        )
