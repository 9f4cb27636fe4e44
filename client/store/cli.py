"""The command ``fedcart store``: a store's silo, which stands for those of its shoppers who ask."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.options_cli import EveryOption, JsonOption, gathered
from client.setup_cli import setup_of
from client.store.import_cli import import_
from client.store.members_cli import HomeOption, enrol, link, state

if TYPE_CHECKING:
    from client.enrol import Setup

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="markdown",  # reflows paragraphs
    pretty_exceptions_show_locals=False,  # locals may hold keys and tokens
)


@app.callback()
def store() -> None:
    """A store's silo: one client for those of its shoppers who asked it to be.

    Each shopper's vector is clipped by itself before it is added to another's, each has her own
    grant for each round, and one who withdraws is left out. docs/stores.md has every step.
    """


@app.command()
@gathered(setup_of, into="setup")
def init(
    home: Annotated[Path, typer.Option(metavar="DIR", help="Folder to make for the store.")],
    setup: "Setup",
    consent_token_file: Annotated[
        Path,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="The store's own token, as `fedcart consent token add --role store` printed it; "
            "mode 600.",
        ),
    ],
) -> None:
    """Set a store up: make its keys and pin the operators'. It stands for nobody yet.

    Floors and cap hold for every shopper of the store. Prints one JSON line; the public key in it
    is what a shopper names who chooses the store herself.
    """
    from client.connection import connect
    from client.store.setup import make_store
    from crypto.wire import b64, public_bytes, thumbprint

    made = make_store(home, setup, connect(setup.consent_url), token_file=consent_token_file)
    holders = [thumbprint(key) for key in made.trust.holders]
    line = {
        "home": str(made.path),
        "client": made.client_id,
        "public_key": b64(public_bytes(made.identity.public_key())),
        "key_holders": holders,
    }
    typer.echo(json.dumps(line))


app.command()(enrol)
app.command()(link)
app.command()(state)
app.command("import")(import_)


@app.command()
def join(
    home: HomeOption,
    superlink: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="The coordinator's SuperLink.")
    ],
    authority: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="PEM of who signs its certificate."
        ),
    ] = None,
    node_key: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="This node's private key (EC P-384, PEM), which the operator registered.",
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Where this node's own processes meet.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="The same: its port.")] = 9094,
    *,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Without TLS: for a try on one machine.")
    ] = False,
) -> None:
    """Take part in rounds as they come: become this store's Flower SuperNode, until Ctrl-C.

    In each round the consent service is asked who of the store's shoppers agrees, at that moment.
    """
    import os

    from client.store.node import Link, node_command, node_environment
    from client.store.setup import load_store
    from crypto.errors import InvalidInputError

    if insecure == (authority is not None):
        raise InvalidInputError("State either --authority FILE or --insecure.")
    loaded = load_store(home)
    link = Link(superlink=superlink, authority=authority, key=node_key, listen=(host, port))
    command = node_command(loaded, link)
    os.execve(command[0], command, node_environment(loaded, os.environ))  # noqa: S606 - no shell


@app.command()
def status(home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Show whom the store stands for, what it keeps, and which rounds it joined at what ε."""
    from client.store.display import overview_lines
    from client.store.overview import overview
    from client.store.setup import load_store

    found = overview(load_store(home))
    typer.echo(json.dumps(found.to_json()) if as_json else "\n".join(overview_lines(found)))


@app.command()
def sync(
    home: HomeOption,
    *,
    every: EveryOption = None,
    as_json: JsonOption = False,
) -> None:
    """Carry out what shoppers asked for: stop, export, correct, erase. Then report it."""
    from client.choices_cli import sync as sync_client
    from client.store.setup import load_store

    load_store(home)
    sync_client(home, every=every, as_json=as_json)
