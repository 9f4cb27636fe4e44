"""The command ``fedcart device discovery``: her slider, and what came of the zone so far."""

import json
from typing import Annotated

import typer

from client.options_cli import HomeOption, JsonOption


def discovery(
    home: HomeOption,
    place: Annotated[
        str | None,
        typer.Argument(help="none, less, as-i-shop, more or much-more; left out: only look."),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Set or see how much that is new to her she is shown; it stays on this device."""
    from client.breadth import breadth_named, read_breadth, set_breadth
    from client.home import ClientHome
    from client.impressions import read_impressions

    loaded = ClientHome.load(home)
    identifier = loaded.shoppers[loaded.shopper]
    if place is not None:
        set_breadth(loaded, identifier, breadth_named(place))
    breadth, lists = read_breadth(loaded, identifier), len(read_impressions(loaded, identifier))
    if as_json:
        typer.echo(json.dumps({"discovery": breadth, "lists": lists}))
        return
    typer.echo(f"New things in your lists: {breadth}. {lists} lists are noted on this device.")
