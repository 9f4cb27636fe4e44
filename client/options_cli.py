"""Options that several commands of ``fedcart device`` take."""

from pathlib import Path
from typing import Annotated

import typer

HomeOption = Annotated[Path, typer.Option(metavar="DIR", help="The device's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
ReleasesOption = Annotated[
    Path,
    typer.Option(
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="Released artefacts: a coordinator's releases folder, or any with artefact.json.",
    ),
]
