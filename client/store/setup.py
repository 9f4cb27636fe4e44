"""Setting up a store's silo: its key and pins, and the token that it registers shoppers with."""

from pathlib import Path

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from client.enrol import Setup, Standing, make_client
from client.home import ClientHome, ClientKind
from consent.client import ConsentClient
from crypto.errors import InvalidInputError
from crypto.secret_file import read_secret


def make_store(path: Path, setup: Setup, http: httpx.Client, *, token_file: Path) -> ClientHome:
    """Make a store's home, wholly or not at all. It stands for nobody until somebody joins it.

    Args:
        path: of the new folder.
        setup: what is pinned; its floors and cap hold for every shopper of the store.
        http: reaches the consent service.
        token_file: the store's own token, as the consent service's operator handed it out.

    Raises:
        InvalidInputError: ``path`` is taken, or something of the setup is not what it must be.
        ConsentError: the consent service can't be asked, or shows another key than the pinned one.
    """
    token = read_secret(token_file).decode().strip()
    if not token:
        raise InvalidInputError(f"{token_file} is empty; it holds the store's token.")

    def stand(_consent: ConsentClient, _identity: Ed25519PrivateKey) -> Standing:
        return Standing(kind=ClientKind.STORE, shoppers={}, token=token)

    return make_client(path, setup, http, stand)


def load_store(path: Path) -> ClientHome:
    """Load a store's home.

    Raises:
        InvalidInputError: no client there, or a device's.
    """
    if not (path / "client.json").is_file():
        raise InvalidInputError(f"No store in {path}; make one with: fedcart store init.")
    home = ClientHome.load(path)
    if home.kind is not ClientKind.STORE:
        raise InvalidInputError(f"{path} is a device's home, not a store's.")
    return home
