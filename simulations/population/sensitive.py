"""Sensitive product classes in research: withheld as on devices, or as if everybody had granted.

A device hands nothing of a sensitive class to a task or a list that its shopper didn't grant it
for. Research sees the same: every model, ours or a rival's, is fitted and measured without those
lines, so that none is told what the others are not.
"""

from dataclasses import replace

from consent.tasks.sensitive import without_flags
from simulations.population.population import Population


def withheld(population: Population) -> Population:
    """The population as tasks see it where nobody granted sensitive classes."""
    catalogue, events = population.catalogue, population.events
    if not catalogue.sensitive.any():
        return population
    index = catalogue.indices(events.item)
    kept = (index < 0) | ~catalogue.sensitive[index]
    if kept.all():
        return population
    note = (
        f" {int((~kept).sum()):,} of {len(events):,} lines are of "
        f"{int(catalogue.sensitive.sum())} items in sensitive classes and are withheld, as on "
        "devices without a grant for them."
    )
    left = replace(population, events=events.take(kept), note=population.note + note)
    there = set(left.shoppers)  # whoever bought nothing else is no shopper of these data
    return replace(
        left,
        stores={
            store: tuple(shopper for shopper in shoppers if shopper in there)
            for store, shoppers in population.stores.items()
        },
        devices=tuple(shopper for shopper in population.devices if shopper in there),
    )


def granted(population: Population) -> Population:
    """The population as if the item list named nothing sensitive."""
    return replace(population, catalogue=without_flags(population.catalogue))
