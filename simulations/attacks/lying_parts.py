"""A lying part sum: one key holder answers with another sum than that of its pieces.

Every piece is held by two key holders, so a lie contradicts whoever holds the same piece; where
that one did not answer, the sum does not open to errors as small as they must be. With all three
answers exactly one pair opens it, which names the liar.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from crypto.dp.plan import PrivacyPlan
from crypto.errors import SealError
from crypto.sums.schemes import HOLDERS
from crypto.update import FloatArray, IntArray, PartSum, SealedSum
from simulations.attacks.coalition import besieged_plan, read_body, secret_sum
from simulations.attacks.finding import Control, Finding
from simulations.attacks.piece_lab import PieceLab
from simulations.attacks.pipeline import CONTEXT, SENDER, Pipeline
from simulations.attacks.setting import Setting
from simulations.attacks.share_lab import some_shoppers
from simulations.attacks.statistics import exactly
from simulations.attacks.tries import Try, attempt, told
from simulations.report.words import listed

CLIENTS = 6


def lying_parts(setting: Setting) -> Finding:
    """Let each key holder lie about each of its pieces, to two and to three answers."""
    plan = besieged_plan(setting.run.popularity.plan)
    return lies(setting, plan, some_shoppers(plan, CLIENTS, setting.chance))


def lies(setting: Setting, plan: PrivacyPlan, vectors: Sequence[FloatArray]) -> Finding:
    """The finding for a plan over the given shoppers."""
    lab = PieceLab(plan=plan, rng=setting.secure)
    pipeline = Pipeline(plan=plan, context=CONTEXT, rng=setting.secure)
    noised = [pipeline.client([vector]) for vector in vectors]
    sealed = [lab.scheme.seal(each, sender=SENDER, rng=setting.secure) for each in noised]
    total = lab.scheme.add(sealed)
    honest = lab.open(sealed, total)
    truth = np.sum([each.values for each in noised], axis=0)
    told_lies = list(_lies(lab, honest, setting.chance))
    outcomes = attempt(
        {
            f"{name}; answers of {_named(parts)}": _combined(lab, total, parts)
            for name, liar, all_parts in told_lies
            for parts in _answers(all_parts, liar)
        }
    )
    through = [name for name, reason in outcomes.items() if reason is None]
    traced = sum(_liar(lab, total, parts) == liar for _, liar, parts in told_lies)
    believed = sum(_wrong(lab, total, parts, truth, liar) for _, liar, parts in told_lies)
    refusals = Counter(reason for reason in outcomes.values() if reason is not None)
    figure, control = len(through) / len(outcomes), believed / len(told_lies)
    return Finding(
        name="a lying part sum, compact sum",
        adversary="One key holder.",
        action="Answers with another sum than that of its pieces: one word off, a piece of zeros, "
        "all of it random.",
        claim="A lie is noticed and nothing is released; with three answers it names its author.",
        measure=f"share of {len(outcomes)} lies that were released",
        figure=figure,
        interval=exactly(figure),
        bound=0.0,
        permitted="none; each is decided by a rule, not by chance",
        holds=not through and traced == len(told_lies),
        control=Control(
            name="a coordinator that compares nothing and believes the liar",
            figure=control,
            interval=exactly(control),
            fired=control > 0.9,
        ),
        note="Piece sum alone, with two answers, can't see a lie about the piece that nobody else "
        "answered for: its sum is then wrong, never private data.",
        details={
            "liars named from three answers": f"{traced} of {len(told_lies)}",
            **{f"refused: {reason}": f"{count} lies" for reason, count in refusals.items()},
            **{name: told(None) for name in through},
        },
    )


def _lies(
    lab: PieceLab, honest: Sequence[PartSum], rng: np.random.Generator
) -> list[tuple[str, int, list[PartSum]]]:
    """Every lie with its liar and the three answers."""
    length, made = lab.length, []
    for liar in range(1, HOLDERS + 1):
        true = honest[liar - 1].values
        for name, start in (("first", 0), ("second", length)):
            off, zeros = true.copy(), true.copy()
            off[start] = (off[start] + 1) % 2**32
            zeros[start : start + length] = 0
            made.append((f"key holder {liar}, {name} piece, one word off by one", liar, off))
            made.append((f"key holder {liar}, {name} piece, zeros", liar, zeros))
        random = rng.integers(0, 2**32, size=true.size)
        made.append((f"key holder {liar}, everything random", liar, random))
    return [
        (name, liar, [replace(p, values=values) if p.holder == liar else p for p in honest])
        for name, liar, values in made
    ]


def _answers(parts: Sequence[PartSum], liar: int) -> list[list[PartSum]]:
    """All three answers, and the liar's beside each of the others'."""
    pairs = [list(pair) for pair in combinations(parts, 2) if liar in {p.holder for p in pair}]
    return [list(parts), *pairs]


def _combined(lab: PieceLab, total: SealedSum, parts: Sequence[PartSum]) -> Try:
    return lambda: lab.scheme.combine(total, parts)


def _liar(lab: PieceLab, total: SealedSum, parts: Sequence[PartSum]) -> int | None:
    """Who lied: the one that is not in the only pair that opens the sum."""
    opening = []
    for pair in combinations(parts, 2):
        try:
            lab.scheme.combine(total, pair)
        except SealError:
            continue
        opening.append({part.holder for part in pair})
    everybody = set(range(1, HOLDERS + 1))
    return (everybody - opening[0]).pop() if len(opening) == 1 else None


def _wrong(
    lab: PieceLab, total: SealedSum, parts: Sequence[PartSum], truth: IntArray, liar: int
) -> bool:
    """The control: decode with what the liar says; whether a wrong sum comes out."""
    ordered = sorted(parts, key=lambda part: part.holder == liar)
    read = read_body(total.body, secret_sum(ordered), lab.plan, CONTEXT)
    return not np.array_equal(read, truth)


def _named(parts: Sequence[PartSum]) -> str:
    return listed([part.holder for part in parts])
