"""Setting up a device: its keys and pins, and its shopper's first decisions.

The home folder appears whole or not at all. A registration whose home could not be written is of
no use to anybody: its token and the key that grants are bound to go with the draft.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from client import notice
from client.home import ClientHome, ClientKind, Trust
from client.limits import EPSILON_CAP, SCHEMES
from consent.ages import AgeBand
from consent.answers import DevicePaired, Registered
from consent.client import ConsentClient
from consent.purpose import Category, Cell, Decision, Purpose
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError
from crypto.holder_card import HolderCard, in_order, parse_card
from crypto.secret_file import write_secret
from crypto.sums.schemes import Scheme

# What a device's event store calls its only shopper: no card number is kept.
SHOPPER: Final = "me"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the operators publish, and how much privacy this device asks for at least.

    Attributes:
        key_holders: files with the three key holders' public cards, in any order.
        catalogue: file with the retailer's public item list.
        n_floor, z_floor, epsilon_cap, experimental, schemes: see ``Trust``.
    """

    population: str
    consent_url: str
    consent_key: Ed25519PublicKey
    coordinator_key: Ed25519PublicKey
    key_holders: tuple[Path, ...]
    catalogue: Path
    n_floor: int
    z_floor: float
    epsilon_cap: float = EPSILON_CAP
    experimental: bool = False
    schemes: tuple[Scheme, ...] = SCHEMES


def first_decisions(*, personalise: bool, train: bool) -> dict[Cell, Decision]:
    """Her two answers about her purchases; every other cell stays unknown: it permits nothing."""
    answers = {Purpose.PERSONALISE: personalise, Purpose.TRAIN: train}
    return {
        Cell(purpose, Category.PURCHASES): Decision.GIVEN if agrees else Decision.REFUSED
        for purpose, agrees in answers.items()
    }


def enrol_device(
    path: Path,
    setup: Setup,
    decisions: Mapping[Cell, Decision],
    http: httpx.Client,
    *,
    age_band: AgeBand,
) -> ClientHome:
    """Register a shopper with her age band and decisions, and make her device's home.

    Raises:
        InvalidInputError: ``path`` is taken, or something of the setup is not what it must be.
        ConsentError: the consent service can't be asked, or shows another key than the pinned one.
    """

    def register(consent: ConsentClient, identity: Ed25519PrivateKey) -> Registered:
        return consent.register(
            decisions,
            notice_version=notice.VERSION,
            client=identity.public_key(),
            age_band=age_band,
        )

    return make_device(path, setup, http, register)


def make_device(
    path: Path,
    setup: Setup,
    http: httpx.Client,
    introduce: Callable[[ConsentClient, Ed25519PrivateKey], Registered | DevicePaired],
) -> ClientHome:
    """Make a device's home, wholly or not at all.

    Everything is checked and pinned before ``introduce`` makes the new identity known to the
    consent service and gets whose it is.

    Raises:
        InvalidInputError: ``path`` is taken, or something of the setup is not what it must be.
        ConsentError: the consent service can't be asked, shows another key than the pinned one,
            or refuses.
    """

    def stand(consent: ConsentClient, identity: Ed25519PrivateKey) -> Standing:
        known = introduce(consent, identity)
        mine = {SHOPPER: known.shopper}
        return Standing(kind=ClientKind.DEVICE, shoppers=mine, token=known.token)

    return make_client(path, setup, http, stand)


@dataclass(frozen=True, kw_only=True, repr=False)
class Standing:
    """Whom a new client stands for, names with ids, and the bearer token that it keeps."""

    kind: ClientKind
    shoppers: dict[str, str]
    token: str


def make_client(
    path: Path,
    setup: Setup,
    http: httpx.Client,
    stand: Callable[[ConsentClient, Ed25519PrivateKey], Standing],
) -> ClientHome:
    """Make a client's home, wholly or not at all; ``stand`` is asked last, under its new key.

    Raises:
        InvalidInputError: ``path`` is taken, or something of the setup is not what it must be.
        ConsentError: the consent service can't be asked, shows another key than the pinned one,
            or refuses.
    """
    cards, catalogue = _read_cards(setup.key_holders), _read_catalogue(setup.catalogue)
    path = path.resolve()
    consent = ConsentClient(http, service_key=setup.consent_key)
    with _appearing(path) as draft:
        consent.keys()
        trust = _pin(setup, cards, catalogue, draft=draft, home=path)
        identity = Ed25519PrivateKey.generate()
        found = stand(consent, identity)
        made = ClientHome.create(
            draft, kind=found.kind, identity=identity, shoppers=found.shoppers, trust=trust
        )
        write_secret(made.token_file, found.token.encode())
    return ClientHome.load(path)


def _read_cards(files: tuple[Path, ...]) -> tuple[HolderCard, ...]:
    """The key holders' cards, in their order.

    Raises:
        InvalidInputError: not one of each, or a file that holds no card.
    """
    return in_order([parse_card(file.read_bytes(), what=str(file)) for file in files])


def _read_catalogue(file: Path) -> bytes:
    """The bytes of an item list that parses.

    Raises:
        InvalidInputError: it doesn't; the message names the file.
    """
    data = file.read_bytes()
    try:
        Catalogue.from_bytes(data)
    except InvalidInputError as error:
        raise InvalidInputError(f"{file} is no item list: {error}") from error
    return data


def _pin(
    setup: Setup, cards: tuple[HolderCard, ...], catalogue: bytes, *, draft: Path, home: Path
) -> Trust:
    """Copy what is pinned into the draft, and name it by where it will be."""
    names = tuple(f"keyholder-{card.number}.card" for card in cards)
    for name, card in zip(names, cards, strict=True):
        (draft / name).write_bytes(card.to_bytes())
    (draft / "catalogue.json").write_bytes(catalogue)
    return Trust(
        population=setup.population,
        consent_url=setup.consent_url,
        consent_key=setup.consent_key,
        coordinator_key=setup.coordinator_key,
        cards=tuple(str(home / name) for name in names),
        holders=tuple(card.identity for card in cards),
        catalogue=str(home / "catalogue.json"),
        n_floor=setup.n_floor,
        z_floor=setup.z_floor,
        epsilon_cap=setup.epsilon_cap,
        experimental=setup.experimental,
        schemes=setup.schemes,
    )


@contextmanager
def _appearing(path: Path) -> Iterator[Path]:
    """A draft folder beside ``path``, only its owner's, that becomes it if the block ends well.

    Raises:
        InvalidInputError: there is something at ``path`` already.
    """
    if path.exists() and not (path.is_dir() and not any(path.iterdir())):
        raise InvalidInputError(f"{path} exists; choose another folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
    try:
        yield draft
        draft.rename(path)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
