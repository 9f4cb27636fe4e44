"""The rule of every budget ledger: what is spent and what is new, composed, stays within the cap.

Three parties keep one each: a key holder for the population, the coordinator for its tasks, a
client for its shopper. They store releases, not a running ε, so that the bound is composed from
the full list each time; storing before releasing is the ledger's own matter.
"""

from collections.abc import Iterable

from crypto.dp.accounting import Release
from crypto.dp.bound import told
from crypto.dp.conversion import device_epsilon
from crypto.errors import BudgetError

# A sum that meets the cap exactly is not refused for its last digits.
_HAIR = 1e-9


def admit(
    spent: Iterable[Release],
    new: Iterable[Release],
    *,
    cap: float,
    delta: float,
    whose: str = "this budget",
) -> float:
    """The ε of ``spent`` and ``new`` together, if it is within ``cap``; nothing is stored.

    Args:
        spent: every release charged so far, failed rounds included.
        new: what is about to be charged.
        cap: the ε that all together may cost; infinite where privacy is off.
        delta: at which ε is stated.
        whose: names the budget in the error.

    Raises:
        BudgetError: the cap would be exceeded, or cap or delta make no sense.
    """
    if not cap > 0 or not 0 < delta < 1:
        raise BudgetError(f"Expected cap > 0 and 0 < delta < 1, got {cap}, {delta}.")
    before = list(spent)
    total = device_epsilon([*before, *new], delta=delta)
    if not total <= cap * (1 + _HAIR):
        raise BudgetError(
            f"This would spend ε = {told(total)} of {cap:g} in {whose} (already spent: "
            f"{told(device_epsilon(before, delta=delta))}); nothing is released. Raise the noise "
            "or the cap."
        )
    return total
