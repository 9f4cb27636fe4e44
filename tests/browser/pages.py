"""Every page of the panel that a visitor can open, and who opens it."""

from typing import NamedTuple


class Shown(NamedTuple):
    """A page: its path with blanks for ids, and who is signed in to see it (None: nobody)."""

    path: str
    who: str | None = None

    def __str__(self) -> str:
        return f"{self.who or 'nobody'}:{self.path}"


PAGES = [
    Shown("/"),
    Shown("/notices"),
    Shown("/notices/2026-11"),
    Shown("/policies"),
    Shown("/policies/popularity/2026-w48"),
    Shown("/no-such-page"),
    Shown("/", "regular"),
    Shown("/", "new"),
    Shown("/choices", "regular"),
    Shown("/choices", "new"),
    Shown("/choices?open=sensitive-product-classes", "leaver"),
    Shown("/choices/signal?yes=value-sharing.purchases", "new"),
    Shown("/diary", "regular"),
    Shown("/diary", "leaver"),
    Shown("/diary", "new"),
    Shown("/points", "regular"),
    Shown("/points", "new"),
    Shown("/history", "regular"),
    Shown("/history", "new"),
    Shown("/login"),
    Shown("/register"),
    Shown("/recover"),
    Shown("/confirm", "regular"),
    Shown("/account", "regular"),
    Shown("/account", "operator"),
    Shown("/account/passkeys", "regular"),
    Shown("/withdrawals", "leaver"),
    Shown("/withdrawals", "new"),
    Shown("/withdrawals/2", "leaver"),
    Shown("/rights", "leaver"),
    Shown("/rights", "new"),
    Shown("/rights/requests/{request}", "leaver"),
    Shown("/rights/erasure", "regular"),
    Shown("/rights/status"),
    Shown("/operators", "operator"),
    Shown("/operators", "auditor"),
    Shown("/operators/requests", "operator"),
    Shown("/operators/requests/{request}", "operator"),
    Shown("/operators/audit", "operator"),
    Shown("/operators/retention", "operator"),
    Shown("/operators/ropa", "auditor"),
    Shown("/operators/dpia", "auditor"),
    Shown("/operators/webhooks", "operator"),
    Shown("/operators/webhooks/{webhook}", "operator"),
    Shown("/age", "regular"),
    Shown("/age", "new"),
    Shown("/guardian", "regular"),
    Shown("/signals", "regular"),
]
