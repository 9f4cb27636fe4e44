"""Shoppers who withdraw while rounds are under way, followed to the end at their own clients."""

from collections.abc import Mapping

from client.home import ClientHome
from client.instructions import sync
from consent.instruction import InstructionState
from consent.purpose import Decision
from consent.withdrawal import Bundle, Statement, verify_bundle
from crypto.errors import ConsentError
from server.artefacts.subspace import described_values
from server.schedule import schedule
from simulations.engine.choices import TRAINING, Choice
from simulations.engine.world import NOTICE_VERSION, World


class Withdrawals:
    """Each at her own moment of the run; ``carry_out`` is what her client does about it."""

    def __init__(self, world: World, choices: Mapping[str, Choice]) -> None:
        plan = world.coordinator.plan
        listed = world.coordinator.load_catalogue()
        planned = schedule(plan, items=len(listed), described=described_values(listed))
        replies = sum(each.rounds for each in planned.plans.values()) * plan.max_clients
        self._world = world
        self._due = sorted(
            (choice.withdraws * replies, shopper)
            for shopper, choice in choices.items()
            if choice.withdraws is not None
        )
        self._saved: dict[str, int] = {}

    def __call__(self, kind: str, done: int) -> None:
        """Let those withdraw whose moment has come, now that so many replies are there."""
        while kind == "train.contribute" and self._due and self._due[0][0] <= done:
            _, shopper = self._due.pop(0)
            registered = self._world.shoppers[shopper]
            self._saved[shopper] = self._world.consent.decide(
                registered.shopper,
                registered.token,
                {TRAINING: Decision.WITHDRAWN},
                notice_version=NOTICE_VERSION,
            ).epoch

    def __len__(self) -> int:
        """How many have withdrawn."""
        return len(self._saved)

    def carry_out(self) -> int:
        """Have the clients of all who withdrew do what they are told; returns what is proved.

        That is the number of withdrawals whose proof holds and ends with the client's own report.

        Raises:
            ConsentError: the consent service can't be asked, or a proof does not hold.
        """
        clients = {self._world.client_of[shopper] for shopper in self._saved}
        for home in map(ClientHome.load, self._world.nodes.values() if clients else ()):
            if home.client_id in clients:
                sync(home, self._world.consent)
        return sum(self._is_purged(shopper, epoch) for shopper, epoch in self._saved.items())

    def _is_purged(self, shopper: str, epoch: int) -> bool:
        registered, consent = self._world.shoppers[shopper], self._world.consent
        bundle = Bundle.from_bytes(
            consent.withdrawal_bundle(registered.shopper, registered.token, epoch)
        )
        key = self._world.coordinator.consent_key
        if wrong := [check.text for check in verify_bundle(bundle, key) if not check.holds]:
            raise ConsentError(f"The proof of a withdrawal does not hold: {'; '.join(wrong)}")
        claims = Statement.verify(bundle.statement, key).clients
        return bool(claims) and all(claim.state is InstructionState.DONE for claim in claims)
