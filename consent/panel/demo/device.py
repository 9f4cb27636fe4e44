"""The demo shopper's device: it carries out what the panel asks for, on a few purchases of its own.

A small stand-in for a real client: the instructions, their signatures and the reports are real, the
purchases are made up. Everything that it reports it has done.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from consent.client import ConsentClient
from consent.correction import Correction
from consent.instruction import Instruction, InstructionKind
from consent.instruction_report import Count, Outcome, Report, ReportStatus
from crypto.secret_file import write_secret

_SAID: Final = {
    InstructionKind.STOP: Outcome.STOPPED,
    InstructionKind.RESUME: Outcome.RESUMED,
    InstructionKind.RESTRICT: Outcome.RESTRICTED,
    InstructionKind.OBJECT: Outcome.OBJECTION_NOTED,
}
_BASKET: Final = ("bread", "milk", "apples", "coffee", "rice", "tomatoes", "soap")
_Line = dict[str, Any]


@dataclass
class Device:
    """A device with its key and, in a folder, the purchases it holds."""

    key: Ed25519PrivateKey
    folder: Path

    @classmethod
    def bought(cls, folder: Path, *, until: float) -> "Device":
        """A new device that has seen some weeks of shopping."""
        folder.mkdir(mode=0o700)
        device = cls(Ed25519PrivateKey.generate(), folder)
        days = [datetime.fromtimestamp(until - 7 * 86_400 * week, UTC) for week in range(12)]
        device._save(
            [
                {"item": item, "day": day.date().isoformat(), "quantity": 1 + number % 2}
                for week, day in enumerate(days)
                for number, item in enumerate(_BASKET)
                if (week + number) % 3
            ]
        )
        return device

    def sync(self, consent: ConsentClient, *, now_ms: int) -> int:
        """Fetch the open instructions, carry each out and report it; returns how many.

        Raises:
            ConsentError: no proper answer; the next sync does it.
        """
        reports = [self._carried_out(each, now_ms) for each in consent.instructions(self.key)]
        if reports:
            consent.report(self.key, reports)
        return len(reports)

    @property
    def _purchases(self) -> Path:
        return self.folder / "purchases.json"

    def _lines(self) -> list[_Line]:
        found: list[_Line] = (
            json.loads(self._purchases.read_bytes()) if self._purchases.exists() else []
        )
        return found

    def _save(self, lines: list[_Line]) -> None:
        self._purchases.unlink(missing_ok=True)
        write_secret(self._purchases, json.dumps(lines).encode())

    def _carried_out(self, instruction: Instruction, now_ms: int) -> Report:
        outcome, counts = self._do(instruction)
        return Report(
            instruction=instruction.id,
            client_key=self.key.public_key(),
            status=ReportStatus.DONE,
            outcome=outcome,
            counts=counts,
            at=now_ms,
        )

    def _do(self, instruction: Instruction) -> tuple[Outcome, dict[Count, int]]:
        if instruction.kind in _SAID:
            return _SAID[instruction.kind], {Count.CELLS: len(instruction.cells)}
        lines = self._lines()
        if not lines:
            return Outcome.NOTHING_THERE, {}
        if instruction.kind is InstructionKind.EXPORT:
            target = self.folder / f"export-{instruction.number}.json"
            target.unlink(missing_ok=True)
            write_secret(target, json.dumps(lines).encode())
            return Outcome.EXPORTED, {Count.LINES_EXPORTED: len(lines), Count.FILES_WRITTEN: 1}
        if instruction.kind is InstructionKind.ERASE:
            files = [*self.folder.iterdir()]
            for file in files:
                file.unlink()
            return Outcome.ERASED, {
                Count.LINES_DELETED: len(lines),
                Count.FILES_DELETED: len(files),
            }
        return self._correct(lines, instruction.corrections)

    def _correct(
        self, lines: list[_Line], corrections: tuple[Correction, ...]
    ) -> tuple[Outcome, dict[Count, int]]:
        kept, corrected = [], 0
        for line in lines:
            wanted = [each for each in corrections if _meets(each, line)]
            if any(each.deletes for each in wanted):
                continue
            corrected += bool(wanted)
            for each in wanted:
                line.update(each.to_json()["values"])
            kept.append(line)
        deleted = len(lines) - len(kept)
        if not corrected and not deleted:
            return Outcome.NOTHING_THERE, {}
        self._save(kept)
        return Outcome.CORRECTED, {Count.LINES_CORRECTED: corrected, Count.LINES_DELETED: deleted}


def _meets(correction: Correction, line: _Line) -> bool:
    named = correction.to_json()
    return (named["item"], named["day"]) == (line["item"], line["day"])
