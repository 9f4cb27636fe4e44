"""What a key holder can tell of itself: its rounds, the ε it has charged, whom it blames."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from crypto.dp.bound import told
from crypto.keyholder import ledger
from crypto.keyholder.home import LOG_FILE, REGISTER_FILE, KeyHolder
from crypto.keyholder.log import rounds, uploads, votes
from crypto.keyholder.log.store import Log
from crypto.keyholder.log.uploads import Blame
from crypto.keyholder.register import Register
from crypto.wire import b64, parse_object


@dataclass(frozen=True, kw_only=True)
class RoundOverview:
    """One round. ``clients`` and ``shoppers`` count what is acknowledged and not yet forgotten."""

    task: str
    round: str
    scheme: str
    state: str
    context: str | None
    clients: int
    shoppers: int
    excluded: dict[str, int]
    closes: int | None


@dataclass(frozen=True, kw_only=True)
class Overview:
    """All of it. ``stopped`` says why this identity must not act any more."""

    holder: int
    identity: str
    population: str
    epsilon: float
    epsilon_cap: float
    delta: float
    votes: int
    stopped: str | None
    rounds: tuple[RoundOverview, ...]
    blames: tuple[Blame, ...]

    def lines(self) -> Sequence[dict[str, Any]]:
        """As JSON objects: the key holder, then its rounds, then its blame records."""
        own = {key: value for key, value in vars(self).items() if key not in {"rounds", "blames"}}
        found: list[dict[str, Any]] = [{"kind": "key-holder", **own}]
        found += [{"kind": "round", **vars(each)} for each in self.rounds]
        found += [
            {"kind": "blame", **vars(each), "header": b64(each.header)} for each in self.blames
        ]
        return found


def overview(holder: KeyHolder) -> Overview:
    """Read a key holder's logs; it may be serving meanwhile."""
    log = Log(holder.home / LOG_FILE)
    try:
        with log.reading() as db:
            counts, excluded = uploads.counts(db), uploads.exclusions(db)
            last = votes.latest(db, holder.name)
            voted = [
                _round(row, counts.get(row.context or ""), excluded.get(row.context or "", {}))
                for row in rounds.every(db)
            ]
            return Overview(
                holder=holder.number,
                identity=holder.name,
                population=holder.pins.population,
                epsilon=ledger.spent(db, holder.pins),
                epsilon_cap=holder.pins.epsilon_cap,
                delta=holder.pins.delta_cap,
                votes=0 if last is None else last.sequence,
                stopped=votes.stopped(db, holder.name),
                rounds=(*voted, *_opened(holder)),
                blames=tuple(uploads.blames(db)),
            )
    finally:
        log.close()


def rounds_table(found: Overview) -> Table:
    """The rounds as a table."""
    table = Table(title=f"Key holder {found.holder} of {found.population}")
    for name in ("task", "round", "scheme", "state", "clients", "shoppers", "excluded"):
        table.add_column(name)
    for each in found.rounds:
        counts = (str(each.clients), str(each.shoppers), str(sum(each.excluded.values())))
        table.add_row(each.task, each.round, each.scheme, each.state, *counts)
    return table


def sentences(found: Overview) -> list[str]:
    """What a person has to know beside the table."""
    budget = f"ε = {told(found.epsilon)} of {found.epsilon_cap:g}, at δ = {found.delta:g}"
    told_of = [f"Charged: {budget}; {found.votes} votes cast."]
    told_of += [
        f"Blamed in round {each.context[:12]}…: {each.client} ({each.role}): {each.reason}."
        for each in found.blames
    ]
    return told_of if found.stopped is None else [*told_of, f"STOPPED: {found.stopped}"]


def _round(
    row: rounds.RoundRow, counts: tuple[int, int] | None, excluded: dict[str, int]
) -> RoundOverview:
    clients, shoppers = counts or (0, 0)
    return RoundOverview(
        task=row.task,
        round=row.round,
        scheme=_scheme(row),
        state=row.state,
        context=row.context,
        clients=clients,
        shoppers=shoppers,
        excluded=excluded,
        closes=row.closes,
    )


def _scheme(row: rounds.RoundRow) -> str:
    """The secure sum that the accepted manifest names."""
    if row.manifest is None:
        return ""
    plan = parse_object(row.manifest_record.body, what="accepted manifest").get("plan")
    return str(plan["scheme"]) if isinstance(plan, dict) else ""


def _opened(holder: KeyHolder) -> list[RoundOverview]:
    if not (holder.home / REGISTER_FILE).exists():
        return []
    return [
        RoundOverview(
            task=each.task,
            round=each.round_id,
            scheme="share-sum",
            state="released",
            context=None,
            clients=each.clients,
            shoppers=0,
            excluded={},
            closes=None,
        )
        for each in Register(holder.home / REGISTER_FILE).answered()
    ]
