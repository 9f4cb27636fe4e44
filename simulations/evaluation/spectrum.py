"""Measure the reference spectrum that ``server/artefacts/signal.py`` holds.

    python -m simulations.evaluation.spectrum

prints, for several list lengths, which share of the shoppers' total each leading direction of the
noise-free item-item sum carries on Complete Journey (product types, all baskets, all product
classes), and last the same inside the public subspace of the default list. The data are public, so
what is measured here costs nobody privacy.
"""

import sys
from collections.abc import Sequence

import numpy as np

from client.contributions.history import FloatArray
from client.contributions.item_item import total
from client.contributions.popularity import contribution as popularity
from consent.purpose import Purpose
from consent.tasks.popularity import PopularityTask
from server.artefacts.item_item import plan_task, symmetric
from server.artefacts.popularity import finish
from server.artefacts.subspace import public_basis
from simulations.evaluation.protocol import history_of
from simulations.population.population import Population

SIZES = (256, 512, 1024)
DIRECTIONS = 24


def reference_spectrum(
    population: Population, *, listed: int | None, described: bool = False
) -> FloatArray:
    """Leading eigenvalues of the noise-free sum over the number of shoppers, largest first.

    Args:
        population: whose shoppers.
        listed: length of the list; None for the default one.
        described: only inside the public subspace.
    """
    catalogue = population.catalogue
    histories = [history_of(population, s, Purpose.TRAIN) for s in population.shoppers]
    counted = PopularityTask(items=len(catalogue))
    values = sum((popularity(counted, h) for h in histories), np.zeros(counted.dimension))
    released = finish(counted, values, noise_stddev=0.0, catalogue=catalogue)
    task = plan_task(released, listed=listed)
    matrix = symmetric(total(task, histories), len(task.indices))
    if described:
        basis = public_basis(task, catalogue)
        matrix = basis.T @ matrix @ basis
    eigenvalues = np.linalg.eigvalsh(matrix)[::-1]
    shares: FloatArray = eigenvalues[:DIRECTIONS] / len(histories)
    return shares


def main(sizes: Sequence[int] = SIZES) -> None:
    """Print the spectra of Complete Journey."""
    from simulations.population.complete_journey import load_complete_journey  # noqa: PLC0415
    from simulations.population.sensitive import granted  # noqa: PLC0415

    population = granted(load_complete_journey())
    for size in sizes:
        shares = reference_spectrum(population, listed=size)
        sys.stdout.write(f"{size}: {', '.join(f'{share:.4f}' for share in shares)}\n")
    shares = reference_spectrum(population, listed=None, described=True)
    sys.stdout.write(f"described: {', '.join(f'{share:.4f}' for share in shares)}\n")


if __name__ == "__main__":
    main()
