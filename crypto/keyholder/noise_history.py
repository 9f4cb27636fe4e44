"""The last noise entries of a run whose noise cancels over rounds: secrets that outlive a round.

In a plan with bands, an entry is drawn around what this key holder drew for the rounds before
(``crypto.dp.correlated``). They lie in ``noise/RUN/``, one file a number (0600), and go as soon as
no later round needs them; a backup never has them. A run whose history is incomplete can't go on:
drawing an entry anew, or around other numbers, would leave noise that cancels where it must not.

A number that was skipped is another matter: nothing was ever made of it, so its entry is drawn when
the next one needs it. ``drawn``, from the log, tells the two apart.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from crypto.dp.noise import holder_noise
from crypto.dp.random import SecureRandom
from crypto.durable import flush
from crypto.errors import RoundError
from crypto.keyholder.round_files import erase_file
from crypto.manifest import Manifest
from crypto.update import NoisedUpdate
from crypto.wire import digest, pack_frames, unpack_frames

IntArray = npt.NDArray[np.int64]

NOISE_FOLDER: Final = "noise"
# Every skipped round costs an entry that nobody gets.
MAX_SKIPPED: Final = 64
_MAX_ENTRY: Final = 1 << 28
_SKIPPED: Final = ""


class NoiseHistory:
    """One key holder's noise history of the run that a manifest belongs to.

    Args:
        home: the key holder's folder.
        manifest: of the round that is drawn for.
        drawn: number of the last round of this run that an entry was made for, -1 for none.
    """

    def __init__(self, home: Path, manifest: Manifest, *, drawn: int) -> None:
        place = (manifest.population, manifest.task, manifest.run)
        name = digest("noise-run", *map(str.encode, place)).hex()
        self._folder = home / NOISE_FOLDER / name
        self._plan, self._number, self._drawn = manifest.plan, manifest.number, drawn

    def draw(self, context: str, *, rng: SecureRandom) -> NoisedUpdate:
        """This round's entry, on disk before anything made of it leaves.

        A crash may have left one that never left this machine: the same round replaces it.

        Raises:
            RoundError: an earlier entry is lost, too many rounds were skipped, or another round of
                the run was drawn under this number.
        """
        if self._number - self._drawn - 1 > MAX_SKIPPED:
            raise RoundError(
                f"Round {self._number} of this run skips {self._number - self._drawn - 1} rounds, "
                f"at most {MAX_SKIPPED} are allowed; plan a new run."
            )
        for number in range(self._drawn + 1, self._number):
            if not self._path(number).is_file():
                self._keep(number, _SKIPPED, self._entry(number, rng))
        path = self._path(self._number)
        if path.exists() and self._read(self._number)[0] != context:
            raise RoundError(
                f"Round {self._number} of this run was drawn for another manifest; plan the next "
                "number, or a new run."
            )
        entry = self._entry(self._number, rng)
        self._keep(self._number, context, entry)
        return entry

    def forget(self) -> None:
        """Erase what no later round needs, once this round's entry can't be drawn again."""
        last = self._number == self._plan.rounds - 1
        needed = self._number if last else self._number - self._plan.bands + 2
        for path in self._folder.glob("*.entry"):
            if int(path.stem) < needed:
                erase_file(path)

    def _entry(self, number: int, rng: SecureRandom) -> NoisedUpdate:
        wanted = range(max(0, number - self._plan.bands + 1), number)
        past = [self._read(each)[1] for each in wanted]
        return holder_noise(plan=self._plan, rng=rng, number=number, past=past)

    def _keep(self, number: int, context: str, entry: NoisedUpdate) -> None:
        """Write an entry; of a run's last one only its round, for nothing is drawn around it."""
        last = number == self._plan.rounds - 1
        values = b"" if last else entry.values.astype("<i8").tobytes()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._path(number).with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pack_frames([context.encode(), values]))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path(number))
        flush(self._folder)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.entry"

    def _read(self, number: int) -> tuple[str, IntArray]:
        path = self._path(number)
        if not path.is_file():
            raise RoundError(
                f"The noise of round {number} of this run is not here any more (a restored or "
                "rotated home has none); plan a new run."
            )
        frames: Sequence[bytes] = unpack_frames(path.read_bytes(), count=2, max_frame=_MAX_ENTRY)
        return frames[0].decode(), np.frombuffer(frames[1], dtype="<i8").astype(np.int64)


def erase_noise(home: Path) -> None:
    """Erase the noise of all runs; none of them can go on."""
    for path in sorted((home / NOISE_FOLDER).glob("*/*")):
        erase_file(path)
