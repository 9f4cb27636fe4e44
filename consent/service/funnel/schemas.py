"""The consent funnel of a round."""

from consent.service.schemas import Schema


class Funnel(Schema):
    """Counts of shoppers, never their ids.

    ``asked`` = ``granted`` + ``refused``. ``withdrawn_before_commit`` counts grants whose shopper
    refused or withdrew anything after the grant and before the commit (or until now, if there is
    none). ``aggregated_after_withdrawal`` counts those of them that the commit holds all the same;
    it is read from the history, not from the rules that should keep it at 0.
    """

    asked: int
    granted: int
    refused: int
    withdrawn_before_commit: int
    aggregated_after_withdrawal: int
