"""Options that several commands of ``fedcart device`` and ``fedcart store`` take."""

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
ConsentUrlOption = Annotated[str, typer.Option(metavar="URL", help="The consent service.")]
ConsentKeyOption = Annotated[
    str, typer.Option(metavar="KEY", help="Its public key (base64url), to be pinned.")
]
CoordinatorKeyOption = Annotated[
    str, typer.Option(metavar="KEY", help="The coordinator's public key, to be pinned.")
]
KeyHolderOption = Annotated[
    list[Path],
    typer.Option(
        metavar="FILE", exists=True, dir_okay=False, help="A key holder's public.card; three times."
    ),
]
CatalogueOption = Annotated[
    Path,
    typer.Option(
        metavar="FILE", exists=True, dir_okay=False, help="The retailer's public item list."
    ),
]
EveryOption = Annotated[
    float | None,
    typer.Option("--watch", metavar="SECONDS", min=1.0, help="Do it again, until Ctrl-C."),
]
SchemaOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", exists=True, dir_okay=False, help="The operator's list of groups."
    ),
]
