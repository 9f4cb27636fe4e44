"""``fedcart fairness``: an audit by groups, of a data set or as a federation released it."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from consent.tasks.evaluation import EvaluationArtefact


def fairness(
    source: Annotated[
        str,
        typer.Argument(
            help='A folder made by "fedcart data import", complete-journey, or the artefact.json '
            "of a released audit or evaluation."
        ),
    ],
    stage: Annotated[str, typer.Option(help="validation or test")] = "test",
    epsilon: Annotated[
        float, typer.Option(help="Budget of the released models; 0 for no noise.", min=0.0)
    ] = 2.0,
    audit_epsilon: Annotated[
        float, typer.Option(help="Budget of the audit itself; 0 for no noise.", min=0.0)
    ] = 0.0,
    seed: Annotated[int, typer.Option(help="Of noise and bootstrap.")] = 0,
    out: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write fairness.html (and its JSON) there.")
    ] = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Does the recommender serve some groups worse, and could this audit have seen it?

    A data set is audited by the groups that it names, offline. A federation's audit runs as a
    round over groups that shoppers stated; give its artefact to read it. An evaluation's artefact
    says how well lists work for everybody who agreed to be measured.
    """
    from rich.console import Console

    from consent.tasks.evaluation import EvaluationArtefact
    from simulations.engine.run import load
    from simulations.engine.scenario import Data
    from simulations.evaluation.options import stage_named
    from simulations.fairness import page, story
    from simulations.fairness.audit import AuditOptions, audit_population

    if Path(source).is_file():
        found, record = page.released(Path(source)), None
        if isinstance(found, EvaluationArtefact):
            _show_evaluation(found, as_json=as_json)
            return
        artefact = found
    else:
        options = AuditOptions(
            stage=stage_named(stage),
            epsilon=epsilon or None,
            audit_epsilon=audit_epsilon or None,
            seed=seed,
        )
        record = audit_population(load(Data(source=source), seed=seed), options)
        artefact = page.parsed(record)
    written = None if out is None else page.write(artefact, record, out)
    if as_json:
        typer.echo(json.dumps(artefact.to_json() if record is None else record))
        return
    console = Console()
    for sentence in story.headline(artefact):
        console.print(sentence)
    console.print(story.table(artefact))
    if written is not None:
        console.print(f"Page: {written}")


def _show_evaluation(found: "EvaluationArtefact", *, as_json: bool) -> None:
    from rich.console import Console

    from simulations.fairness import measured

    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    console = Console()
    console.print(measured.headline(found))
    console.print(measured.table(found))
