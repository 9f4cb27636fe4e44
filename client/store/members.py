"""Who a store stands for: shoppers who asked it to, each by her own decision.

A shopper joins at the counter, where the store registers her and hands her the token that steers
her consent from then on; or she has chosen the store herself, and tells it her id. The store keeps
the names that its till knows her by (a card number, say) and her ids, never her token.
"""

import fcntl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from client import notice
from client.holds import Holds
from client.home import ClientHome, ClientKind
from client.importers.values import parse_id
from consent.ages import AgeBand
from consent.client import ConsentClient
from consent.purpose import Cell, Decision
from crypto.errors import InvalidInputError

_IDS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
_LONGEST_ID = 64


@dataclass(frozen=True, kw_only=True, repr=False)
class Joined:
    """A shopper who joined at the counter.

    Attributes:
        home: the store's, which stands for her now.
        shopper: her id at the consent service.
        token: steers her consent. The store hands it to her and does not keep it: this is the only
            copy.
    """

    home: ClientHome
    shopper: str
    token: str


def register_shopper(
    home: ClientHome,
    http: httpx.Client,
    name: str,
    decisions: Mapping[Cell, Decision],
    *,
    age_band: AgeBand,
) -> Joined:
    """Register a shopper at the counter with her age band and decisions.

    Args:
        home: the store's.
        http: reaches the consent service.
        name: what the store's till calls her.
        decisions: what she says; nothing else is taken for a yes.
        age_band: as she states it.

    Raises:
        InvalidInputError: a device's home, or a name that is no name or somebody's already. One
            whose data was erased here may join again.
        ConsentError: the consent service refused, or can't be asked.
    """
    name = _name(name)
    known = home.shoppers.get(name)
    if known is not None and not Holds.load(home).erased(name):
        raise InvalidInputError(f"This store stands for {name!r} already, as shopper {known}.")
    consent = ConsentClient(http, service_key=home.trust.consent_key)
    found = consent.register(
        decisions,
        notice_version=notice.VERSION,
        client=home.identity.public_key(),
        kind=ClientKind.STORE,
        age_band=age_band,
        store_token=home.token,
    )
    with _alone(home) as latest:
        stands = latest.joined_by({name: found.shopper}, again=known is not None)
    return Joined(home=stands, shopper=found.shopper, token=found.token)


def name_shopper(home: ClientHome, name: str, identifier: str) -> ClientHome:
    """Take note of a shopper who chose this store herself.

    Nothing of her is used unless the consent service says in a round that she did.

    Raises:
        InvalidInputError: a device's home, no id, or a name or an id that is somebody's already.
    """
    identifier = identifier.strip()
    if not identifier or len(identifier) > _LONGEST_ID or set(identifier) - _IDS:
        raise InvalidInputError(
            f"{identifier[:_LONGEST_ID]!r} is no shopper's id; her panel shows hers."
        )
    with _alone(home) as latest:
        return latest.joined_by({_name(name): identifier})


@contextmanager
def _alone(home: ClientHome) -> Iterator[ClientHome]:
    """The home as it is on disk, while no other counter of this store writes it."""
    with (home.path / ".members.lock").open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield ClientHome.load(home.path)


def _name(text: str) -> str:
    try:
        return parse_id(text)
    except ValueError as error:
        raise InvalidInputError(f"A shopper's name at the till is {error}.") from None
