"""The commands ``fedcart device import``, ``recommend`` and ``explain``."""

import json
from pathlib import Path
from typing import Annotated

import typer

from client.importers.columns import Columns
from client.importers.columns_cli import ONLY_OF_DATA_SETS, columns_of, form_of
from client.importers.text_form import TextForm
from client.options_cli import HomeOption, JsonOption, ReleasesOption, gathered
from consent.notice import Language

CountOption = Annotated[int, typer.Option(min=1, help="How many items.")]
LanguageOption = Annotated[Language, typer.Option(help="Of the reasons.")]


@gathered(columns_of, into="columns", without=ONLY_OF_DATA_SETS, needed={"time"})
@gathered(form_of, into="form")
def import_(
    file: Annotated[Path, typer.Argument(help="Text, JSON or Parquet file of her purchases.")],
    home: HomeOption,
    columns: Columns,
    form: TextForm,
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out and count them.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take in her purchases: a file with her lines alone, which replaces any earlier one."""
    from client.display import intake_lines
    from client.home import ClientHome
    from client.intake import import_purchases

    loaded = ClientHome.load(home)
    done = import_purchases(loaded, file, columns, form=form, skip_bad=skip_bad)
    for problem in done.problems:
        typer.echo(f"Left out {problem.strip()}", err=True)
    typer.echo(json.dumps(done.to_json()) if as_json else "\n".join(intake_lines(done)))


def recommend(
    home: HomeOption,
    releases: ReleasesOption,
    count: CountOption = 10,
    language: LanguageOption = Language.EN,
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
    from client.releases import newest
    from client.shelf import take_stock
    from client.showing import show_list

    loaded = ClientHome.load(home)
    http = connect(loaded.trust.consent_url)
    stock = take_stock(loaded, http, lambda: newest(releases, loaded.trust.coordinator_key))
    shelf = show_list(loaded, stock, count=count, language=language, counterfactuals=as_json)
    if as_json:
        typer.echo(json.dumps(shelf.to_json()))
        return
    console = Console()
    console.print(shelf_table(shelf))
    console.print(f"Made from your {', '.join(shelf.used)} and {', '.join(shelf.artefacts)}.")


def explain(
    item: Annotated[str, typer.Argument(help="An item of the retailer's list.")],
    home: HomeOption,
    releases: ReleasesOption,
    count: CountOption = 10,
    language: LanguageOption = Language.EN,
    *,
    as_json: JsonOption = False,
) -> None:
    """Explain an item: every part of its score, and without which purchases it would be gone.

    The parts add up to the score exactly. Nothing leaves the device, and nobody else's purchases
    are in it.
    """
    from rich.console import Console

    from client.connection import connect
    from client.display import explanation_table
    from client.home import ClientHome
    from client.releases import newest
    from client.shelf import take_stock

    loaded = ClientHome.load(home)
    http = connect(loaded.trust.consent_url)
    stock = take_stock(loaded, http, lambda: newest(releases, loaded.trust.coordinator_key))
    shelf = stock.explained(item, count=count, language=language)
    (found,) = shelf.suggestions
    if as_json:
        typer.echo(json.dumps(shelf.suggestion_json(found)))
        return
    console = Console()
    console.print(explanation_table(found))
    if found.counterfactual is not None:
        console.print(found.counterfactual.sentence(shelf.catalogue, language))
