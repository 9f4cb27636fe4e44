"""The commands ``fedcart device choices``, ``choose``, ``status``, ``forget`` and ``sync``."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from client.options_cli import EveryOption, HomeOption, JsonOption
from consent.purpose import Category, Cell, Decision, Purpose

if TYPE_CHECKING:
    from consent.answers import Consents


def choices(home: HomeOption, *, as_json: JsonOption = False) -> None:
    """Show what was agreed to, for every purpose and kind of data."""
    from client.choices import read_choices
    from client.connection import connect
    from client.home import ClientHome

    loaded = ClientHome.load(home)
    _show_choices(read_choices(loaded, connect(loaded.trust.consent_url)), as_json=as_json)


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


def sync(
    home: HomeOption,
    *,
    every: EveryOption = None,
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
