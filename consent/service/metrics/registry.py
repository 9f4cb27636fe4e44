"""What one service counts and times, for Prometheus.

Labels are route templates, status classes and the service's own words, never an id: the number of
series is bounded, and a scrape says nothing of any shopper. Counters begin at zero with the
process; several processes are summed where they are scraped.
"""

from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_LATENCY_S: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
_WAIT_S: Final = (0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10)


class Metrics:
    """The counters of one service, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self.requests = self._counter("requests", "Requests.", "method", "route", "status")
        self.latency = Histogram(
            "fedcart_consent_request_seconds",
            "Seconds from a request to the end of its answer.",
            ["route"],
            buckets=_LATENCY_S,
            registry=self._registry,
        )
        self.writer_wait = Histogram(
            "fedcart_consent_writer_wait_seconds",
            "Seconds that a change waited for the write lock.",
            buckets=_WAIT_S,
            registry=self._registry,
        )
        self.busy = self._counter("database_busy", "Calls that the database was too busy for.")
        self.rate_limited = self._counter("rate_limited", "Requests refused with 429.")
        self.grants_issued = self._counter("grants_issued", "Participation grants handed out.")
        self.grants_refused = self._counter(
            "grants_refused", "Shoppers for whom a grant was refused.", "reason"
        )
        self.withdrawals = self._counter("withdrawals", "Cells of consent that were withdrawn.")
        self.commits = self._counter("commits", "Rounds whose list was frozen.")
        self.dropped = self._counter("dropped_at_commit", "Uploads left out of a list.", "reason")
        self.job_failures = self._counter("job_failures", "Background passes that failed.", "job")
        self.gauges = {
            name: Gauge(f"fedcart_consent_{name}", text, registry=self._registry)
            for name, text in {
                "log_size": "Leaves of the consent log.",
                "requests_open": "Shoppers' requests that are not answered yet.",
                "requests_overdue": "Open requests whose time is over.",
                "webhook_backlog": "Webhook deliveries that wait.",
                "webhooks_disabled": "Webhooks that are stopped.",
                "retention_last_success_timestamp_seconds": "When retention last ran wholly.",
            }.items()
        }

    def waited(self, seconds: float) -> None:
        """A change had to wait that long for the write lock."""
        self.writer_wait.observe(seconds)

    def was_busy(self) -> None:
        """The database was not free in time, or away."""
        self.busy.inc()

    def text(self) -> bytes:
        """Everything in the text format of Prometheus."""
        return generate_latest(self._registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"fedcart_consent_{name}", text, labels, registry=self._registry)
