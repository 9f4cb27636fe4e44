"""The last noise entries of a run whose noise cancels over rounds: secrets that outlive a round.

In a plan with bands, an entry is drawn around what this key holder drew for the rounds before
(``crypto.dp.correlated``). They lie in ``noise/RUN/``, one file a number (0600), and go as soon as
no later round needs them; a backup never has them. A run whose history is incomplete can't go on:
drawing an entry anew, or around other numbers, would leave noise that cancels where it must not.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from crypto.durable import flush
from crypto.errors import RoundError
from crypto.manifest import Manifest
from crypto.wire import digest, pack_frames, unpack_frames

IntArray = npt.NDArray[np.int64]

NOISE_FOLDER: Final = "noise"
_MAX_ENTRY: Final = 1 << 28


class NoiseHistory:
    """One key holder's noise history of the run that a manifest belongs to."""

    def __init__(self, home: Path, manifest: Manifest) -> None:
        place = (manifest.population, manifest.task, manifest.run)
        name = digest("noise-run", *map(str.encode, place)).hex()
        self._folder = home / NOISE_FOLDER / name
        self._plan, self._number = manifest.plan, manifest.number

    def past(self) -> list[IntArray]:
        """The entries that this round's is drawn around, oldest first.

        Raises:
            RoundError: one of them is not here; plan a new run.
        """
        wanted = range(max(0, self._number - self._plan.bands + 1), self._number)
        return [self._read(number)[1] for number in wanted]

    def keep(self, context: str, values: IntArray) -> None:
        """Write this round's entry before anything made of it leaves; forget what is not needed.

        Of a run's last entry only its round is kept: nothing will be drawn around it.

        A crash may have left one that never left this machine: the same round replaces it.

        Raises:
            RoundError: another round of the run was drawn under this number.
        """
        path = self._path(self._number)
        if path.exists() and self._read(self._number)[0] != context:
            raise RoundError(
                f"Round {self._number} of this run was drawn for another manifest; plan the next "
                "number, or a new run."
            )
        last = self._number == self._plan.rounds - 1
        kept = b"" if last else values.astype("<i8").tobytes()
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = path.with_suffix(".draft")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pack_frames([context.encode(), kept]))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        flush(self._folder)
        self._forget(all_before=last)

    def _forget(self, *, all_before: bool) -> None:
        """Erase what lies further back than any later round looks (best effort, see RoundFiles)."""
        needed = self._number if all_before else self._number - self._plan.bands + 2
        for path in self._folder.glob("*.entry"):
            if int(path.stem) < needed:
                path.write_bytes(bytes(path.stat().st_size))
                path.unlink()

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.entry"

    def _read(self, number: int) -> tuple[str, IntArray]:
        path = self._path(number)
        if not path.is_file():
            raise RoundError(
                f"This key holder has no noise of round {number} of this run (it did not take "
                "part, or was restored from a backup); plan a new run."
            )
        frames: Sequence[bytes] = unpack_frames(path.read_bytes(), count=2, max_frame=_MAX_ENTRY)
        return frames[0].decode(), np.frombuffer(frames[1], dtype="<i8").astype(np.int64)
