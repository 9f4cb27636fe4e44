"""What ``fedcart device sync`` tells a person, one sentence an instruction."""

import time
from collections.abc import Callable
from typing import Final

from client.instructions import Carried, Synced
from consent.instruction import InstructionKind
from consent.instruction_report import Count, Outcome

_TOLD: Final = {
    Outcome.STOPPED: "Stopped using {what}; {files-deleted} derived files deleted.",
    Outcome.RESUMED: "{What} may be used again.",
    Outcome.RESTRICTED: "Your data is kept here and not used.",
    Outcome.OBJECTION_NOTED: "Your objection is noted: {what} is not used.",
    Outcome.EXPORTED: "Wrote a copy of your {lines-exported} purchase lines to the exports folder.",
    Outcome.CORRECTED: "Corrected {lines-corrected} purchase lines and deleted {lines-deleted}.",
    Outcome.ERASED: "Erased {lines-deleted} purchase lines, {files-deleted} files and the record "
    "of {rounds-deleted} rounds, as far as this disk allows: a backup may still hold them.",
    Outcome.NOTHING_THERE: "There was nothing here to correct.",
    Outcome.UNKNOWN_SHOPPER: "Refused: it is about somebody this client does not stand for.",
    Outcome.TOO_LATE: "Refused: the time to do it is over.",
    Outcome.STORAGE_FAILED: "Failed: the disk refused. It is tried again the next time.",
}


def synced_lines(synced: Synced) -> list[str]:
    """One run in plain sentences."""
    told = [_sentence(each) for each in synced.carried]
    if not told:
        told.append("There was nothing new to do.")
    if synced.reported:
        told.append(f"Reported {synced.reported} instructions to the consent service.")
    return told


def watch(run: Callable[[], None], seconds: float, pause: Callable[[float], None]) -> None:
    """Run again and again, with a pause between; a keyboard interrupt ends it."""
    try:
        while True:
            run()
            pause(seconds)
    except KeyboardInterrupt:
        return


def sleep(seconds: float) -> None:
    """The pause of a real watch."""
    time.sleep(seconds)


def _sentence(carried: Carried) -> str:
    counts = {name.value: 0 for name in Count} | {
        name.value: count for name, count in carried.finished.counts.items()
    }
    what = _what(carried)
    words = {"what": what, "What": what[:1].upper() + what[1:]}
    return _TOLD[carried.finished.outcome].format(**words, **counts)


def _what(carried: Carried) -> str:
    cells = carried.instruction.cells
    if cells:
        return ", ".join(f"{cell.category} for {cell.purpose}" for cell in cells)
    if carried.instruction.kind is InstructionKind.STOP:
        return "everything: this client no longer stands for you"
    return "everything"
