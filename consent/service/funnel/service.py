"""Reading the consent funnel of a round."""

from consent.service.context import Context
from consent.service.funnel.repository import FunnelRepository
from consent.service.funnel.schemas import Funnel


def read(context: Context, task: str, round_id: str) -> Funnel:
    """The funnel of one round, all counts at one instant."""
    with context.database.reading() as session:
        counts = FunnelRepository(session, task=task, round_id=round_id)
        granted, refused = counts.granted(), counts.refused()
        return Funnel(
            asked=granted + refused,
            granted=granted,
            refused=refused,
            withdrawn_before_commit=counts.withdrawn_before_commit(),
            aggregated_after_withdrawal=counts.aggregated_after_withdrawal(),
        )
