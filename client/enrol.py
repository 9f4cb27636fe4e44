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
from consent.ages import AgeBand
from consent.answers import DevicePaired, Registered
from consent.client import ConsentClient
from consent.purpose import Category, Cell, Decision, Purpose
from consent.tasks.catalogue import Catalogue
from crypto.errors import InvalidInputError, SealError
from crypto.secret_file import write_secret
from crypto.sums.interface import HOLDERS
from crypto.sums.share_sum.context import load_public
from crypto.sums.share_sum.parameters import context_hash

# What a device's event store calls its only shopper: no card number is kept.
SHOPPER: Final = "me"


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What the operators publish, and how much privacy this device asks for at least.

    Attributes:
        key_holders: files with the three key holders' public contexts, in their order.
        catalogue: file with the retailer's public item list.
        n_floor, z_floor: see ``Trust``.
    """

    population: str
    consent_url: str
    consent_key: Ed25519PublicKey
    coordinator_key: Ed25519PublicKey
    key_holders: tuple[Path, ...]
    catalogue: Path
    n_floor: int
    z_floor: float


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
    contexts, catalogue = _read_contexts(setup.key_holders), _read_catalogue(setup.catalogue)
    path = path.resolve()
    consent = ConsentClient(http, service_key=setup.consent_key)
    with _appearing(path) as draft:
        consent.keys()
        trust = _pin(setup, contexts, catalogue, draft=draft, home=path)
        identity = Ed25519PrivateKey.generate()
        known = introduce(consent, identity)
        made = ClientHome.create(
            draft,
            kind=ClientKind.DEVICE,
            identity=identity,
            shoppers={SHOPPER: known.shopper},
            trust=trust,
        )
        write_secret(made.token_file, known.token.encode())
    return ClientHome.load(path)


def _read_contexts(files: tuple[Path, ...]) -> tuple[bytes, ...]:
    """The key holders' public contexts.

    Raises:
        InvalidInputError: not three different files, or one that holds no public context.
    """
    if len(files) != HOLDERS:
        raise InvalidInputError(
            f"Expected the public.context files of {HOLDERS} key holders, got {len(files)}."
        )
    contexts = tuple(_context(file) for file in files)
    if len(set(contexts)) != HOLDERS:
        raise InvalidInputError("Two key holders have the same public context; name three.")
    return contexts


def _context(file: Path) -> bytes:
    data = file.read_bytes()
    try:
        load_public(data, context_hash(data))
    except SealError as error:
        raise InvalidInputError(
            f"{file} is no key holder's public.context: {error} Never use one with a secret key."
        ) from error
    return data


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
    setup: Setup, contexts: tuple[bytes, ...], catalogue: bytes, *, draft: Path, home: Path
) -> Trust:
    """Copy what is pinned into the draft, and name it by where it will be."""
    names = tuple(f"keyholder-{number}.context" for number in range(1, HOLDERS + 1))
    for name, context in zip(names, contexts, strict=True):
        (draft / name).write_bytes(context)
    (draft / "catalogue.json").write_bytes(catalogue)
    return Trust(
        population=setup.population,
        consent_url=setup.consent_url,
        consent_key=setup.consent_key,
        coordinator_key=setup.coordinator_key,
        contexts=tuple(str(home / name) for name in names),
        context_hashes=tuple(context_hash(context) for context in contexts),
        catalogue=str(home / "catalogue.json"),
        n_floor=setup.n_floor,
        z_floor=setup.z_floor,
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
