"""Membership: which of the real shoppers are in the run's own releases?

The strongest adversary that the definition covers: it knows every candidate's exact vector and who
else took part, and asks of each shopper whether what is left of the released sum points her way.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from client.contributions.history import FloatArray
from simulations.attacks.audited import AuditedRelease, AuditedRun
from simulations.attacks.finding import Control, Finding
from simulations.attacks.permitted import permitted
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import Interval, auc, auc_interval, permitted_auc
from simulations.report import words

BoolArray = npt.NDArray[np.bool_]
# Members of each of the control's sums, which carry no noise, and how many sums there are.
FEW = 10
MOST_GROUPS = 50


@dataclass(frozen=True, kw_only=True)
class Scores:
    """How much each shopper looks like a member, over one release or several; shape (shoppers,).

    Attributes:
        insider: by one who knows everybody else's vector and who took part.
        outsider: by one who knows only the averages.
        left: standard deviation of what the insider's knowledge leaves of the sum.
    """

    insider: FloatArray
    outsider: FloatArray
    left: float


def membership(setting: Setting) -> Finding:
    """Attack all releases of the run together; the control attacks sums of few without noise."""
    run, rng = setting.run, setting.chance
    member = np.array([name in run.contributors for name in run.histories])
    found = [score(run, release, member) for release in run.releases]
    figure, interval = _auc(np.sum([each.insider for each in found], axis=0), member, rng)
    outside, outer = _auc(np.sum([each.outsider for each in found], axis=0), member, rng)
    bound = permitted(run.releases, permitted_auc, stated=(run.epsilon, run.delta))
    return Finding(
        name="membership",
        adversary="Knows every shopper's exact vector and who took part, but for the one it asks "
        "about.",
        action=f"Asks of {member.size:,} real shoppers whether the run's {len(found)} releases "
        "contain them.",
        claim=f"Everything shared costs a shopper {words.bound(run.epsilon)} at most (δ = "
        f"{words.delta(run.delta)}).",
        measure="AUC: a member scores above a non-member",
        figure=figure,
        interval=interval,
        bound=bound.least,
        permitted=bound.told,
        holds=interval.low <= bound.least,
        control=few_without_noise(dict(run.contributions(run.popularity.task)), bound.least, rng),
        note=_note(run, int(member.sum()), member.size),
        details={
            "an outsider who knows only the averages": f"{outside:.3f}, {outer.low:.3f} to "
            f"{outer.high:.3f}",
            **{
                f"{release.task.name}: what is left of the sum (std. dev.)": f"{each.left:.3f}; "
                f"the record states noise of {release.noise_stddev:.3f}"
                for release, each in zip(run.releases, found, strict=True)
            },
        },
    )


def score(run: AuditedRun, release: AuditedRelease, member: BoolArray) -> Scores:
    """Score every shopper against one release.

    What is left of the sum without the members holds a shopper's vector only if she is in; to ask
    about a member is to put hers back.
    """
    inside, everybody = np.zeros(release.task.dimension), np.zeros(release.task.dimension)
    for is_member, (_, vector) in zip(member, run.contributions(release.task), strict=True):
        everybody += vector
        if is_member:
            inside += vector
    left = release.values - inside
    centred = release.values - everybody * (release.shoppers / member.size)
    variance = release.noise_stddev**2
    insider, outsider = np.empty(member.size), np.empty(member.size)
    for row, (_, vector) in enumerate(run.contributions(release.task)):
        own = float(vector @ vector) if member[row] else 0.0
        insider[row] = (float(vector @ left) + own) / variance
        outsider[row] = float(vector @ centred) / variance
    return Scores(insider=insider, outsider=outsider, left=float(left.std()))


def few_without_noise(
    table: Mapping[str, FloatArray], bound: float, rng: np.random.Generator, *, few: int = FEW
) -> Control:
    """The attack on noiseless sums over a few shoppers each, by one who knows only the averages."""
    rows = np.stack(list(table.values()))
    average = rows.mean(axis=0)
    groups = min(MOST_GROUPS, len(rows) // (2 * few))
    member = np.tile(np.arange(2 * few) < few, groups)
    chosen = rng.permutation(len(rows))[: member.size].reshape(groups, 2 * few)
    scores = []
    for group in chosen:
        left = rows[group[:few]].sum(axis=0) - few * average
        scores.append((rows[group] - average) @ left)
    figure, interval = _auc(np.concatenate(scores), member, rng)
    return Control(
        name=f"no noise, sums over {few} shoppers, an adversary who knows only the averages",
        figure=figure,
        interval=interval,
        fired=interval.low > bound,
    )


def _auc(scores: FloatArray, member: BoolArray, rng: np.random.Generator) -> tuple[float, Interval]:
    inside, outside = scores[member], scores[~member]
    return auc(inside, outside), auc_interval(inside, outside, rng)


def _note(run: AuditedRun, members: int, shoppers: int) -> str:
    withdrew = run.scenario.consent.withdraw
    return (
        f"{members:,} of {shoppers:,} shoppers agreed and answered; up to {withdrew:.0%} of them "
        "withdrew in mid-run and count as members here, which can only lower the AUC a little. "
        "One run is one draw of the noise."
    )
