"""Pairing a device by the short code that its shopper was shown in the panel.

The device answers the code with a record that its identity key signs, and gets a token of its own
for her. A new device's home appears whole or not at all; one that is there keeps its key and pins.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.enrol import Setup, make_device
from client.erasing import copies_of, erase_purchases
from client.home import ClientHome
from consent.answers import DevicePaired
from consent.client import ConsentClient
from consent.tasks.names import TaskName
from consent.transport import RefusalError
from crypto.errors import InvalidInputError


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

    def answer(consent: ConsentClient, identity: Ed25519PrivateKey) -> DevicePaired:
        return consent.pair_by_code(identity, code, tasks=tasks)

    return PairedHome(home=make_device(path, setup, http, answer))


def pair_again(
    home: ClientHome, code: str, http: httpx.Client, *, tasks: Sequence[TaskName] = ()
) -> PairedHome:
    """Pair a device that was removed or forgotten, under the key and pins that it has.

    Guarantee: nothing passes from one shopper to another: if the code is somebody else's than the
    device stood for before, her purchases are erased, her exports, what was computed from them,
    and the record of her rounds.

    Raises:
        InvalidInputError: a store's home, or the device still stands for somebody.
        WireError: no code.
        ConsentError: the code is refused, or the consent service can't be asked or shows another
            key than the pinned one.
    """
    earlier, erased = home.shoppers[home.shopper], 0
    consent = ConsentClient(http, service_key=home.trust.consent_key)
    consent.keys()
    if _stands(home, consent):
        raise InvalidInputError(
            f"{home.path} stands for a shopper already. Remove it in her panel, or run: "
            f"fedcart device forget --home {home.path}"
        )
    paired = consent.pair_by_code(home.identity, code, tasks=tasks)
    if paired.shopper != earlier:
        erased = erase_purchases(home)
        for file in (*copies_of(home, earlier), home.register):
            file.unlink(missing_ok=True)
    return PairedHome(home=home.stand_for(paired.shopper, paired.token), erased=erased)


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
