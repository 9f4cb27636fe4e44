"""The command ``fedcart audit``."""

import json
from pathlib import Path
from typing import Annotated

import typer


def audit(
    run: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of a run, such as runs/demo.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print audit.json.")] = False,
) -> None:
    """Attack a run: what do its releases, its uploads and its protocol give away?

    Every attack is measured against what its claim permits and has a positive control that must
    fire. Writes audit.json and audit.html into the folder. Exit code 1 if a claim is broken or a
    control stays silent. A few minutes on two cores.
    """
    from rich.console import Console

    from simulations.attacks.page import PAGE, render
    from simulations.attacks.suite import audit as attack
    from simulations.attacks.terminal import summary
    from simulations.progress import shown

    with shown() as progress:
        done = attack(run, progress=progress)
    page = render(done, run / PAGE)
    if as_json:
        typer.echo(json.dumps(done.to_json()))
    else:
        console = Console()
        console.print(summary(done))
        console.print(f"Audit: {page.resolve()}")
    if not done.passed:
        raise typer.Exit(1)
