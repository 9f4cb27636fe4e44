"""The data gateway: the only way from a client's event store to anything that computes on it.

It asks the consent service whether each grant stands *now*, hands over only the granted
categories, and fails closed: no answer means no data. Lines of sensitive product classes stay
behind unless she granted those for the very purpose.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from client.events import EventStore
from client.holds import NO_HOLDS, Holds
from consent.admit import ConsentedEvents, admit
from consent.client import ConsentClient
from consent.events import Events
from consent.purpose import Category, Purpose
from consent.tasks.catalogue import Catalogue
from crypto.errors import ConsentError
from crypto.grant import ParticipationGrant


@dataclass(frozen=True, kw_only=True)
class ShopperGrant:
    """A shopper of this client with the grant that lets her data into one round."""

    shopper: str
    token: str
    grant: ParticipationGrant


class Gateway:
    """Consented access to an event store, within what the client was told not to use."""

    def __init__(
        self,
        store: EventStore | None,
        consent: ConsentClient,
        catalogue: Catalogue,
        holds: Holds = NO_HOLDS,
    ) -> None:
        """``catalogue`` is the pinned public item list, which says what is sensitive.

        ``store`` is None where nothing was ever imported: then nobody has any events.
        """
        self._store = store
        self._consent = consent
        self._sensitive = catalogue.sensitive_products
        self._holds = holds

    def standing(self, grants: Sequence[ShopperGrant]) -> list[ShopperGrant]:
        """Those of the grants that stand at this moment, and whose purchases are not held back.

        Raises:
            ConsentError: the consent service could not be asked.
        """
        alive = self._consent.standing([item.grant.token_id for item in grants])
        return [item for item in grants if item.grant.token_id in alive and self._usable(item)]

    def _usable(self, item: ShopperGrant) -> bool:
        return all(
            self._holds.usable(item.shopper, Purpose(purpose), {Category.PURCHASES})
            for purpose in item.grant.purposes
        )

    def hand_over(
        self, grants: Sequence[ShopperGrant], purpose: Purpose
    ) -> Iterator[ConsentedEvents]:
        """The events of each shopper, reduced to what her grant covers.

        The grants must be ones that ``standing`` has just returned.

        Raises:
            ConsentError: a grant does not cover the purpose or purchases.
        """
        for item in grants:
            if purpose not in item.grant.purposes:
                raise ConsentError(f"A grant does not cover the purpose {purpose}.")
            granted = frozenset(Category(name) for name in item.grant.categories)
            categories = self._holds.usable(item.shopper, purpose, granted)
            yield self._admit(item.shopper, purpose, categories)

    def personal(self, shopper: str, *, identifier: str, token: str) -> ConsentedEvents:
        """A shopper's own events for recommending on her device, as she agrees at this moment.

        Args:
            shopper: her name in the event store.
            identifier: her id at the consent service.
            token: her bearer token there.

        Raises:
            ConsentError: she doesn't let her purchases be used for it, this client was told not
                to use them, or the consent service could not be asked.
        """
        self._holds.check(shopper)
        given = self._consent.consents(identifier, token).categories(Purpose.PERSONALISE)
        categories = self._holds.usable(shopper, Purpose.PERSONALISE, given)
        return self._admit(shopper, Purpose.PERSONALISE, categories)

    def _admit(
        self, shopper: str, purpose: Purpose, categories: frozenset[Category]
    ) -> ConsentedEvents:
        """A shopper's events as admitted; without her purchases among them, none are read."""
        readable = Category.PURCHASES in categories
        events = self._store.of(shopper) if readable and self._store else Events.empty()
        return admit(
            events, purpose=purpose, categories=categories, sensitive_items=self._sensitive
        )
