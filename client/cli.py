"""The command ``fedcart device``: one shopper's device."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client import notice
from client.limits import EPSILON_CAP, N_FLOOR, SCHEMES, Z_FLOOR
from consent.ages import AgeBand
from consent.purpose import Category, Cell, Decision, Purpose
from consent.tasks.names import TaskName
from crypto.sums.schemes import Scheme

if TYPE_CHECKING:
    from consent.answers import Consents

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # reflows paragraphs
    pretty_exceptions_show_locals=False,  # locals may hold keys and tokens
)

HomeOption = Annotated[Path, typer.Option(metavar="DIR", help="The device's folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
PopulationOption = Annotated[str, typer.Option(help="Name of the federation.")]
NFloorOption = Annotated[
    int, typer.Option(min=2, help="Join no round with a smaller minimum cohort.")
]
ZFloorOption = Annotated[
    float, typer.Option(min=0.0, help="Join no round with a smaller noise multiplier.")
]
EpsilonCapOption = Annotated[
    float, typer.Option(min=0.0, help="What all rounds together may cost her, as ε.")
]
ExperimentalOption = Annotated[
    bool, typer.Option("--experimental", help="Join rounds of Set B too: not reviewed yet.")
]
ShareSumOption = Annotated[
    bool,
    typer.Option(
        "--share-sum",
        help="Join rounds of share sum too, which rests on an honest coordinator: for members of "
        "an alliance under contract.",
    ),
]


@app.callback()
def device() -> None:
    """One shopper's device: her purchases stay on it, her choices steer it.

    It takes part in rounds as a Flower SuperNode whose node config names its folder, as in
    flower-supernode --node-config 'home="/home/ann/device"'; docs/running.md has every step.
    """


@app.command()
def init(
    home: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make for the device.")],
    consent_url: Annotated[str, typer.Option(metavar="URL", help="The consent service.")],
    consent_key: Annotated[
        str, typer.Option(metavar="KEY", help="Its public key (base64url), to be pinned.")
    ],
    coordinator_key: Annotated[
        str, typer.Option(metavar="KEY", help="The coordinator's public key, to be pinned.")
    ],
    key_holder: Annotated[
        list[Path],
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="A key holder's public.card; three times.",
        ),
    ],
    catalogue: Annotated[
        Path,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="The retailer's public item list."
        ),
    ],
    *,
    personalise: Annotated[
        bool, typer.Option("--personalise/--no-personalise", help=notice.PERSONALISE)
    ],
    train: Annotated[bool, typer.Option("--train/--no-train", help=notice.TRAIN)],
    age_band: Annotated[AgeBand, typer.Option(help=notice.AGE_BAND)],
    population: PopulationOption = "fedcart",
    n_floor: NFloorOption = N_FLOOR,
    z_floor: ZFloorOption = Z_FLOOR,
    epsilon_cap: EpsilonCapOption = EPSILON_CAP,
    experimental: ExperimentalOption = False,
    share_sum: ShareSumOption = False,
) -> None:
    """Set a device up: make its keys, pin the operators', register its shopper's choices.

    Both choices and the age band must be stated; nothing is preselected. The choices are about
    purchases only; everything else stays undecided, which permits nothing. Prints one JSON line.
    """
    from client.connection import connect
    from client.enrol import Setup, enrol_device, first_decisions
    from consent.transport import check_address
    from crypto.wire import parse_public_key, thumbprint

    setup = Setup(
        population=population,
        consent_url=check_address(consent_url),
        consent_key=parse_public_key(consent_key, what="consent key"),
        coordinator_key=parse_public_key(coordinator_key, what="coordinator key"),
        key_holders=tuple(key_holder),
        catalogue=catalogue,
        n_floor=n_floor,
        z_floor=z_floor,
        epsilon_cap=epsilon_cap,
        experimental=experimental,
        schemes=_schemes(share_sum=share_sum),
    )
    decisions = first_decisions(personalise=personalise, train=train)
    made = enrol_device(home, setup, decisions, connect(consent_url), age_band=age_band)
    line = {
        "home": str(made.path),
        "client": made.client_id,
        "shopper": made.shoppers[made.shopper],
        "personalise": decisions[Cell(Purpose.PERSONALISE, Category.PURCHASES)],
        "train": decisions[Cell(Purpose.TRAIN, Category.PURCHASES)],
        "key_holders": [thumbprint(key) for key in made.trust.holders],
    }
    typer.echo(json.dumps(line))


@app.command()
def pair(
    home: Annotated[Path, typer.Option(metavar="DIR", help="The device's folder, or a new one.")],
    code: Annotated[str, typer.Option(help="What the panel shows, such as XXXX-XXXX.")],
    task: Annotated[
        list[TaskName] | None,
        typer.Option(help="Stand for her in this task only; may be repeated."),
    ] = None,
    consent_url: Annotated[
        str | None, typer.Option(metavar="URL", help="A new one: the consent service.")
    ] = None,
    consent_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="A new one: its public key, to be pinned.")
    ] = None,
    coordinator_key: Annotated[
        str | None, typer.Option(metavar="KEY", help="A new one: the coordinator's public key.")
    ] = None,
    key_holder: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="A new one: a key holder's public.card; three times.",
        ),
    ] = None,
    catalogue: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="A new one: the public item list."
        ),
    ] = None,
    population: PopulationOption = "fedcart",
    n_floor: NFloorOption = N_FLOOR,
    z_floor: ZFloorOption = Z_FLOOR,
    epsilon_cap: EpsilonCapOption = EPSILON_CAP,
    experimental: ExperimentalOption = False,
    share_sum: ShareSumOption = False,
) -> None:
    """Make this the device that stands for whoever was shown the code in her panel.

    A new folder needs what `device init` needs, but no choices: hers stand already. A device that
    was removed or forgotten keeps its key and pins. Prints one JSON line.
    """
    from client.connection import connect
    from client.enrol import Setup
    from client.home import ClientHome
    from client.pairing import pair_again, pair_new
    from consent.transport import check_address
    from crypto.errors import InvalidInputError
    from crypto.wire import parse_public_key

    tasks = tuple(task or ())
    if (home / "client.json").exists():
        loaded = ClientHome.load(home)
        done = pair_again(loaded, code, connect(loaded.trust.consent_url), tasks=tasks)
    elif not (consent_url and consent_key and coordinator_key and key_holder and catalogue):
        raise InvalidInputError(
            f"There is no device in {home}. To make one, state --consent-url, --consent-key, "
            "--coordinator-key, --catalogue and three times --key-holder."
        )
    else:
        setup = Setup(
            population=population,
            consent_url=check_address(consent_url),
            consent_key=parse_public_key(consent_key, what="consent key"),
            coordinator_key=parse_public_key(coordinator_key, what="coordinator key"),
            key_holders=tuple(key_holder),
            catalogue=catalogue,
            n_floor=n_floor,
            z_floor=z_floor,
            epsilon_cap=epsilon_cap,
            experimental=experimental,
            schemes=_schemes(share_sum=share_sum),
        )
        done = pair_new(home, setup, code, connect(consent_url), tasks=tasks)
    line = {
        "home": str(done.home.path),
        "client": done.home.client_id,
        "shopper": done.home.shoppers[done.home.shopper],
        "tasks": list(tasks),
        "erased_lines": done.erased,
    }
    typer.echo(json.dumps(line))


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV (UTF-8) or Parquet file of her purchases.")],
    home: HomeOption,
    shopper: Annotated[str, typer.Option(metavar="COL", help="Column: who bought.")],
    item: Annotated[str, typer.Option(metavar="COL", help="Column: what was bought.")],
    time: Annotated[
        str, typer.Option(metavar="COL", help="Column: when (ISO 8601 or Unix seconds).")
    ],
    basket: Annotated[
        str | None, typer.Option(metavar="COL", help="Column: the visit; else one a day.")
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(metavar="COL", help="Column: how many; else one a line.")
    ] = None,
    price: Annotated[
        str | None, typer.Option(metavar="COL", help="Column: paid for the line.")
    ] = None,
    store: Annotated[str | None, typer.Option(metavar="COL", help="Column: where.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHAR", help="Of a CSV file; else a comma.")
    ] = None,
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out and count them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take in her purchases: a file with her lines alone, which replaces any earlier one."""
    from client.display import intake_lines
    from client.home import ClientHome
    from client.importers.columns import Columns
    from client.intake import import_purchases

    columns = Columns(
        shopper=shopper,
        item=item,
        time=time,
        basket=basket,
        quantity=quantity,
        price=price,
        store=store,
    )
    loaded = ClientHome.load(home)
    done = import_purchases(loaded, file, columns, delimiter=delimiter, skip_bad=skip_bad)
    for problem in done.problems:
        typer.echo(f"Left out {problem.strip()}", err=True)
    typer.echo(json.dumps(done.to_json()) if as_json else "\n".join(intake_lines(done)))


@app.command()
def recommend(
    home: HomeOption,
    releases: Annotated[
        Path,
        typer.Option(
            metavar="DIR",
            exists=True,
            file_okay=False,
            help="Released artefacts: a coordinator's releases folder, or any with artefact.json.",
        ),
    ],
    count: Annotated[int, typer.Option(min=1, help="How many items.")] = 10,
    *,
    as_json: JsonOption = False,
) -> None:
    """Recommend items on this device, each with its reason; nothing leaves it.

    The consent service is asked first, every time. If it can't be, there is no list.
    """
    from rich.console import Console

    from client.connection import connect
    from client.display import shelf_table
    from client.home import ClientHome
    from client.shelf import make_shelf

    loaded = ClientHome.load(home)
    shelf = make_shelf(loaded, releases, connect(loaded.trust.consent_url), count=count)
    if as_json:
        typer.echo(json.dumps(shelf.to_json()))
        return
    console = Console()
    console.print(shelf_table(shelf))
    console.print(f"Made from your {', '.join(shelf.used)} and {', '.join(shelf.artefacts)}.")


@app.command()
def choices(home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Show what was agreed to, for every purpose and kind of data."""
    from client.choices import read_choices
    from client.connection import connect
    from client.home import ClientHome

    loaded = ClientHome.load(home)
    _show_choices(read_choices(loaded, connect(loaded.trust.consent_url)), as_json=as_json)


@app.command()
def choose(
    purpose: Annotated[Purpose, typer.Argument(help="What for.")],
    category: Annotated[Category, typer.Argument(help="Which data.")],
    decision: Annotated[Decision, typer.Argument(help="What you say.")],
    home: HomeOption,
    *,
    as_json: JsonOption = False,
) -> None:
    """Change one choice. Taking it back is the same command as giving it.

    A withdrawal counts from this moment: grants issued before it are dead.
    """
    from client.choices import choose as change
    from client.connection import connect
    from client.home import ClientHome

    loaded = ClientHome.load(home)
    http = connect(loaded.trust.consent_url)
    _show_choices(change(loaded, http, Cell(purpose, category), decision), as_json=as_json)


@app.command()
def status(home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Show what the device keeps, which rounds it joined at what ε, and what would leave it."""
    from rich.console import Console

    from client.choices import status as status_of
    from client.connection import connect
    from client.display import spent_line, status_table
    from client.home import ClientHome

    loaded = ClientHome.load(home)
    found = status_of(loaded, connect(loaded.trust.consent_url))
    if as_json:
        typer.echo(json.dumps(found.to_json()))
        return
    console = Console()
    console.print(status_table(found) if found.rounds else "No round was joined yet.")
    if found.rounds:
        console.print(spent_line(found))
    console.print(f"{found.lines:,} purchase lines are kept on this device.")
    console.print(f"What would leave: {found.leaves}")


@app.command()
def forget(
    home: HomeOption,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Don't ask.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Withdraw every consent, then erase the purchases, exports and the token from this device.

    The record of joined rounds stays. What was summed before can't be taken out of a sum; no sum
    shows it.
    """
    from client.choices import forget as forget_all
    from client.connection import connect
    from client.home import ClientHome

    loaded = ClientHome.load(home)
    if not yes:
        asked = "Withdraw every consent and erase the purchases and exports here?"
        typer.confirm(asked, abort=True, err=True)
    done = forget_all(loaded, connect(loaded.trust.consent_url))
    if as_json:
        typer.echo(json.dumps(done.to_json()))
        return
    for cell in done.withdrawn:
        typer.echo(f"Withdrew {cell.category} for {cell.purpose}.")
    typer.echo(
        f"Erased {done.lines:,} purchase lines, {done.files:,} files made from them and the token. "
        "The device is forgotten."
    )


@app.command()
def sync(
    home: HomeOption,
    *,
    every: Annotated[
        float | None,
        typer.Option("--watch", metavar="SECONDS", min=1.0, help="Do it again, until Ctrl-C."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out what you asked for elsewhere: stop, export, correct, erase. Then report it.

    The consent service signs what this device is to do; anything else is not looked at. Exports
    stay on this device.
    """
    from client.connection import connect
    from client.home import ClientHome
    from client.instructions import sync as sync_once
    from client.sync_display import sleep, synced_lines, watch
    from consent.client import ConsentClient
    from crypto.errors import ConsentError

    loaded = ClientHome.load(home)
    consent = ConsentClient(connect(loaded.trust.consent_url), service_key=loaded.trust.consent_key)

    def run() -> None:
        done = sync_once(loaded, consent)
        typer.echo(json.dumps(done.to_json()) if as_json else "\n".join(synced_lines(done)))

    def run_again() -> None:
        try:
            run()
        except ConsentError as error:  # away now, perhaps not later
            typer.echo(f"{error}", err=True)

    if every is None:
        run()
    else:
        watch(run_again, every, sleep)


def _schemes(*, share_sum: bool) -> tuple[Scheme, ...]:
    return (*SCHEMES, Scheme.SHARE_SUM) if share_sum else SCHEMES


def _show_choices(consents: "Consents", *, as_json: bool) -> None:
    from rich.console import Console

    from client.display import choices_table

    if as_json:
        cells = [
            {"purpose": cell.purpose, "category": cell.category, "state": state}
            for cell, state in consents.cells.items()
        ]
        whole = {"epoch": consents.epoch, "restricted": consents.restricted, "choices": cells}
        typer.echo(json.dumps(whole))
        return
    Console().print(choices_table(consents))
