"""Fairness, planned and finished: from groups to the task, from its noisy sum to what may be said.

A group's mean is compared with the mean of everybody who stated the attribute and whose group is
reported. Each figure has an interval for itself; what is *claimed* of a group rests on a wider one
that holds for all groups of the audit at once (Bonferroni), because among many groups one always
looks worst. Where no gap is shown, the audit says how large one would have had to be.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np

from consent.tasks.artefact import Artefact
from consent.tasks.catalogue import Catalogue
from consent.tasks.estimate import Estimate
from consent.tasks.fairness import (
    BANDS,
    BANDS_SHARE,
    FAIR_RATIO,
    MEASURES,
    AttributeFinding,
    FairnessArtefact,
    FairnessTask,
    GroupFinding,
    Verdict,
)
from consent.tasks.groups import DEFAULT_SCHEMA, GroupSchema
from server.artefacts.evaluation import input_hashes
from server.artefacts.readings import (
    CLEAR,
    CONFIDENCE,
    FloatArray,
    Part,
    Reading,
    Z,
    check_sum,
    within,
)

LEAST_SHOPPERS = 20
# The probability with which a gap of the stated size would have been shown.
POWER = 0.8
_POWER_Z = NormalDist().inv_cdf(POWER)
_UNBOUNDED = 10**12


def plan_task(
    catalogue: Catalogue,
    artefacts: Iterable[Artefact],
    *,
    schema: GroupSchema = DEFAULT_SCHEMA,
    length: int = 10,
    not_before: int | None = None,
    least_shoppers: int = LEAST_SHOPPERS,
) -> FairnessTask:
    """The task that audits released artefacts, which have to hold a popularity."""
    return FairnessTask(
        items=len(catalogue),
        schema=schema,
        length=length,
        not_before=not_before,
        least_shoppers=least_shoppers,
        inputs=input_hashes(artefacts),
    )


def finish(
    task: FairnessTask, values: FloatArray, *, noise_stddev: float, catalogue: Catalogue
) -> FairnessArtefact:
    """What a noisy sum says about each group, and what it can't say.

    Args:
        task: what was measured.
        values: float64, shape (task.dimension,): the noisy sum.
        noise_stddev: of the noise in each value.
        catalogue: the list the task is over.

    Guarantee: no group is reported whose noisy count is below ``task.least_shoppers`` or not clear
    of its noise.

    Raises:
        InvalidInputError: wrong length, a value that is not finite, or a negative noise.
    """
    check_sum(values, task.dimension, noise_stddev)
    groups = _groups(task, values, noise_stddev)
    reported = {
        attribute: {name: each for name, each in found.items() if each.large_enough(task)}
        for attribute, found in groups.items()
    }
    claims = sum(map(len, reported.values()))
    found = {
        attribute: AttributeFinding(
            mean=_overall(list(kept.values())),
            groups=_findings(kept, claims=claims),
            too_small=tuple(name for name in groups[attribute] if name not in kept),
        )
        for attribute, kept in reported.items()
    }
    return FairnessArtefact(
        catalogue=catalogue.hash,
        schema=task.schema,
        length=task.length,
        not_before=task.not_before,
        inputs=task.inputs,
        least_shoppers=task.least_shoppers,
        noise_share=noise_stddev / (task.scale * float(MEASURES.weights[0])),
        attributes=found,
    )


@dataclass(frozen=True, kw_only=True)
class _Group:
    """One group's noisy sums."""

    reading: Reading
    bands: FloatArray
    band_noise: float

    def large_enough(self, task: FairnessTask) -> bool:
        """Whether it may be reported."""
        count = float(self.reading.sums[self.reading.block.place["shoppers"]])
        return count >= task.least_shoppers and self.reading.clear("shoppers")

    @property
    def ndcg(self) -> Part:
        return self.reading.part("ndcg")


def _groups(
    task: FairnessTask, values: FloatArray, noise_stddev: float
) -> dict[str, dict[str, _Group]]:
    blocks = iter(values.reshape(-1, task.block))
    weight = task.scale * sqrt(BANDS_SHARE)
    return {
        attribute: {name: _group(task, next(blocks), noise_stddev, weight) for name in names}
        for attribute, names in task.schema.attributes.items()
    }


def _group(task: FairnessTask, block: FloatArray, noise_stddev: float, weight: float) -> _Group:
    size = MEASURES.dimension
    return _Group(
        reading=Reading.of(MEASURES, block[:size], noise_stddev=noise_stddev, scale=task.scale),
        bands=block[size:] / weight,
        band_noise=noise_stddev / weight,
    )


def _findings(groups: Mapping[str, _Group], *, claims: int) -> dict[str, GroupFinding]:
    parts = _steadied([group.ndcg for group in groups.values()])
    sure = NormalDist().inv_cdf(1.0 - (1.0 - CONFIDENCE) / (2.0 * max(claims, 1)))
    return {
        name: _finding(group, parts, place, sure=sure)
        for place, (name, group) in enumerate(groups.items())
    }


def _steadied(parts: Sequence[Part]) -> list[Part]:
    """The parts, none with a smaller variance among shoppers than all have together.

    Few shoppers with low NDCG also show a small variance, which would make chance look sure: at 20
    shoppers false alarms were four times as frequent as stated. Groups differ less in variance
    than such an estimate does by luck.
    """
    total = sum(part.count for part in parts)
    pooled = sum(part.count * part.variance for part in parts) / max(total, 1.0)
    return [replace(part, variance=max(part.variance, pooled)) for part in parts]


def _finding(group: _Group, parts: Sequence[Part], place: int, *, sure: float) -> GroupFinding:
    gap, ratio = _gap(parts, place), _ratio(parts, place)
    mean = _mean(parts)
    wide = within(ratio.value, sure * ratio.error, bounds=(0.0, 1e6))
    detectable = (sure + _POWER_Z) * gap.error
    figures = {
        "shoppers": group.reading.count("shoppers"),
        "ndcg": group.reading.mean("ndcg"),
        "gap": within(gap.value, Z * gap.error, bounds=(-1.0, 1.0)),
        "ratio": within(ratio.value, Z * ratio.error, bounds=(0.0, 1e6)),
        "ratio_sure": wide,
        "popularity_lift": _doubled(group.reading.mean("popularity_lift")),
        "new_share": group.reading.mean("new_share"),
        "diversity": group.reading.mean("diversity"),
        **_bands(group),
    }
    return GroupFinding(
        figures=figures,
        detectable=float(detectable),
        needed=_needed(gap, parts[place].count, target=(1 - FAIR_RATIO) * mean, sure=sure),
        verdict=_verdict(wide, visible=detectable <= (1 - FAIR_RATIO) * mean),
    )


def _verdict(sure: Estimate, *, visible: bool) -> Verdict:
    if sure.high < FAIR_RATIO:
        return Verdict.BELOW
    if sure.high < 1.0:
        return Verdict.WORSE
    if sure.low > 1.0:
        return Verdict.BETTER
    if sure.low > FAIR_RATIO:
        return Verdict.FAIR
    return Verdict.NOT_SHOWN if visible else Verdict.NOT_SEEABLE


@dataclass(frozen=True, kw_only=True)
class _Contrast:
    """A figure with the variances of its two sources of error."""

    value: float
    sampling: float
    noise: float

    @property
    def error(self) -> float:
        return sqrt(self.sampling + self.noise)


def _gap(parts: Sequence[Part], place: int) -> _Contrast:
    """A group's mean minus the mean of all."""
    return _contrast(parts, place, factor=1.0)


def _ratio(parts: Sequence[Part], place: int) -> _Contrast:
    """A group's mean over the mean of all; d r = (d m_g - r d m) / m."""
    mean = max(_mean(parts), 1e-9)
    ratio = parts[place].mean / mean
    of = _contrast(parts, place, factor=ratio)
    return _Contrast(value=ratio, sampling=of.sampling / mean**2, noise=of.noise / mean**2)


def _contrast(parts: Sequence[Part], place: int, *, factor: float) -> _Contrast:
    """m_g - factor · m, with the variance of each source of error to first order.

    m is the mean over all groups, so the group itself is in it, and both errors count once.
    """
    own, total = parts[place], sum(part.count for part in parts)
    middled = 2.0 * _mean(parts) - 1.0
    sampling = noise = 0.0
    for part in parts:
        mine = part is own
        share = float(mine) - factor * part.count / total
        sampling += share**2 * part.sampling
        of_sum = (float(mine) / part.count - factor / total) / 2.0
        of_count = (float(mine) * part.middled / part.count - factor * middled / total) / 2.0
        noise += (of_sum * part.sum_noise) ** 2 + (of_count * part.count_noise) ** 2
    return _Contrast(value=own.mean - factor * _mean(parts), sampling=sampling, noise=noise)


def _mean(parts: Sequence[Part]) -> float:
    return sum(part.count * part.mean for part in parts) / sum(part.count for part in parts)


def _needed(gap: _Contrast, count: float, *, target: float, sure: float) -> int:
    """How many of the group's shoppers would show a gap of ``target``, all groups growing alike.

    Sampling variance falls with the number, noise variance with its square: of k times as many
    shoppers the gap's variance is a/k + b/k².
    """
    allowed = (target / (sure + _POWER_Z)) ** 2
    if allowed <= 0:
        return _UNBOUNDED
    half = gap.sampling / (2.0 * allowed)
    times = half + sqrt(half**2 + gap.noise / allowed)
    return min(ceil(count * times), _UNBOUNDED)


def _overall(groups: Sequence[_Group]) -> dict[str, Estimate]:
    """Count and mean NDCG of all reported groups."""
    if not groups:
        return {}
    parts = [group.ndcg for group in groups]
    total = sum(part.count for part in parts)
    noise = sqrt(sum(part.count_noise**2 for part in parts))
    error = sum((part.count / total) ** 2 * part.sampling for part in parts)
    middled = 2.0 * _mean(parts) - 1.0
    for part in parts:
        error += (part.sum_noise**2 + (middled * part.count_noise) ** 2) / (4.0 * total**2)
    return {
        "shoppers": within(total, Z * noise, bounds=(0.0, 1e12), swamped=total < CLEAR * noise),
        "ndcg": within(_mean(parts), Z * sqrt(error), bounds=(0.0, 1.0)),
    }


def _doubled(mean: Estimate) -> Estimate:
    """A difference that was moved from [-1, 1] to [0, 1], moved back."""
    low, value, high = (2.0 * each - 1.0 for each in (mean.low, mean.value, mean.high))
    return Estimate(value=value, low=low, high=high, swamped=mean.swamped)


def _bands(group: _Group) -> dict[str, Estimate]:
    """Share of lists in each popularity band; m (1 - m) bounds the variance among shoppers."""
    part = group.ndcg
    found = {}
    for name, total in zip(BANDS, group.bands, strict=True):
        share = float(np.clip(total / part.count, 0.0, 1.0))
        noise = (group.band_noise**2 + (share * part.count_noise) ** 2) / part.count**2
        half = Z * sqrt(share * (1.0 - share) / part.count + noise)
        found[name] = within(share, half, bounds=(0.0, 1.0), swamped=Z * sqrt(noise) > share)
    return found
