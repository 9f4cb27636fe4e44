"""How fast the consent service answers with a great many shoppers in its database.

A new service is seeded and audited, then served by a process of its own; everything is measured
over real loopback HTTP from here, so the client's share of the two cores is in the figures. It
begins when the seeding is on the disk and the service has run its jobs once. Each part says how
much it asked; a wrong answer ends the benchmark.
"""

import asyncio
import gc
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.service.accounts.repository import AccountRepository
from consent.service.accounts.service import create_account, open_session
from consent.service.context import Context, opened
from consent.service.principals import Role
from consent.service.settings import Settings, create_home
from simulations.bench.consent_audit import audit
from simulations.bench.consent_http import Answer, one_by_one, open_loop, request, spread
from simulations.bench.consent_process import served
from simulations.bench.consent_seed import commit_request, seed
from simulations.bench.consent_settling import await_jobs, settle
from simulations.bench.consent_world import NOTICE, TRAIN, Progress, World

BULK: Final = 10_000
RATE: Final = 200.0
REPEATS: Final = 20
VISITORS: Final = 40
WITHDRAWALS: Final = 300
UPLOADS: Final = 10_000
PAGES: Final = {
    Role.SHOPPER: (
        "/",
        "/choices",
        "/diary",
        "/points",
        "/history",
        "/rights",
        "/policies",
        "/notices",
        "/account",
    ),
    Role.OPERATOR: (
        "/operators",
        "/operators/requests",
        "/operators/audit",
        "/operators/retention",
        "/operators/ropa",
        "/operators/dpia",
        "/operators/webhooks",
    ),
}
Line = dict[str, Any]


class WrongAnswerError(ValueError):
    """The service answered something else than it should."""


def bench_consent(
    *, database: str | None, shoppers: int, seconds: float, progress: Progress, folder: Path | None
) -> Iterator[Line]:
    """One JSON object a part.

    Args:
        database: the URL of an empty PostgreSQL database; without it, SQLite.
        shoppers: how many to seed.
        seconds: how long single checks come in.
        progress: told how many shoppers are seeded.
        folder: where the service's folder is made, kept afterwards; without it, a temporary one.

    Raises:
        AuditError: the seeded database contradicts itself.
        WrongAnswerError: the service gave a wrong answer.
    """
    with tempfile.TemporaryDirectory(prefix="fedcart-bench-") as temporary:
        bench = _Bench(
            home=(folder or Path(temporary)) / "consent",
            shared={
                "database": "postgresql" if database else "sqlite",
                "shoppers": shoppers,
            },
        )
        yield bench.seed(database, shoppers, progress)
        settle(Settings.load(bench.home))
        gc.collect()
        gc.freeze()  # the shoppers known here: looking through them would be on somebody's clock
        with served(bench.home) as port:
            await_jobs(Settings.load(bench.home))
            for part in (bench.bulk, bench.single(seconds), bench.pages, bench.withdrawals):
                yield from part(port)
            yield from bench.commits(port)


@dataclass
class _Bench:
    home: Path
    shared: Line

    def seed(self, database: str | None, shoppers: int, progress: Progress) -> Line:
        """Fill a new service's database, and hold it to the service's own checks."""
        key = Ed25519PrivateKey.generate()
        create_home(self.home, issuer="bench", database=database, coordinator_key=key.public_key())
        settings = Settings.load(self.home)
        began = time.perf_counter()
        self.world = seed(
            settings,
            key,
            shoppers=shoppers,
            rng=np.random.default_rng(7),
            progress=progress,
        )
        took = time.perf_counter() - began
        with opened(settings) as context:
            sizes = audit(context, self.world)
            self.logins = _logins(context, self.world)
        return self._line("seed", seconds=round(took, 1), **sizes)

    def bulk(self, port: int) -> Iterator[Line]:
        """10,000 grants in one request."""
        tokens = self.world.open[0].tokens[:BULK]
        asked = request("POST", "/v1/standing", {"token_ids": tokens})
        found = asyncio.run(one_by_one(port, [asked] * (REPEATS + 1)))
        for _, answer in found:
            _require(_ok(answer)["standing"] == tokens, "every grant stands")
        first, *rest = [seconds for seconds, _ in found]
        yield self._line(
            "bulk check", grants=len(tokens), first_ms=round(first * 1000, 1), **spread(rest)
        )

    def single(self, seconds: float) -> Callable[[int], Iterator[Line]]:
        """Single checks at a fixed rate."""

        def measure(port: int) -> Iterator[Line]:
            tokens = self.world.open[0].tokens
            asked = [
                request("POST", "/v1/standing", {"token_ids": [tokens[number * 7 % len(tokens)]]})
                for number in range(int(RATE * seconds))
            ]

            def check(answer: Answer) -> None:
                _require(len(_ok(answer)["standing"]) == 1, "the grant stands")

            found = asyncio.run(open_loop(port, asked, rate=RATE, check=check))
            yield self._line("single check", per_second=RATE, **spread(found))

        return measure

    def pages(self, port: int) -> Iterator[Line]:
        """The panel's pages, each for a number of visitors who have not seen it before."""
        for role, paths in PAGES.items():
            for path in paths:
                asked = [
                    request("GET", path, headers={"cookie": f"fedcart_session={token}"})
                    for token in self.logins[role]
                ]
                found = asyncio.run(one_by_one(port, asked * (VISITORS // len(asked))))
                for _, answer in found:
                    _require(answer.status == 200, f"{path} is a page, not {answer.status}")
                yield self._line("page", role=role, path=path, **spread([s for s, _ in found]))

    def withdrawals(self, port: int) -> Iterator[Line]:
        """Shoppers who withdraw, one after another, each with all that follows from it."""
        given = np.flatnonzero(self.world.train)
        asked = [
            request(
                "PUT",
                f"/v1/shoppers/{self.world.ids[who]}/consents",
                {
                    "decisions": [
                        {
                            "purpose": TRAIN.purpose,
                            "category": TRAIN.category,
                            "decision": "withdrawn",
                        }
                    ],
                    "notice_version": NOTICE,
                },
                {"authorization": f"Bearer {self.world.token(who)}"},
            )
            for who in given[-WITHDRAWALS:].tolist()
        ]
        found = asyncio.run(one_by_one(port, asked))
        for _, answer in found:
            _ok(answer)
        yield self._line("withdrawal", **spread([seconds for seconds, _ in found]))

    def commits(self, port: int) -> Iterator[Line]:
        """Whole rounds frozen, one upload a client."""
        token = (self.home / "coordinator.token").read_text()
        for grants in self.world.open:
            body = commit_request(grants, clients=UPLOADS)
            asked = request(
                "POST",
                "/v1/commits",
                body.model_dump(mode="json"),
                {"authorization": f"Bearer {token}"},
            )
            ((seconds, answer),) = asyncio.run(one_by_one(port, [asked]))
            _ok(answer)
            yield self._line(
                "commit", uploads=len(body.uploads), milliseconds=round(seconds * 1000, 1)
            )

    def _line(self, part: str, **measured: Any) -> Line:
        return {**self.shared, "part": part, **measured}


def _logins(context: Context, world: World) -> dict[Role, list[str]]:
    """Open logins of shoppers who have been in most rounds, and of an operator."""
    eager = np.argsort(-world.rounds, kind="stable")[:VISITORS]
    found: dict[Role, list[str]] = {Role.SHOPPER: []}
    with context.database.writing() as session:
        accounts = AccountRepository(session)
        for who in eager.tolist():
            account = accounts.of_shopper(world.ids[who])
            if account is None:
                raise WrongAnswerError("A seeded shopper has no account.")
            found[Role.SHOPPER].append(open_session(context, session, account, label="bench"))
        operator = create_account(
            context, session, role=Role.OPERATOR, shopper_id=None, name="operator"
        )
        found[Role.OPERATOR] = [open_session(context, session, operator, label="bench")]
    return found


def _ok(answer: Answer) -> Any:
    _require(answer.status == 200, f"the answer is 200, not {answer.status}")
    return json.loads(answer.body)


def _require(holds: object, claim: str) -> None:
    if not holds:
        raise WrongAnswerError(f"The service answered wrongly: not so that {claim}.")
