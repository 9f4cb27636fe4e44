"""The other two key holders: who they are, where they answer, and asking them for votes.

``peers.json`` is read whenever it is needed, so a peer that moved or was pinned anew counts at
once. A peer's address is only where to ask; what it answers counts by signatures alone.
"""

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from crypto.durable import flush
from crypto.errors import InvalidInputError, RoundError, WireError
from crypto.holder_card import HolderCard, parse_card
from crypto.sums.schemes import HOLDERS
from crypto.wire import (
    SignedRecord,
    b64,
    get_int,
    get_str,
    parse_object,
    parse_public_key,
    public_bytes,
)

PEERS_FILE: Final = "peers.json"
CARD_FILE: Final = "public.card"
_TIMEOUT_S: Final = 10.0
_MAX_ANSWER: Final = 64 * 1024


@dataclass(frozen=True, kw_only=True)
class Peer:
    """Another key holder. ``url`` is None where votes are not fetched over HTTP."""

    number: int
    identity: Ed25519PublicKey
    url: str | None = None

    @property
    def name(self) -> str:
        """Its identity as base64url text."""
        return b64(public_bytes(self.identity))


class VoteSource(Protocol):
    """Where a key holder asks its peers for the latest vote that they have seen of it."""

    def latest(self, peer: Peer, holder: int) -> SignedRecord | None:
        """The latest vote of key holder ``holder`` that ``peer`` has seen, or None.

        Raises:
            RoundError: the peer could not be asked, or made no sense.
        """
        ...


class HttpVotes:
    """Asks peers over HTTP; ``connect`` makes a client for an address (tests mount services)."""

    def __init__(self, connect: Callable[[str], httpx.Client] | None = None) -> None:
        self._connect = connect

    def latest(self, peer: Peer, holder: int) -> SignedRecord | None:
        """See ``VoteSource``."""
        if peer.url is None:
            raise RoundError(
                f"Key holder {peer.number} has no address here; set it with: fedcart keyholder "
                "peers."
            )
        try:
            answer = self._get(peer.url, f"/v1/votes/{holder}")
        except httpx.HTTPError as error:
            raise RoundError(
                f"Key holder {peer.number} could not be asked for votes ({type(error).__name__})."
            ) from error
        if answer.status_code == httpx.codes.NOT_FOUND:
            return None
        if answer.status_code != httpx.codes.OK or len(answer.content) > _MAX_ANSWER:
            raise RoundError(
                f"Key holder {peer.number} gave no vote and no denial ({answer.status_code})."
            )
        try:
            return SignedRecord.from_bytes(answer.content)
        except WireError as error:
            raise RoundError(f"Key holder {peer.number} sent no vote that can be read.") from error

    def _get(self, url: str, path: str) -> httpx.Response:
        if self._connect is not None:
            return self._connect(url).get(path)
        with httpx.Client(base_url=url, timeout=_TIMEOUT_S, trust_env=False) as http:
            return http.get(path)


def set_peers(home: Path, peers: Sequence[Peer]) -> None:
    """Write who the other two key holders of a home are; replaces what was there as a whole.

    Raises:
        InvalidInputError: not exactly the other two, a key twice, or no key holder's home.
    """
    card = read_card(home)
    own = Peer(number=card.number, identity=card.identity)
    others = sorted(set(range(1, HOLDERS + 1)) - {own.number})
    ordered = sorted(peers, key=lambda peer: peer.number)
    if [peer.number for peer in ordered] != others:
        raise InvalidInputError(
            f"Expected key holders {others[0]} and {others[1]} as peers of {own.number}, got "
            f"{[peer.number for peer in ordered]}."
        )
    if len({peer.name for peer in (own, *ordered)}) != HOLDERS:
        raise InvalidInputError("Two key holders show the same identity; each needs its own.")
    entries = [{"number": peer.number, "identity": peer.name, "url": peer.url} for peer in ordered]
    temporary = home / f"{PEERS_FILE}.new"
    temporary.write_text(json.dumps({"peers": entries}, indent=2) + "\n")
    flush(temporary)
    os.replace(temporary, home / PEERS_FILE)  # noqa: PTH105 - atomic on every system
    flush(home)


def read_card(home: Path) -> HolderCard:
    """The public card of a home.

    Raises:
        InvalidInputError: there is none, or it was altered.
    """
    path = home / CARD_FILE
    if not path.is_file():
        raise InvalidInputError(f"No key holder in {home}; make one with: fedcart keyholder init.")
    return parse_card(path.read_bytes(), what=str(path))


def load_peers(home: Path) -> tuple[Peer, ...]:
    """The other two key holders, by number; none if they were not set yet.

    Raises:
        InvalidInputError: an edited file that makes no sense.
    """
    path = home / PEERS_FILE
    if not path.is_file():
        return ()
    entries = parse_object(path.read_bytes(), what=str(path)).get("peers")
    if not isinstance(entries, list) or len(entries) != HOLDERS - 1:
        raise InvalidInputError(f"{path}: expected {HOLDERS - 1} peers.")
    return tuple(_peer(entry) for entry in entries)


def _peer(entry: object) -> Peer:
    if not isinstance(entry, dict):
        raise InvalidInputError("A peer has a number, an identity and a url.")
    return Peer(
        number=get_int(entry, "number", low=1, high=HOLDERS),
        identity=parse_public_key(get_str(entry, "identity"), what="peer identity"),
        url=None if entry.get("url") is None else get_str(entry, "url"),
    )
