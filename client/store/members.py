"""Who a store stands for: shoppers who asked it to, each by her own decision.

A shopper joins at the counter, where the store registers her and hands her the token that steers
her consent from then on; or she has chosen the store herself, and tells it her id. The store keeps
the names that its till knows her by (a card number, say) and her ids, never her token.
"""

import fcntl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import httpx

from client import notice
from client.holds import Holds
from client.home import ClientHome, ClientKind
from client.importers.values import parse_id
from client.store.lists import Entry, MembersList, Refused, twice
from consent.ages import AgeBand
from consent.client import ConsentClient
from consent.participation import is_name
from consent.purpose import Cell, Decision
from crypto.errors import InvalidInputError
from crypto.grant_list import MAX_GRANTS

ID: Final = "id"
_LONGEST_ID: Final = 64


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
    _check_room(home, 1)
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


@dataclass(frozen=True, kw_only=True)
class Linked:
    """What came of a list of shoppers who chose this store themselves.

    Attributes:
        home: the store's as it is now.
        added: whom it stands for since now.
        known: whom it stood for already, under the same name and id.
        refused: rows that were not taken, each with its reason.
    """

    home: ClientHome
    added: int
    known: int
    refused: tuple[Refused, ...]


def name_shopper(home: ClientHome, name: str, identifier: str) -> ClientHome:
    """Take note of a shopper who chose this store herself.

    Nothing of her is used unless the consent service says in a round that she did.

    Raises:
        InvalidInputError: a device's home, no id, or a name or an id that is somebody's already.
        ConsentError: what shoppers told the store can't be read.
    """
    entry = Entry(line=1, name=_name(name), values={ID: identifier.strip()})
    done = name_shoppers(home, MembersList(entries=(entry,)))
    if done.refused:
        raise InvalidInputError(f"{entry.name!r}: {done.refused[0].reason}.")
    return done.home


def name_shoppers(home: ClientHome, members: MembersList, *, skip_bad: bool = False) -> Linked:
    """Take note of shoppers who each chose this store herself, in one write: all of them or none.

    Nothing is consented to here. In every round the consent service says of each whether she
    chose this store and whether she agrees; whoever did not is left out.

    Args:
        home: the store's.
        members: names that the till has, each with the id that its bearer gave (column ``id``).
        skip_bad: take the others where some are refused; else nobody is.

    Raises:
        InvalidInputError: a device's home, or more shoppers than one client may stand for.
        ConsentError: what shoppers told the store can't be read.
    """
    with _alone(home) as latest:
        refused = members.refused + _refused(latest, members.entries)
        bad = {each.line for each in refused}
        good = {each.name: each.values[ID] for each in members.entries if each.line not in bad}
        fresh = {name: ident for name, ident in good.items() if latest.shoppers.get(name) != ident}
        if (refused and not skip_bad) or not fresh:
            return Linked(home=latest, added=0, known=len(good) - len(fresh), refused=refused)
        _check_room(latest, len(fresh))
        # Whose name gets another id here left for good before, or she would have been refused.
        made = latest.joined_by(fresh, again=True)
    return Linked(home=made, added=len(fresh), known=len(good) - len(fresh), refused=refused)


def _refused(home: ClientHome, entries: Sequence[Entry]) -> tuple[Refused, ...]:
    """The rows that can't be taken as the store is now."""
    holds, bearers = Holds.load(home), {ident: name for name, ident in home.shoppers.items()}
    repeated = twice(entries, lambda each: each.values[ID], what="this id")
    repeated |= twice(entries, lambda each: each.name, what="this name")
    found = []
    for each in entries:
        why = repeated.get(each.line) or _why_not(home, holds, bearers, each)
        if why is not None:
            found.append(Refused(line=each.line, name=each.name, reason=why))
    return tuple(found)


def _why_not(
    home: ClientHome, holds: Holds, bearers: Mapping[str, str], entry: Entry
) -> str | None:
    name, ident = entry.name, entry.values[ID]
    if len(ident) > _LONGEST_ID or not is_name(ident):
        # One such id, and the consent service would refuse every request that names the others.
        return f"{ident[:_LONGEST_ID]!r} is no shopper's id"
    if home.shoppers.get(name, ident) != ident and not holds.erased(name):
        return f"this store knows that name as shopper {home.shoppers[name]}"
    if bearers.get(ident, name) != name:
        return f"shopper {ident} is known here as {bearers[ident]!r}"
    return None


def _check_room(home: ClientHome, more: int) -> None:
    count = len(home.shoppers) + more
    if count > MAX_GRANTS:
        raise InvalidInputError(
            f"This store would stand for {count:,} shoppers; one client stands for at most "
            f"{MAX_GRANTS:,}. Set up another, with its own key: fedcart store init."
        )


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
