"""Recent popularity: the same vector as popularity, over a shopper's last few baskets only.

It follows the season: what is bought now counts, what was bought half a year ago does not.
"""

from client.contributions.history import FloatArray, History
from client.contributions.popularity import root_counts
from consent.tasks.popularity import RecentPopularityTask


def contribution(task: RecentPopularityTask, history: History) -> FloatArray:
    """Root counts over the last ``task.baskets`` baskets.

    Returns:
        float64, shape (task.dimension,), unitless. Guarantee: non-negative, finite, and of L2 norm
        0 (no known item) or 1 up to rounding.

    Raises:
        InvalidInputError: the task counts other items than the catalogue lists.
    """
    return root_counts(history.latest(task.baskets), items=task.items)
