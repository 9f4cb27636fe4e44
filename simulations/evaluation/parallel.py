"""Work that doesn't depend on each other, over several processes that share what was read."""

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

Result = TypeVar("Result")

# What a child process inherits: functions and folds needn't be pickled, only results are.
_work: list[Callable[[], Any]] = []


def in_order(work: Sequence[Callable[[], Result]], *, workers: int) -> Iterator[Result]:
    """The results of some work, in its order, as they become ready.

    Args:
        work: what to do; with several workers each piece runs in a forked process, so that what it
            changes is seen by nobody.
        workers: how many processes; 1 does everything here, one after the other.

    Raises:
        Exception: what a piece raises, as it would without processes.
    """
    if workers == 1:
        for piece in work:
            yield piece()
        return
    _work[:] = work
    try:
        context = multiprocessing.get_context("fork")
        with ProcessPoolExecutor(min(workers, len(work)), mp_context=context) as pool:
            yield from pool.map(_run, range(len(work)))
    finally:
        _work.clear()


def _run(place: int) -> Any:
    return _work[place]()
