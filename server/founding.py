"""Founding a coordinator: first its key, which others pin, then everything else.

Key holders pin the coordinator's key before they exist, and the coordinator pins theirs; so its
key is made alone, and its home is completed when the key holders are there.
"""

import math
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from consent.tasks.catalogue import Catalogue
from consent.transport import check_address
from crypto.errors import InvalidInputError
from crypto.holder_card import HolderCard, in_order, parse_card
from crypto.secret_file import read_secret, write_secret
from crypto.sums.schemes import HOLDERS
from server.artefacts.subspace import described_values
from server.home import CoordinatorHome, HolderAddress
from server.schedule import TrainingPlan, schedule

# In the order of writing: a home without its last file is no home yet.
_FILES = ("identity.key", "consent.token", "coordinator.json")


@dataclass(frozen=True, kw_only=True)
class Founding:
    """What the operator enters."""

    population: str
    consent_url: str
    consent_key: Ed25519PublicKey
    consent_token_file: Path
    holders: tuple[str, ...]
    catalogue: Path
    plan: TrainingPlan


def make_key(home: Path) -> Ed25519PrivateKey:
    """The coordinator's key: made the first time, the same one ever after.

    Raises:
        InvalidInputError: the file that is there holds no key.
    """
    file = home / "identity.key"
    if not file.exists():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_secret(file, Ed25519PrivateKey.generate().private_bytes_raw())
    try:
        return Ed25519PrivateKey.from_private_bytes(read_secret(file))
    except ValueError as error:
        raise InvalidInputError(
            f"{file} holds no Ed25519 key; restore it from a backup."
        ) from error


def found(home: Path, founding: Founding) -> CoordinatorHome:
    """Complete a coordinator's home; nothing is left behind if something is wrong.

    Raises:
        InvalidInputError: there is a coordinator already, or something is not what it must be.
        PlanError: the plan contradicts itself.
    """
    home = home.resolve()
    if (home / "coordinator.json").exists():
        raise InvalidInputError(f"{home} has a coordinator; choose another folder.")
    consent_url = check_address(founding.consent_url)
    holders = _holders(founding.holders)
    _check_plan(founding.plan, founding.catalogue)
    token = founding.consent_token_file.read_text().strip()
    if not token:
        raise InvalidInputError(f"{founding.consent_token_file} is empty; expected a token.")
    made = CoordinatorHome(
        path=home,
        population=founding.population,
        identity=make_key(home),
        consent_url=consent_url,
        consent_key=founding.consent_key,
        consent_token=token,
        holders=holders,
        catalogue=str(founding.catalogue.resolve()),
        plan=founding.plan,
    )
    _settle(made)
    return made


def _settle(made: CoordinatorHome) -> None:
    """Write the home beside its place and move its files in, the telling one last."""
    draft = Path(tempfile.mkdtemp(prefix=f".{made.path.name}-", dir=made.path.parent))
    try:
        replace(made, path=draft).save()
        for name in _FILES:
            (draft / name).replace(made.path / name)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _holders(entries: tuple[str, ...]) -> tuple[HolderAddress, ...]:
    """Addresses in the order of the key holders' numbers, whatever order they were entered in."""
    if len(entries) != HOLDERS:
        raise InvalidInputError(f"Expected {HOLDERS} key holders, got {len(entries)}.")
    found = [_holder(entry) for entry in entries]
    by_number = {card.number: address for card, address in found}
    return tuple(by_number[card.number] for card in in_order([card for card, _ in found]))


def _holder(text: str) -> tuple[HolderCard, HolderAddress]:
    url, separator, name = text.partition(",")
    if not separator:
        raise InvalidInputError(f"A key holder is URL,CARD_FILE; {text!r} is not.")
    file = Path(name).resolve()
    if not file.is_file():
        raise InvalidInputError(f"There is no file {file}.")
    card = parse_card(file.read_bytes(), what=str(file))
    address = HolderAddress(url=check_address(url), identity=card.identity, card=str(file))
    return card, address


def _check_plan(plan: TrainingPlan, catalogue: Path) -> None:
    """Make the schedule once, so that a plan that can't hold is refused before anything is kept."""
    if plan.epsilon is None or not 0 < plan.epsilon < math.inf:
        raise InvalidInputError(
            f"Expected 0 < epsilon={plan.epsilon} < inf: a federation has noise."
        )
    TrainingPlan.from_json(plan.to_json())  # what could not be loaded again is not kept
    try:
        listed = Catalogue.from_bytes(catalogue.read_bytes())
    except InvalidInputError as error:
        raise InvalidInputError(f"{catalogue} is no item list: {error}") from error
    schedule(plan, items=len(listed), described=described_values(listed))
