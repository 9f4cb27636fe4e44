"""What a key holder works with: its keys, its log, its rounds' files, its source of randomness.

The steps of a round are functions over a desk, one module each; ``station.py`` runs them one at a
time. A desk also keeps what it has opened in memory, up to a bound; the log and the stored
envelopes are the truth, so all of it may be lost at any moment.
"""

from dataclasses import dataclass, field
from typing import Final

from crypto.dp.random import SecureRandom
from crypto.keyholder.home import ROUNDS_FOLDER, KeyHolder
from crypto.keyholder.log.rounds import RoundRow
from crypto.keyholder.log.store import Log
from crypto.keyholder.log.uploads import Seen, seen
from crypto.keyholder.peers import VoteSource
from crypto.keyholder.round_files import RoundFiles
from crypto.sums.pieces.open import HeldPieces, RoundSecret

# Opened pieces that are kept in memory, all rounds together; the rest is opened again.
MAX_KEPT_BYTES: Final = 1 << 28


@dataclass
class Kept:
    """What is in memory of one round: its secret, opened pieces by upload, and what was seen."""

    secret: RoundSecret
    seen: Seen
    pieces: dict[str, HeldPieces] = field(default_factory=dict)
    size: int = 0


@dataclass(kw_only=True)
class Desk:
    """A key holder at work.

    Attributes:
        rng: makes its noise.
        source: asks its peers for votes.
        current: whether its peers were asked since it started, and know no more than its log.
    """

    holder: KeyHolder
    log: Log
    rng: SecureRandom
    source: VoteSource
    current: bool = False
    kept: dict[str, Kept] = field(default_factory=dict)

    def files(self, key_hash: str) -> RoundFiles:
        """The files of the round with this round key."""
        return RoundFiles(self.holder.home / ROUNDS_FOLDER / key_hash)

    def opened(self, row: RoundRow) -> Kept:
        """The round's secret, and what was opened with it so far.

        Raises:
            RoundError: the secret is not here any more.
        """
        if row.key_hash not in self.kept:
            secret = self.files(row.key_hash).read_secret()
            with self.log.reading() as db:
                self.kept[row.key_hash] = Kept(secret, seen(db, row.context or ""))
        return self.kept[row.key_hash]

    def seen(self, row: RoundRow) -> Seen:
        """What no other upload of the round may show again."""
        if row.state.open:
            return self.opened(row).seen
        with self.log.reading() as db:
            return seen(db, row.context or "")

    def keep(self, row: RoundRow, upload: str, held: HeldPieces) -> None:
        """Keep opened pieces for the release, if there is room."""
        kept = self.opened(row)
        size = sum(map(len, held.pieces))
        if sum(each.size for each in self.kept.values()) + size <= MAX_KEPT_BYTES:
            kept.pieces[upload] = held
            kept.size += size

    def let_go(self, key_hash: str) -> None:
        """Drop what is in memory of a round."""
        self.kept.pop(key_hash, None)
