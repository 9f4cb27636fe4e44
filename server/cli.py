"""The command ``fedcart coordinator``: found a coordinator, see its plan and what it has spent."""

import json
from pathlib import Path
from typing import Annotated

import typer

from crypto.sums.schemes import Scheme

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # reflows paragraphs
    pretty_exceptions_show_locals=False,  # locals may hold keys and tokens
)

HomeOption = Annotated[Path, typer.Option(metavar="DIR", help="The coordinator's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.callback()
def coordinator() -> None:
    """Coordinate rounds: plan, commit, release.

    Rounds run inside Flower, which the commands of Flower start: flower-superlink, then flwr run .
    with --run-config 'home="/srv/coordinator" run-id="1"'. The same run-id resumes a run;
    docs/running.md has every step.
    """


@app.command()
def key(home: HomeOption) -> None:
    """Make the coordinator's key and print its public part, which everybody else pins.

    The first step, before the key holders are set up. A key that is there is printed again.
    """
    from crypto.wire import b64, public_bytes
    from server.founding import make_key

    public_key = b64(public_bytes(make_key(home).public_key()))
    typer.echo(json.dumps({"home": str(home), "public_key": public_key}))


@app.command()
def init(
    home: HomeOption,
    consent_url: Annotated[str, typer.Option(metavar="URL", help="The consent service.")],
    consent_key: Annotated[
        str, typer.Option(metavar="KEY", help="Its public key (base64url), to be pinned.")
    ],
    consent_token_file: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="The coordinator's token there; it is copied.",
        ),
    ],
    key_holder: Annotated[
        list[str],
        typer.Option(
            metavar="URL,CARD_FILE",
            help="A key holder: its address and its public.card; three times.",
        ),
    ],
    catalogue: Annotated[
        Path,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="The retailer's public item list."
        ),
    ],
    epsilon: Annotated[float, typer.Option(help="Budget of everything shared, in total.")],
    delta: Annotated[float, typer.Option(help="Of the (ε, δ) statement.")],
    min_clients: Annotated[int, typer.Option(min=1, help="Release nothing over fewer clients.")],
    max_clients: Annotated[int, typer.Option(min=1, help="Largest cohort, in clients.")],
    max_shoppers: Annotated[int, typer.Option(min=1, help="Largest cohort, in shoppers.")],
    expected_shoppers: Annotated[
        int, typer.Option(min=1, help="How many will probably agree; decides which tasks pay.")
    ],
    max_colluders: Annotated[
        int, typer.Option(min=0, help="Clients that may leave their noise out.")
    ],
    population: Annotated[str, typer.Option(help="Name of the federation.")] = "fedcart",
    timeout: Annotated[
        float, typer.Option(min=1, max=300, help="Seconds that clients have to answer.")
    ] = 240.0,
    scheme: Annotated[
        Scheme,
        typer.Option(
            help="How sums are sealed. share-sum is for alliances of stores under contract: a "
            "client allied with the coordinator breaks it."
        ),
    ] = Scheme.COMPACT_SUM,
    client_noise: Annotated[
        float,
        typer.Option(
            min=0,
            help="Noise that clients add beside the key holders', as a share of what ε needs: a "
            "second line in case two key holders leave theirs out.",
        ),
    ] = 1.0,
    *,
    experimental: Annotated[
        bool,
        typer.Option("--experimental", help="Set B: half the bytes, not reviewed from outside."),
    ] = False,
    unpaired_devices: Annotated[
        bool,
        typer.Option("--unpaired-devices", help="Let devices outside an alliance take part."),
    ] = False,
) -> None:
    """Complete the coordinator: whom it works with, and what it plans to spend.

    Uses the key that "fedcart coordinator key" made, or makes one. Prints one JSON line.
    """
    from crypto.wire import b64, parse_public_key, public_bytes
    from server.founding import Founding, found
    from server.schedule import TrainingPlan

    founding = Founding(
        population=population,
        consent_url=consent_url,
        consent_key=parse_public_key(consent_key, what="consent key"),
        consent_token_file=consent_token_file,
        holders=tuple(key_holder),
        catalogue=catalogue,
        plan=TrainingPlan(
            epsilon=epsilon,
            delta=delta,
            min_clients=min_clients,
            max_clients=max_clients,
            max_shoppers=max_shoppers,
            max_colluders=max_colluders,
            expected_shoppers=expected_shoppers,
            timeout=timeout,
            scheme=scheme,
            experimental=experimental,
            client_noise=client_noise,
            unpaired_devices=unpaired_devices,
        ),
    )
    made = found(home, founding)
    public_key = b64(public_bytes(made.identity.public_key()))
    typer.echo(json.dumps({"home": str(made.path), "public_key": public_key}))


@app.command()
def plan(home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Show the schedule: each task's noise, ε, minimum and bytes, and what is left out and why."""
    from rich.console import Console

    from server.home import CoordinatorHome
    from server.overview import plan_overview, plan_table

    found = plan_overview(CoordinatorHome.load(home))
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    console = Console()
    console.print(plan_table(found))
    for each in found.tasks:
        console.print(f"{each.task}: {each.why}")
    for task, reason in found.left_out.items():
        console.print(f"Left out: {task}. {reason}")


@app.command()
def status(home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Show what of the budget is spent, and every release with its record."""
    from rich.console import Console

    from crypto.dp.bound import told
    from server.home import CoordinatorHome
    from server.overview import status_overview, status_table

    found = status_overview(CoordinatorHome.load(home))
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    console = Console()
    console.print(status_table(found) if found.releases else "Nothing was released yet.")
    budget = "no budget: privacy is off" if found.budget is None else f"of {found.budget:g}"
    console.print(f"Spent: ε = {told(found.spent)} {budget}, at δ = {found.delta:g}.")
