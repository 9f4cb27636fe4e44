"""``fedcart data``: data sets on disk."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from client.importers.basket_table import BasketTable
from client.importers.columns import Columns
from client.importers.item_columns import ItemColumns
from client.importers.source import Source
from client.importers.text_form import TextForm
from crypto.errors import FedcartError, InvalidInputError
from simulations.population.imported import ItemFile, import_file
from simulations.population.summary import summary_table

app = typer.Typer(help="Data sets for simulations.", no_args_is_help=True)

_FILE, _COLUMNS, _TABLES = "How the files are written", "Further columns", "Tables beside them"


@app.callback()
def data() -> None:
    """Data sets for simulations."""


@app.command("import")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(help="Text, JSON or Parquet files of purchases, all of one layout."),
    ],
    shopper: Annotated[str, typer.Option(metavar="COL", help="Column: who bought.")],
    item: Annotated[
        str,
        typer.Option(metavar="COL", help="Column: what was bought; FIRST.. for all from one on."),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory to make.")],
    time: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column: when (ISO 8601 or Unix seconds); or --in-order."),
    ] = None,
    in_order: Annotated[
        bool,
        typer.Option("--in-order", help="No column says when: lines stand in their order."),
    ] = False,
    basket: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column: the visit; else one a shopper and day."),
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option(
            metavar="COL", help="Column: how many; else one a line.", rich_help_panel=_COLUMNS
        ),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column: paid for the line.", rich_help_panel=_COLUMNS),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(
            metavar="COL", help="Column: where; else all are devices.", rich_help_panel=_COLUMNS
        ),
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Column: what kind of item.", rich_help_panel=_COLUMNS),
    ] = None,
    rating: Annotated[
        str | None,
        typer.Option(
            metavar="COL", help="Column: what she thought of it.", rich_help_panel=_COLUMNS
        ),
    ] = None,
    least: Annotated[
        float | None,
        typer.Option(help="Leave lines with a lower rating out.", rich_help_panel=_COLUMNS),
    ] = None,
    ignore_item: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="An id that stands for no item, such as -1; may be repeated.",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the data set; else the first file's.")
    ] = None,
    no_header: Annotated[
        bool,
        typer.Option(
            "--no-header",
            help="The first line is data: columns are named by number, from 1.",
            rich_help_panel=_FILE,
        ),
    ] = False,
    delimiter: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Between fields, such as ';', '::' or tab; else by suffix: a comma in .csv and "
            ".txt, a tab in .tsv, .data and .rating, a bar in .item and .user, '::' in .dat.",
            rich_help_panel=_FILE,
        ),
    ] = None,
    encoding: Annotated[
        str, typer.Option(help="Such as latin-1 or gb18030.", rich_help_panel=_FILE)
    ] = "utf-8",
    time_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help='Of the time column where it is neither: such as "%m/%d/%Y", "ms" for Unix '
            'milliseconds, "day" for a day number, or "number" for a visit number, of which only '
            "the order counts.",
            rich_help_panel=_FILE,
        ),
    ] = None,
    item_separator: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            help="Between several items in one cell; else one a cell.",
            rich_help_panel=_FILE,
        ),
    ] = None,
    sequel: Annotated[
        bool,
        typer.Option(
            "--sequel",
            help="Visits of a later file come after those of the earlier ones, whatever their "
            "numbers.",
            rich_help_panel=_FILE,
        ),
    ] = False,
    basket_table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table with a row a basket, for columns that the lines lack; joined by the "
            "--basket column.",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    item_table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table that describes items: category and so on.",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    item_columns: Annotated[
        str | None,
        typer.Option(
            metavar="PART=COL,…",
            help="Its columns: item=COL, category=COL, department=COL and any attributes, also "
            "ATTRIBUTE=FIRST..LAST, year(COL), decade(COL) and bands(COL); else the first column "
            "is the item and the others go by their names.",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    item_no_header: Annotated[
        bool, typer.Option("--item-no-header", help="As --no-header.", rich_help_panel=_TABLES)
    ] = False,
    item_delimiter: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="As --delimiter.", rich_help_panel=_TABLES),
    ] = None,
    item_encoding: Annotated[
        str, typer.Option(help="As --encoding.", rich_help_panel=_TABLES)
    ] = "utf-8",
    list_all: Annotated[
        bool,
        typer.Option(
            "--list-all",
            help="List the table's items that nobody bought, too.",
            rich_help_panel=_TABLES,
        ),
    ] = False,
    group_table: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="A table of what shoppers stated about themselves, for fairness audits.",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    group_columns: Annotated[
        str | None,
        typer.Option(
            metavar="PART=COL,…",
            help="Its columns: shopper=COL and any groups; else the first column is the shopper.",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    group_no_header: Annotated[
        bool, typer.Option("--group-no-header", help="As --no-header.", rich_help_panel=_TABLES)
    ] = False,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out and count them.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace an older data set at DIR.")
    ] = False,
    json_: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Import purchases or ratings as a data set: nothing is guessed, a bad file changes nothing."""
    try:
        _say_when(time, in_order=in_order)
        columns = Columns(
            shopper=shopper,
            item=item,
            time=time,
            basket=basket,
            quantity=quantity,
            price=price,
            store=store,
            category=category,
            rating=rating,
            least=least,
            ignored=frozenset(ignore_item or ()),
            time_format=time_format,
            item_separator=item_separator,
        )
        source = Source(
            files=tuple(files),
            form=TextForm(delimiter=delimiter, encoding=encoding, header=not no_header),
            sequel=sequel,
            baskets=_baskets(basket_table, basket),
        )
        form = TextForm(delimiter=item_delimiter, encoding=item_encoding, header=not item_no_header)
        items = _items(item_table, item_columns, form, list_all=list_all)
        groups = _groups(group_table, group_columns, no_header=group_no_header)
        summary = import_file(
            source,
            columns,
            out=out,
            name=name,
            skip_bad=skip_bad,
            force=force,
            items=items,
            groups=groups,
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


def _say_when(time: str | None, *, in_order: bool) -> None:
    if (time is None) != in_order:
        raise InvalidInputError(
            "Say when things happened: --time COL, or --in-order where no column says it and the "
            "lines stand in their order; one of the two."
        )


def _baskets(table: Path | None, basket: str | None) -> BasketTable | None:
    if table is None:
        return None
    if basket is None:
        raise InvalidInputError("--basket-table FILE is joined by --basket COL; state that too.")
    return BasketTable(path=table, key=basket)


def _items(
    table: Path | None, columns: str | None, form: TextForm, *, list_all: bool
) -> ItemFile | None:
    if table is None:
        if columns is not None or list_all or form != TextForm():
            raise InvalidInputError(
                "--item-columns, --item-no-header, --item-delimiter, --item-encoding and "
                "--list-all belong to --item-table FILE."
            )
        return None
    return ItemFile(path=table, columns=ItemColumns.parse(columns), form=form, listed=list_all)


def _groups(table: Path | None, columns: str | None, *, no_header: bool) -> ItemFile | None:
    """The table of groups, which is read like one of items."""
    if table is None:
        if columns is not None or no_header:
            raise InvalidInputError(
                "--group-columns and --group-no-header belong to --group-table FILE."
            )
        return None
    parsed = ItemColumns.parse(columns, option="--group-columns", key="shopper")
    return ItemFile(path=table, columns=parsed, form=TextForm(header=not no_header))
