"""What a scrape reads from the database."""

from consent.service.schemas import Schema


class Numbers(Schema):
    """Sizes and backlogs as they are now; ``None`` where there is nothing to tell yet."""

    log_size: int
    requests_open: int
    requests_overdue: int
    webhook_backlog: int
    webhooks_disabled: int
    retention_last_success: int | None
