"""The commands ``fedcart device init`` and ``fedcart device pair``: whose device this is."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from client import notice
from client.limits import EPSILON_CAP, N_FLOOR, SCHEMES, Z_FLOOR
from client.options_cli import gathered
from consent.ages import AgeBand
from consent.purpose import Category, Cell, Purpose
from consent.tasks.names import TaskName
from crypto.sums.schemes import Scheme

if TYPE_CHECKING:
    from client.enrol import Setup

_PINNED: Final = ("consent_url", "consent_key", "coordinator_key", "key_holder", "catalogue")


# What a new device or store is set up with: declared here, and put together here.
def setup_of(
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
    population: Annotated[str, typer.Option(help="Name of the federation.")] = "fedcart",
    n_floor: Annotated[
        int, typer.Option(min=2, help="Join no round with a smaller minimum cohort.")
    ] = N_FLOOR,
    z_floor: Annotated[
        float, typer.Option(min=0.0, help="Join no round with a smaller noise multiplier.")
    ] = Z_FLOOR,
    epsilon_cap: Annotated[
        float, typer.Option(min=0.0, help="What all rounds together may cost her, as ε.")
    ] = EPSILON_CAP,
    experimental: Annotated[
        bool, typer.Option("--experimental", help="Join rounds of Set B too: not reviewed yet.")
    ] = False,
    share_sum: Annotated[
        bool,
        typer.Option(
            "--share-sum",
            help="Join rounds of share sum too, which rests on an honest coordinator: for members "
            "of an alliance under contract.",
        ),
    ] = False,
) -> "Setup":
    """What a new client pins, as stated.

    Raises:
        InvalidInputError: an address or a key that is none.
    """
    from client.enrol import Setup
    from consent.transport import check_address
    from crypto.wire import parse_public_key

    return Setup(
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
        schemes=(*SCHEMES, Scheme.SHARE_SUM) if share_sum else SCHEMES,
    )


@gathered(setup_of, into="setup")
def init(
    home: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make for the device.")],
    setup: "Setup",
    *,
    personalise: Annotated[
        bool, typer.Option("--personalise/--no-personalise", help=notice.PERSONALISE)
    ],
    train: Annotated[bool, typer.Option("--train/--no-train", help=notice.TRAIN)],
    age_band: Annotated[AgeBand, typer.Option(help=notice.AGE_BAND)],
) -> None:
    """Set a device up: make its keys, pin the operators', register its shopper's choices.

    Both choices and the age band must be stated; nothing is preselected. The choices are about
    purchases only; everything else stays undecided, which permits nothing. Prints one JSON line.
    """
    from client.connection import connect
    from client.enrol import enrol_device, first_decisions
    from crypto.wire import thumbprint

    decisions = first_decisions(personalise=personalise, train=train)
    made = enrol_device(home, setup, decisions, connect(setup.consent_url), age_band=age_band)
    line = {
        "home": str(made.path),
        "client": made.client_id,
        "shopper": made.shoppers[made.shopper],
        "personalise": decisions[Cell(Purpose.PERSONALISE, Category.PURCHASES)],
        "train": decisions[Cell(Purpose.TRAIN, Category.PURCHASES)],
        "key_holders": [thumbprint(key) for key in made.trust.holders],
    }
    typer.echo(json.dumps(line))


@gathered(setup_of, into="setup", optional=_PINNED)
def pair(
    home: Annotated[Path, typer.Option(metavar="DIR", help="The device's folder, or a new one.")],
    code: Annotated[str, typer.Option(help="What the panel shows, such as XXXX-XXXX.")],
    setup: "Setup | None",
    task: Annotated[
        list[TaskName] | None,
        typer.Option(help="Stand for her in this task only; may be repeated."),
    ] = None,
) -> None:
    """Make this the device that stands for whoever was shown the code in her panel.

    A new folder needs what `device init` needs, but no choices: hers stand already. A device that
    was removed or forgotten keeps its key and pins. Prints one JSON line.
    """
    from client.connection import connect
    from client.home import ClientHome
    from client.pairing import pair_again, pair_new
    from crypto.errors import InvalidInputError

    tasks = tuple(task or ())
    if (home / "client.json").exists():
        loaded = ClientHome.load(home)
        done = pair_again(loaded, code, connect(loaded.trust.consent_url), tasks=tasks)
    elif setup is None:
        raise InvalidInputError(
            f"There is no device in {home}. To make one, state --consent-url, --consent-key, "
            "--coordinator-key, --catalogue and three times --key-holder."
        )
    else:
        done = pair_new(home, setup, code, connect(setup.consent_url), tasks=tasks)
    line = {
        "home": str(done.home.path),
        "client": done.home.client_id,
        "shopper": done.home.shoppers[done.home.shopper],
        "tasks": list(tasks),
        "erased_lines": done.erased,
    }
    typer.echo(json.dumps(line))
