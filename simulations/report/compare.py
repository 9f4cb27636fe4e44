"""Several runs side by side: a row each, and quality against ε where the runs differ in it."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from simulations.report import story, words
from simulations.report.axes import NO_BOUND_TEXT, EpsilonAxis, QualityAxis
from simulations.report.chart import Point, Scatter
from simulations.report.record import FEDCART, Figure, Metrics
from simulations.report.runs import Run

# Rem between equal places.
_APART = 1.4
# Percent; marks that are closer than this are set apart.
_TOUCHING = 3.0


@dataclass(frozen=True, kw_only=True)
class Row:
    """One run's line in the comparison."""

    number: int
    name: str
    run: Run
    quality: Figure | None
    explore: Figure | None
    gain: Figure | None
    off: bool
    unsealed: bool


def rows(runs: Sequence[Run]) -> tuple[Row, ...]:
    """The runs in the order given, numbered from 1; folder names tell equal scenarios apart."""
    times = Counter(run.metrics.scenario for run in runs)
    return tuple(_row(number, run, times) for number, run in enumerate(runs, start=1))


def _row(number: int, run: Run, times: Counter[str]) -> Row:
    metrics = run.metrics
    alone = times[metrics.scenario] == 1
    return Row(
        number=number,
        name=metrics.scenario if alone else f"{metrics.scenario} ({run.folder.name})",
        run=run,
        quality=metrics.figure(FEDCART, story.MAIN_METRIC),
        explore=metrics.figure(FEDCART, "recall_explore@10"),
        gain=story.difference(metrics, story.MAIN_BASELINE),
        off=story.privacy_off(metrics),
        unsealed=bool(story.unsealed(metrics)),
    )


def same_data(runs: Sequence[Run]) -> bool:
    """Whether all runs are about the same data, evaluated the same way."""
    return len({(_data(run.metrics), run.metrics.protocol) for run in runs}) == 1


def _data(metrics: Metrics) -> tuple[str, int, int]:
    return metrics.dataset.name, metrics.dataset.shoppers, metrics.dataset.items


def against_epsilon(listed: Sequence[Row]) -> Scatter | None:
    """NDCG@10 against ε on a log axis; None unless runs with a quality differ in ε."""
    shown = [(row, row.quality) for row in listed if row.quality is not None]
    places = {_epsilon(row) for row, _ in shown}
    if len(places) < 2:
        return None
    across = EpsilonAxis.over(places)
    down = QualityAxis.over([figure for _, figure in shown])
    points = [p for group in _close(shown, across) for p in _side_by_side(group, across, down)]
    told = "; ".join(
        f"run {row.number}: {_told(_epsilon(row))}, {words.score(figure.value)}, interval "
        f"{words.interval(figure)}"
        for row, figure in shown
    )
    return Scatter(
        title="NDCG@10 of fedcart against ε, by run",
        description=f"{told}.",
        points=tuple(points),
        across=across.ticks(places),
        down=down.ticks(),
    )


def _epsilon(row: Row) -> float:
    epsilon = row.run.metrics.privacy.epsilon
    return math.inf if row.off or epsilon is None else epsilon


def _told(epsilon: float) -> str:
    return NO_BOUND_TEXT if math.isinf(epsilon) else f"ε {words.epsilon(epsilon)}"


Shown = tuple[Row, Figure]


def _close(shown: Sequence[Shown], across: EpsilonAxis) -> list[list[Shown]]:
    """The runs from left to right, grouped where their marks would touch."""
    groups: list[list[Shown]] = []
    for pair in sorted(shown, key=lambda pair: (_epsilon(pair[0]), pair[0].number)):
        place = across.place(_epsilon(pair[0]))
        if groups and place - across.place(_epsilon(groups[-1][-1][0])) < _TOUCHING:
            groups[-1].append(pair)
        else:
            groups.append([pair])
    return groups


def _side_by_side(group: Sequence[Shown], across: EpsilonAxis, down: QualityAxis) -> list[Point]:
    middle = (len(group) - 1) / 2
    return [
        Point(
            label=str(row.number),
            across=across.place(_epsilon(row)),
            down=down.place(figure.value),
            top=down.place(figure.high),
            bottom=down.place(figure.low),
            shift=_APART * (place - middle),
        )
        for place, (row, figure) in enumerate(group)
    ]
