"""Membership: which of the real shoppers are in the run's own releases?

The strongest adversary that the definition covers: it knows every candidate's exact vector and who
else took part, and asks of each shopper whether what is left of the released sum points her way.
"""

from collections.abc import Mapping

import numpy as np

from client.contributions.history import FloatArray
from simulations.attacks.audited import AuditedRelease, AuditedRun
from simulations.attacks.finding import Control, Finding
from simulations.attacks.setting import Setting
from simulations.attacks.statistics import Interval, auc, auc_interval, permitted_auc

# Members of each of the control's sums, which carry no noise, and how many sums there are.
FEW = 10
MOST_GROUPS = 50


def membership(setting: Setting) -> Finding:
    """Attack all releases of the run together; the control attacks a sum of few without noise."""
    run, rng = setting.run, setting.chance
    tables = {
        name: run.contributions(release.task)
        for name, release in run.releases.items()
        if release.task.dimension <= run.popularity.task.dimension
    }
    names = list(run.histories)
    member = np.array([name in run.contributors for name in names])
    scores = np.zeros(len(names))
    outsider = np.zeros(len(names))
    spread = {}
    for name, table in tables.items():
        release, rows = run.releases[name], np.stack([table[each] for each in names])
        residual = release.values - rows[member].sum(axis=0)
        spread[name] = float(residual.std())
        variance = release.noise_stddev**2 if release.noise_stddev else 1.0
        # What is left holds her vector only if she is in; taking a member out gives hers back.
        lengths = (rows**2).sum(axis=1)
        scores += (rows @ residual + np.where(member, lengths, 0.0)) / variance
        outsider += rows @ (release.values - rows.mean(axis=0) * release.shoppers) / variance
    permitted = permitted_auc(epsilon=run.epsilon, delta=run.delta)
    figure, interval = _auc(scores, member, rng)
    outside, outside_interval = _auc(outsider, member, rng)
    return Finding(
        name="membership",
        adversary="Knows every shopper's exact vector and who took part, but for the one it asks "
        "about.",
        action=f"Asks of {len(names):,} real shoppers whether the run's {len(tables)} releases "
        "contain them.",
        claim=f"Everything shared costs ε = {run.epsilon:.3f} at δ = {run.delta:g} a shopper.",
        measure="AUC: a member scores above a non-member",
        figure=figure,
        interval=interval,
        bound=permitted,
        permitted="the area under the ROC curve that (ε, δ) permits",
        holds=interval.low <= permitted,
        control=few_without_noise(tables[run.popularity.task.name], permitted, rng),
        note=_note(run, int(member.sum()), len(names)),
        details={
            "an outsider who knows only the averages": f"{outside:.3f}, {outside_interval.low:.3f} "
            f"to {outside_interval.high:.3f}",
            **{
                f"{name}: what is left of the sum (std. dev.)": _left(run.releases[name], found)
                for name, found in spread.items()
            },
        },
    )


def few_without_noise(
    table: Mapping[str, FloatArray], permitted: float, rng: np.random.Generator, *, few: int = FEW
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
        fired=interval.low > permitted,
    )


def _auc(
    scores: FloatArray, member: np.ndarray[tuple[int], np.dtype[np.bool_]], rng: np.random.Generator
) -> tuple[float, Interval]:
    inside, outside = scores[member], scores[~member]
    return auc(inside, outside), auc_interval(inside, outside, rng)


def _left(release: AuditedRelease, spread: float) -> str:
    return f"{spread:.3f}; the record states noise of {release.noise_stddev:.3f}"


def _note(run: AuditedRun, members: int, shoppers: int) -> str:
    withdrew = run.scenario.consent.withdraw
    return (
        f"{members:,} of {shoppers:,} shoppers agreed and answered; up to {withdrew:.0%} of them "
        "withdrew in mid-run and count as members here, which can only lower the AUC a little. "
        "One run is one draw of the noise."
    )
