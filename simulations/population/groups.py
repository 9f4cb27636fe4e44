"""The groups that a population's labels name, as a list that shoppers could be asked from."""

import re

from consent.tasks.groups import GroupSchema
from crypto.errors import InvalidInputError
from simulations.population.population import Population


def schema_of(population: Population) -> GroupSchema:
    """The attributes and groups that a population's labels have, by the first number in each.

    Raises:
        InvalidInputError: it has no labels.
    """
    found: dict[str, set[str]] = {}
    for labels in population.groups.values():
        for attribute, group in labels.items():
            found.setdefault(attribute, set()).add(group)
    if not found:
        raise InvalidInputError(
            f"{population.name} says of no shopper which group she is in: nothing to audit."
        )
    return GroupSchema(
        population.name, {name: tuple(sorted(v, key=_by_number)) for name, v in found.items()}
    )


def _by_number(group: str) -> tuple[float, str]:
    """Bands of numbers in their order, "under" before the band that begins there."""
    number = re.search(r"\d+", group)
    if number is None:
        return (float("inf"), group)
    return (float(number[0]) - 0.5 * group.casefold().startswith(("under", "<")), group)
