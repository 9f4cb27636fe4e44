"""``fedcart data``: data sets on disk."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from client.importers.columns import Columns
from crypto.errors import FedcartError, InvalidInputError
from simulations.population.imported import import_file, summary_table

app = typer.Typer(help="Data sets for simulations.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Data sets for simulations."""


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(help="CSV (UTF-8) or Parquet file of purchase lines.")],
    shopper: Annotated[str, typer.Option(metavar="COL", help="Column: who bought.")],
    item: Annotated[str, typer.Option(metavar="COL", help="Column: what was bought.")],
    time: Annotated[
        str, typer.Option(metavar="COL", help="Column: when (ISO 8601 or Unix seconds).")
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory to make.")],
    basket: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column: the visit; else one a shopper and day."),
    ] = None,
    quantity: Annotated[
        str | None, typer.Option(metavar="COL", help="Column: how many; else one a line.")
    ] = None,
    price: Annotated[
        str | None, typer.Option(metavar="COL", help="Column: paid for the line.")
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="COL", help="Column: where; else all are devices.")
    ] = None,
    category: Annotated[
        str | None, typer.Option(metavar="COL", help="Column: what kind of item.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the data set; else the file's.")] = None,
    delimiter: Annotated[
        str | None, typer.Option(metavar="CHAR", help="Of a CSV file; else a comma.")
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out and count them.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an older data set at DIR.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Import purchases from a CSV or Parquet file."""
    columns = Columns(
        shopper=shopper,
        item=item,
        time=time,
        basket=basket,
        quantity=quantity,
        price=price,
        store=store,
        category=category,
    )
    try:
        summary = import_file(
            file,
            columns,
            out=out,
            name=name,
            delimiter=delimiter,
            skip_bad=skip_bad,
            force=force,
        )
    except InvalidInputError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    except (FedcartError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None
    for problem in summary.problems:
        typer.echo(f"Left out {problem.strip()}", err=True)
    if json_:
        typer.echo(json.dumps(summary.to_json()))
    else:
        Console().print(summary_table(summary))
