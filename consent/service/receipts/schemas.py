"""The list of a shopper's receipts."""

from consent.service.schemas import Schema


class ReceiptSummary(Schema):
    """One receipt: its number, the time of its events (Unix milliseconds), how many cells."""

    record: int
    time: int
    changes: int


class Receipts(Schema):
    """Receipts, oldest first; pass ``next`` as ``cursor`` for those that follow."""

    receipts: list[ReceiptSummary]
    next: int | None = None
