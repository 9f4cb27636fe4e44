"""The commands of research: demo, simulate, evaluate, audit, data, report and bench."""

import json
import signal
from pathlib import Path
from typing import Annotated

import typer

from simulations.attacks.cli import audit
from simulations.drift.cli import drift
from simulations.fairness.cli import fairness
from simulations.population.cli import app as data_app

app = typer.Typer(no_args_is_help=True)
bench_app = typer.Typer(help="Measure speed, one JSON object a line.", no_args_is_help=True)
app.add_typer(data_app, name="data")
app.add_typer(bench_app, name="bench")
app.command()(audit)
app.command()(fairness)
app.command()(drift)

SetOption = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a key, as in privacy.epsilon=4."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print metrics.json instead of tables.")]


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")] = Path(
        "runs/demo"
    ),
    overrides: SetOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Run the whole federation on real shopping data and write a report.

    Some 700 devices and 62 stores, real consent service and key holders as processes on this
    machine, sums sealed and opened for real. A few minutes on two cores.
    """
    from simulations.engine.scenario import shipped

    _simulate(shipped("demo"), overrides or [], out, as_json=as_json)


@app.command()
def simulate(
    scenario: Annotated[str, typer.Argument(help="A TOML file, or the name of a shipped one.")],
    overrides: SetOption = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of the run.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Run a scenario: what if the budget, consent, dropout or data were different?"""
    _simulate(_path(scenario), overrides or [], out, as_json=as_json)


@app.command()
def evaluate(
    directory: Annotated[
        str, typer.Argument(help='A folder made by "fedcart data import", or complete-journey.')
    ],
    protocol: Annotated[str, typer.Option(help="next-basket or leave-one-out")] = "next-basket",
    negatives: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Leave-one-out: shopper, items a row (NCF's layout too); else 99 are drawn.",
        ),
    ] = None,
    stage: Annotated[str, typer.Option(help="validation (to tune on) or test")] = "test",
    epsilon: Annotated[
        list[float] | None,
        typer.Option(help="Budget of everything shared, may be repeated; 0 for no noise.", min=0.0),
    ] = None,
    noise_seeds: Annotated[int, typer.Option(help="How often the noise is drawn.", min=1)] = 1,
    noise_shoppers: Annotated[
        int | None, typer.Option(help="Scale the noise as if so many shoppers took part.", min=1)
    ] = None,
    rivals: Annotated[
        str, typer.Option(help="Centralised models tuned in the run: all, none, or names.")
    ] = "none",
    seed: Annotated[int, typer.Option(help="Of noise, drawn negatives and bootstrap.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write evaluation.json and evaluation.html there."),
    ] = None,
    *,
    sensitive: Annotated[
        bool,
        typer.Option(
            "--sensitive", help="Read sensitive product classes too, as if all had granted them."
        ),
    ] = False,
    context: Annotated[
        bool,
        typer.Option(
            "--context",
            help="Make lists for when and where the basket was bought, as if all had granted it.",
        ),
    ] = False,
    discovery: Annotated[
        bool, typer.Option("--discovery", help="Measure lists with their discovery zone too.")
    ] = False,
    workers: Annotated[
        int, typer.Option(help="Processes that measure; they change no figure.", min=1)
    ] = 1,
    as_json: JsonOption = False,
) -> None:
    """Measure the recommender and its baselines on a data set (offline: nothing is sealed)."""
    from rich.console import Console

    from simulations.engine.run import load
    from simulations.engine.scenario import Data
    from simulations.evaluation.dataset import evaluate_population, quality_table
    from simulations.evaluation.options import Options, protocol_named, rivals_named, stage_named
    from simulations.evaluation.page import write
    from simulations.progress import shown

    wanted = protocol_named(protocol)
    options = Options(
        protocol=wanted,
        stage=stage_named(stage),
        epsilons=tuple(value or None for value in epsilon or [2.0]),
        seeds=noise_seeds,
        seed=seed,
        rivals=rivals_named(rivals, wanted),
        noise_shoppers=noise_shoppers,
        negatives=negatives,
        context=context,
        sensitive=sensitive,
        discovery=discovery,
        workers=workers,
    )
    with shown() as progress:
        found = evaluate_population(
            load(Data(source=directory), seed=seed), options, progress=progress
        )
    page = None if out is None else write(found, out)
    if as_json:
        typer.echo(json.dumps(found))
        return
    console = Console()
    console.print(quality_table(found))
    for warning in found["warnings"]:
        console.print(f"Note: {warning}", style="dim")
    if page is not None:
        console.print(f"Page: {page}")


@app.command()
def up(
    scenario: Annotated[
        str, typer.Argument(help="A TOML file, or the name of a shipped one.")
    ] = "local",
    overrides: SetOption = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder of the run.")] = Path("runs/up"),
    *,
    once: Annotated[bool, typer.Option("--once", help="End after the training.")] = False,
) -> None:
    """Start a live federation on this machine and train once.

    A SuperLink with TLS, one SuperNode a client, the consent service and three key holders, each
    a process of its own. Everything keeps running until you press Ctrl-C.
    """
    from simulations.engine.scenario import Scenario
    from simulations.federation import up as start
    from simulations.progress import shown

    def stay() -> None:
        if not once:
            typer.echo("Everything keeps running; press Ctrl-C to end it.")
            signal.pause()

    with shown() as progress:
        start(
            Scenario.load(_path(scenario), overrides or []),
            out,
            say=typer.echo,
            stay=stay,
            progress=progress,
        )


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Folders of runs.")],
    out: Annotated[Path | None, typer.Option(metavar="FILE", help="The HTML file.")] = None,
) -> None:
    """Render runs as one HTML file that needs no network."""
    from simulations.report.page import render

    typer.echo(str(render(runs, out or runs[0] / "report.html")))


@bench_app.callback()
def bench() -> None:
    """Measure speed, one JSON object a line."""


@bench_app.command("sums")
def bench_sums(
    dimension: Annotated[int, typer.Option(help="Values a vector.", min=2, max=2**22)] = 131_072,
    clients: Annotated[int, typer.Option(help="Vectors to add.", min=4, max=1000)] = 200,
    *,
    limits: Annotated[
        bool,
        typer.Option("--limits", help="Also 5 million values in one client, and 1,000 clients."),
    ] = False,
) -> None:
    """Bytes a value and seconds a million values, beside a CKKS baseline in the same process.

    Compact sum runs a whole round over its real messages, with key holders that write to disk, and
    must equal the plain integers.
    """
    from simulations.bench.sums import bench_limits
    from simulations.bench.sums import bench_sums as measure

    for line in measure(dimension=dimension, clients=clients):
        typer.echo(json.dumps(line))
    for line in bench_limits() if limits else ():
        typer.echo(json.dumps(line))


@bench_app.command("device")
def bench_device(
    items: Annotated[int, typer.Option(help="In the catalogue.", min=12)] = 10_000,
    baskets: Annotated[int, typer.Option(help="Of the shopper, 12 items each.", min=1)] = 100,
    lists: Annotated[int, typer.Option(help="To make.", min=1)] = 20,
) -> None:
    """Processor milliseconds for one shopper's list, with the closed form and with a ranker."""
    from simulations.bench.device import bench_device as measure

    for line in measure(items=items, baskets=baskets, lists=lists):
        typer.echo(json.dumps(line))


@bench_app.command("consent")
def bench_consent(
    database: Annotated[
        str | None,
        typer.Option(
            envvar="FEDCART_CONSENT_DATABASE",
            help="URL of an empty PostgreSQL database; without it, SQLite.",
        ),
    ] = None,
    shoppers: Annotated[int, typer.Option(help="Shoppers to seed.", min=100)] = 100_000,
    seconds: Annotated[float, typer.Option(help="Of single checks.", min=0.1)] = 30.0,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep the seeded service here.")
    ] = None,
) -> None:
    """Load on the consent service: checks of grants, the panel's pages, withdrawals, commits.

    Seeds a new service with a year of history, then measures it over HTTP as a process of its
    own. A million shoppers take some minutes to seed.
    """
    from simulations.bench.consent import bench_consent as measure
    from simulations.progress import shown

    with shown() as progress:
        for line in measure(
            database=database, shoppers=shoppers, seconds=seconds, progress=progress, folder=folder
        ):
            typer.echo(json.dumps(line))


def _path(scenario: str) -> Path:
    """A scenario's file, by path or by the name of a shipped one."""
    from simulations.engine.scenario import shipped

    named = shipped(scenario)
    return named if named.is_file() and not scenario.endswith(".toml") else Path(scenario)


def _simulate(path: Path, overrides: list[str], out: Path | None, *, as_json: bool) -> None:
    from rich.console import Console

    from simulations.engine.scenario import Scenario
    from simulations.experiment import conduct
    from simulations.progress import shown
    from simulations.report.page import render
    from simulations.report.terminal import summary

    scenario = Scenario.load(path, overrides)
    folder = out or Path("runs") / scenario.name
    with shown() as progress:
        done = conduct(scenario, folder, progress=progress)
    page = render([folder], folder / "report.html")
    if as_json:
        typer.echo(json.dumps(done.metrics))
        return
    console = Console()
    console.print(summary(done.metrics))
    console.print(f"Report: {page.resolve()}")
