"""Real parties for a round that key holders vote on: three stations, a coordinator, a consent key.

The key holders run the code of the service without its HTTP, on folders of this audit's own. The
coordinator's and the consent service's keys are the adversaries' to use, and one key holder's too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from crypto.dp.random import SecureRandom
from crypto.keyholder.home import KeyHolder, Pins, create
from crypto.keyholder.peers import Peer, set_peers
from crypto.keyholder.station import Station
from crypto.sums.schemes import HOLDERS
from crypto.wire import SignedRecord

NOW: Final = 1_800_000_000
POPULATION: Final = "audit"
N_FLOOR: Final = 4
Z_FLOOR: Final = 1.0
# Rounds of the audit are many and cost nobody anything; what they prove is not the cap.
_CAP: Final = 1e6


@dataclass
class Clock:
    """The time that all parties of an audit share; attacks move it."""

    now: float = NOW

    def __call__(self) -> float:
        """Unix seconds."""
        return self.now


class _Table:
    """Key holders that ask each other across a table, in place of HTTP."""

    def __init__(self) -> None:
        self.stations: dict[int, Station] = {}

    def latest(self, peer: Peer, holder: int) -> SignedRecord | None:
        data = self.stations[peer.number].latest_vote(holder)
        return None if data is None else SignedRecord.from_bytes(data)


@dataclass(frozen=True, kw_only=True)
class Parties:
    """Everybody but the clients.

    Attributes:
        stations: the three key holders at work, in their order.
        coordinator, consent: their signing keys.
    """

    stations: tuple[Station, ...]
    coordinator: Ed25519PrivateKey
    consent: Ed25519PrivateKey
    clock: Clock

    @property
    def holders(self) -> tuple[KeyHolder, ...]:
        """The key holders' keys and homes; an adversary uses those of the one that it corrupted."""
        return tuple(station.holder for station in self.stations)

    @property
    def identities(self) -> tuple[Ed25519PublicKey, ...]:
        """The key holders' public identities, as everybody pins them."""
        return tuple(holder.identity.public_key() for holder in self.holders)


@contextmanager
def parties(*, rng: SecureRandom, z_floor: float = Z_FLOOR) -> Iterator[Parties]:
    """Parties with fresh keys, on a folder that is gone afterwards."""
    coordinator, consent = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    pins = Pins(
        coordinator=coordinator.public_key(),
        consent=consent.public_key(),
        population=POPULATION,
        n_floor=N_FLOOR,
        z_floor=z_floor,
        epsilon_cap=_CAP,
    )
    clock, table = Clock(), _Table()
    with TemporaryDirectory(prefix="fedcart-audit-") as folder:
        holders = [
            create(Path(folder, f"keyholder-{number}"), number=number, pins=pins)
            for number in range(1, HOLDERS + 1)
        ]
        everybody = [Peer(number=h.number, identity=h.identity.public_key()) for h in holders]
        for holder in holders:
            set_peers(holder.home, [peer for peer in everybody if peer.number != holder.number])
            table.stations[holder.number] = Station(holder, clock=clock, source=table, rng=rng)
        stations = tuple(table.stations.values())
        try:
            yield Parties(stations=stations, coordinator=coordinator, consent=consent, clock=clock)
        finally:
            for station in stations:
                station.close()
