"""The whole command line in this process: what it prints, and the exit code a shell would see."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from unittest.mock import patch

from typer.testing import CliRunner

from fedcart import main


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def said(self) -> str:
        """Everything that was printed, as one line without the frames of boxes."""
        return " ".join((self.out + self.err).replace("│", " ").split())


def fedcart(*words: str | Path, answer: str = "") -> Outcome:
    """Run ``fedcart`` with these words; ``answer`` is what a person types."""
    code = 0
    with (
        patch.object(sys, "argv", ["fedcart", *map(str, words)]),
        patch.object(sys, "excepthook", sys.excepthook),
        patch.dict(os.environ),
        CliRunner().isolation(input=answer) as (out, err, _),
    ):
        try:
            main()
        except SystemExit as left:
            code = left.code if isinstance(left.code, int) else 1
    return Outcome(code, out.getvalue().decode(), err.getvalue().decode())
