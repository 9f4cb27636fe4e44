"""Pairing a device by the short code that its shopper was shown in the panel.

The device answers the code with a record that its identity key signs, and gets a token of its own
for her. A new device's home appears whole or not at all; one that is there keeps its key and pins.
"""

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.choices import erase_purchases
from client.enrol import SHOPPER, Setup, appearing, pin, read_catalogue, read_contexts
from client.home import ClientHome, ClientKind
from consent.answers import DevicePaired
from consent.client import ConsentClient
from consent.tasks.task import TaskName
from consent.transport import RefusalError
from crypto.errors import InvalidInputError
from crypto.secret_file import write_secret


@dataclass(frozen=True, kw_only=True)
class PairedHome:
    """A device that was paired; ``erased`` purchase lines of an earlier shopper are gone."""

    home: ClientHome
    erased: int = 0


def pair_new(
    path: Path, setup: Setup, code: str, http: httpx.Client, *, tasks: Sequence[TaskName] = ()
) -> PairedHome:
    """Make a device's home and pair it.

    Raises:
        InvalidInputError: ``path`` is taken, or something of the setup is not what it must be.
        WireError: no code.
        ConsentError: the code is refused, or the consent service can't be asked or shows another
            key than the pinned one.
    """
    contexts, catalogue = read_contexts(setup.key_holders), read_catalogue(setup.catalogue)
    path = path.resolve()
    consent = ConsentClient(http, service_key=setup.consent_key)
    with appearing(path) as draft:
        consent.keys()
        identity = Ed25519PrivateKey.generate()
        trust = pin(setup, contexts, catalogue, draft=draft, home=path)
        paired = consent.pair_by_code(identity, code, tasks=tasks)
        made = ClientHome.create(
            draft,
            kind=ClientKind.DEVICE,
            identity=identity,
            shoppers={SHOPPER: paired.shopper},
            trust=trust,
        )
        write_secret(made.token_file, paired.token.encode())
    return PairedHome(home=ClientHome.load(path))


def pair_again(
    home: ClientHome, code: str, http: httpx.Client, *, tasks: Sequence[TaskName] = ()
) -> PairedHome:
    """Pair a device that was removed or forgotten, under the key and pins that it has.

    Guarantee: purchases never pass from one shopper to another: if the code is somebody else's
    than the device stood for before, they are erased, and what was computed from them.

    Raises:
        InvalidInputError: a store's home, or the device still stands for somebody.
        WireError: no code.
        ConsentError: the code is refused, or the consent service can't be asked or shows another
            key than the pinned one.
    """
    name = home.shopper
    consent = ConsentClient(http, service_key=home.trust.consent_key)
    consent.keys()
    if _stands(home, consent):
        raise InvalidInputError(
            f"{home.path} stands for a shopper already. Remove it in her panel, or run: "
            f"fedcart device forget --home {home.path}"
        )
    paired = consent.pair_by_code(home.identity, code, tasks=tasks)
    earlier, erased = home.shoppers[name], 0
    if paired.shopper != earlier:
        erased = erase_purchases(home)
        shutil.rmtree(home.derived / earlier, ignore_errors=True)
    _keep(home, name, paired)
    return PairedHome(home=ClientHome.load(home.path), erased=erased)


def _stands(home: ClientHome, consent: ConsentClient) -> bool:
    """Whether the token that the device has is still good. Anything unclear is an error."""
    if not home.token_file.exists():
        return False
    try:
        consent.consents(home.shoppers[home.shopper], home.token)
    except RefusalError as error:
        if error.status != httpx.codes.NOT_FOUND:
            raise
        return False
    return True


def _keep(home: ClientHome, name: str, paired: DevicePaired) -> None:
    """Put the new token and the shopper's id in the place of the old ones, each at once."""
    _replace(home.token_file, paired.token.encode())
    settings = {
        "kind": home.kind,
        "shoppers": {name: paired.shopper},
        "trust": home.trust.to_json(),
    }
    _replace(home.path / "client.json", (json.dumps(settings, indent=1) + "\n").encode())


def _replace(path: Path, data: bytes) -> None:
    draft = path.with_name(f".{path.name}.draft")
    draft.unlink(missing_ok=True)
    write_secret(draft, data)
    draft.replace(path)
