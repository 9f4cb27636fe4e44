"""The command ``fedcart device discovery``: her slider, and what came of the zone so far."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from client.options_cli import HomeOption, JsonOption

if TYPE_CHECKING:
    from client.outcomes import Outcome


def discovery(
    home: HomeOption,
    place: Annotated[
        str | None,
        typer.Argument(help="none, less, as-i-shop, more or much-more; left out: only look."),
    ] = None,
    *,
    outcomes: Annotated[
        bool,
        typer.Option(
            "--outcomes",
            help="Also what came of it, and what other ways of drawing would have brought; asks "
            "the consent service, since it reads purchases.",
        ),
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Set or see how much that is new to her she is shown; it stays on this device."""
    from client.breadth import breadth_named, read_breadth, set_breadth
    from client.connection import connect
    from client.home import ClientHome
    from client.impressions import read_impressions
    from client.showing import what_came

    loaded = ClientHome.load(home)
    identifier = loaded.shoppers[loaded.shopper]
    if place is not None:
        set_breadth(loaded, identifier, breadth_named(place))
    breadth, lists = read_breadth(loaded, identifier), len(read_impressions(loaded, identifier))
    came = what_came(loaded, connect(loaded.trust.consent_url)) if outcomes else None
    if as_json:
        told = {} if came is None else {"outcomes": came.to_json()}
        typer.echo(json.dumps({"discovery": breadth, "lists": lists, **told}))
        return
    typer.echo(f"New things in your lists: {breadth}. {lists} lists are noted on this device.")
    if came is not None:
        _show(came)


def _show(came: "Outcome") -> None:
    from rich.console import Console

    from client.display import outcome_lines, outcome_table

    console = Console()
    for line in outcome_lines(came):
        console.print(line)
    if any(came.estimates.values()):
        console.print(outcome_table(came))
