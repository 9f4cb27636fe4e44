"""The registry of releases: each artefact with the privacy record that it was released under.

One folder a release, written whole and renamed into place, so that a crash leaves either nothing
or everything. A release is never replaced.
"""

import io
import json
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from consent.tasks.artefact import Artefact, decode_artefact, encode_artefact
from consent.tasks.inputs import hash_of
from crypto.durable import flush
from crypto.errors import RoundError
from crypto.update import ReleasedSum
from crypto.wire import SignedRecord
from server.share_opening import Opened


@dataclass(frozen=True, kw_only=True)
class Release:
    """A released artefact.

    Attributes:
        total: the noisy sum that the artefact was made from, and that was paid for: publishing it
            costs nothing more, and whoever doubts the artefact can make it again.
        record: what was promised and what happened: ε, cohort, noise, cost (JSON-able).
        manifest, commit: the signed documents behind it.
    """

    task: str
    round_id: str
    artefact: Artefact
    total: ReleasedSum
    record: dict[str, Any]
    manifest: SignedRecord
    commit: SignedRecord


class Registry:
    """Releases on disk, by task and round."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def _place(self, task: str, round_id: str) -> Path:
        return self._folder / task / round_id

    def save(self, release: Release) -> Path:
        """Store a release and return its folder.

        Raises:
            RoundError: this round was released already.
        """
        place = self._place(release.task, release.round_id)
        if place.exists():
            raise RoundError(
                f"Round {release.round_id!r} of {release.task!r} was released already."
            )
        sums = io.BytesIO()
        np.save(sums, release.total.values, allow_pickle=False)
        return _write_folder(
            place,
            {
                "artefact.json": encode_artefact(release.artefact),
                "sum.npy": sums.getvalue(),
                "manifest.json": release.manifest.to_bytes(),
                "commit.json": release.commit.to_bytes(),
                "record.json": (json.dumps(release.record, indent=1) + "\n").encode(),
            },
        )

    def load(self, task: str, round_id: str) -> Release | None:
        """The release of a round, if there is one."""
        place = self._place(task, round_id)
        if not place.exists():
            return None
        record = json.loads((place / "record.json").read_text())
        return Release(
            task=task,
            round_id=round_id,
            artefact=decode_artefact((place / "artefact.json").read_bytes()),
            total=ReleasedSum(
                values=np.load(place / "sum.npy", allow_pickle=False),
                noise_stddev=record["noise_stddev"],
                clients=record["clients"],
                shoppers=record["shoppers"],
            ),
            record=record,
            manifest=SignedRecord.from_bytes((place / "manifest.json").read_bytes()),
            commit=SignedRecord.from_bytes((place / "commit.json").read_bytes()),
        )

    def dispute(self, task: str, round_id: str, opened: Opened) -> Path:
        """Keep the signed part sums of a round whose key holders contradict each other.

        Nothing of it is released, now or later; whoever asks can see who signed what.
        """
        pairs = zip(opened.parts, opened.signed, strict=True)
        files = {f"part-{part.holder}": signed for part, signed in pairs}
        return _write_folder(self._disputed(task, round_id), files)

    def is_disputed(self, task: str, round_id: str) -> bool:
        """Whether the key holders of a round contradicted each other."""
        return self._disputed(task, round_id).exists()

    def give_up(self, task: str, round_id: str, *, reason: str) -> None:
        """Note that a round ended without a release, for good."""
        place = self._given_up(task, round_id)
        if not place.exists():
            _write_folder(place, {"reason.txt": reason.encode()})

    def is_over(self, task: str, round_id: str) -> bool:
        """Whether a round ended without a release: discarded, or given up."""
        return self.is_disputed(task, round_id) or self._given_up(task, round_id).exists()

    def check_not_over(self, task: str, round_id: str) -> None:
        """Refuse a round that ended without a release.

        Raises:
            RoundError: it was given up or discarded; the message says why.
        """
        place = self._given_up(task, round_id)
        if place.exists():
            reason = (place / "reason.txt").read_text()
            raise RoundError(
                f"Round {round_id!r} of {task!r} ended without a release: {reason} Start a new run "
                "under another id. Its charge, if any, stays in the ledger."
            )
        self.check_undisputed(task, round_id)

    def check_undisputed(self, task: str, round_id: str) -> None:
        """Refuse a round that was discarded.

        Raises:
            RoundError: its key holders contradicted each other; what two of them say later does
                not make it right.
        """
        place = self._disputed(task, round_id)
        if place.exists():
            raise RoundError(
                f"Round {round_id!r} of {task!r} was discarded: its key holders contradicted each "
                f"other. Their signed part sums are in {place}; find out who is wrong, then start "
                "a new run under another id. Its charge stays in the ledger."
            )

    def _given_up(self, task: str, round_id: str) -> Path:
        return self._folder.with_name("given-up") / task / round_id

    def _disputed(self, task: str, round_id: str) -> Path:
        return self._folder.with_name("disputes") / task / round_id

    def is_reported(self, task: str, round_id: str) -> bool:
        """Whether the consent service has written the diaries and points of a release."""
        return self._receipt(task, round_id).exists()

    def mark_reported(self, task: str, round_id: str) -> None:
        """Remember that it has; a release that is not marked is reported again."""
        self._receipt(task, round_id).touch()

    def _receipt(self, task: str, round_id: str) -> Path:
        place = self._place(task, round_id)
        return place.with_name(f".{place.name}.reported")

    def records(self) -> list[dict[str, Any]]:
        """The privacy and cost records of all releases, oldest first."""
        files = [
            file
            for file in self._folder.glob("*/*/record.json")
            if not file.parent.name.startswith(".")
        ]
        files.sort(key=lambda file: (file.stat().st_mtime, file))
        return [json.loads(file.read_text()) for file in files]

    def encoded(self, names: Iterable[str]) -> dict[str, bytes]:
        """The released artefacts of these hashes, as they are published.

        Raises:
            RoundError: nothing of this hash was released here.
        """
        wanted = set(names)
        found: dict[str, bytes] = {}
        for file in sorted(self._folder.glob("*/*/artefact.json")) if wanted else ():
            data = file.read_bytes()
            found |= {hash_of(data): data}
        if missing := sorted(wanted - found.keys()):
            raise RoundError(
                f"The task builds on artefact {missing[0]}, and none of this hash was released "
                "here; name one that lies in the coordinator's releases."
            )
        return {name: found[name] for name in wanted}

    def artefact_file(self, task: str, round_id: str) -> Path:
        """The file that devices read."""
        return self._place(task, round_id) / "artefact.json"


def as_published(artefact: Artefact) -> Artefact:
    """An artefact as whoever reads it has it: numbers as they are published, to the last bit.

    What builds on it is planned from this one, so that it comes out the same after a crash.
    """
    return decode_artefact(encode_artefact(artefact))


def _write_folder(place: Path, files: dict[str, bytes]) -> Path:
    """Write a folder of files that is there whole, durably, or not at all."""
    place.parent.mkdir(parents=True, exist_ok=True)
    draft = place.with_name(f".{place.name}.draft")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    for name, data in files.items():
        (draft / name).write_bytes(data)
        flush(draft / name)
    flush(draft)
    draft.rename(place)
    for folder in place.parents[:3]:  # FOLDER/TASK/ROUND, by name
        flush(folder)
    return place
