"""``fedcart data``: data sets on disk."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from client.importers.columns import Columns
from client.importers.item_table import ItemColumns
from crypto.errors import FedcartError, InvalidInputError
from simulations.population.imported import ItemFile, import_file, summary_table

app = typer.Typer(help="Data sets for simulations.", no_args_is_help=True)


@app.callback()
def data() -> None:
    """Data sets for simulations."""


@app.command("import")
def import_(
    file: Annotated[
        Path, typer.Argument(help="CSV, JSON (both UTF-8) or Parquet file of purchases.")
    ],
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
    time_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help='Of the time column where it is neither: such as "%m/%d/%Y", "ms" for Unix '
            'milliseconds, or "number" for a day or visit number.',
        ),
    ] = None,
    item_separator: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="Between several items in one cell; else one a cell."),
    ] = None,
    item_table: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="A table that describes items: category and so on."),
    ] = None,
    item_columns: Annotated[
        str | None,
        typer.Option(
            metavar="PART=COL,…",
            help="Its columns: item=COL, category=COL, department=COL and any attributes; else the "
            "first column is the item and the others go by their names.",
        ),
    ] = None,
    list_all: Annotated[
        bool,
        typer.Option("--list-all", help="List the table's items that nobody bought, too."),
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out and count them.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an older data set at DIR.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Import purchases from a CSV, JSON or Parquet file."""
    columns = Columns(
        shopper=shopper,
        item=item,
        time=time,
        basket=basket,
        quantity=quantity,
        price=price,
        store=store,
        category=category,
        time_format=time_format,
        item_separator=item_separator,
    )
    try:
        items = _items(item_table, item_columns, list_all=list_all)
        summary = import_file(
            file,
            columns,
            out=out,
            name=name,
            delimiter=delimiter,
            skip_bad=skip_bad,
            force=force,
            items=items,
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


def _items(table: Path | None, columns: str | None, *, list_all: bool) -> ItemFile | None:
    if table is None:
        if columns is not None or list_all:
            raise InvalidInputError("--item-columns and --list-all belong to --item-table FILE.")
        return None
    return ItemFile(path=table, columns=ItemColumns.parse(columns), listed=list_all)
