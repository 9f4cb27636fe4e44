"""``fedcart data``: data sets on disk."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from client.importers.basket_table import BasketTable
from client.importers.columns import Columns
from client.importers.columns_cli import columns_of, form_of
from client.importers.item_columns import ItemColumns
from client.importers.source import Source
from client.importers.text_form import TextForm
from client.options_cli import gathered
from crypto.errors import FedcartError, InvalidInputError
from simulations.population.imported import ItemFile, import_file
from simulations.population.summary import summary_table

app = typer.Typer(help="Data sets for simulations.", no_args_is_help=True)

_FILE, _TABLES = "How the file is written", "Tables beside them"


@contextmanager
def plainly_said() -> Iterator[None]:
    """Errors of ours as one line and an exit code, also where nobody else turns them into one."""
    try:
        yield
    except InvalidInputError as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(2) from None
    except (FedcartError, OSError) as error:
        typer.echo(f"Error: {error}", err=True)
        raise typer.Exit(1) from None


@app.callback()
def data() -> None:
    """Data sets for simulations."""


@app.command("import")
@plainly_said()
@gathered(columns_of, into="columns")
@gathered(form_of, into="form")
def import_(
    files: Annotated[
        list[Path],
        typer.Argument(help="Text, JSON or Parquet files of purchases, all of one layout."),
    ],
    columns: Columns,
    form: TextForm,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Directory to make.")],
    in_order: Annotated[
        bool,
        typer.Option("--in-order", help="No column says when: lines stand in their order."),
    ] = False,
    name: Annotated[
        str | None, typer.Option(help="Of the data set; else the first file's.")
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
    """Import purchases or ratings as a data set: nothing is guessed, a bad file changes nothing.

    Without --time state --in-order; --item FIRST.. takes that column and all that follow it.
    """
    _say_when(columns, in_order=in_order)
    source = Source(
        files=tuple(files), form=form, sequel=sequel, baskets=_baskets(basket_table, columns)
    )
    item_form = TextForm(
        delimiter=item_delimiter, encoding=item_encoding, header=not item_no_header
    )
    items = _items(item_table, item_columns, item_form, list_all=list_all)
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
    for problem in summary.problems:
        typer.echo(f"Left out {problem.strip()}", err=True)
    if json_:
        typer.echo(json.dumps(summary.to_json()))
    else:
        Console().print(summary_table(summary))


def _say_when(columns: Columns, *, in_order: bool) -> None:
    if (columns.time is None) != in_order:
        raise InvalidInputError(
            "Say when things happened: --time COL, or --in-order where no column says it and the "
            "lines stand in their order; one of the two."
        )


def _baskets(table: Path | None, columns: Columns) -> BasketTable | None:
    if table is None:
        return None
    if columns.basket is None:
        raise InvalidInputError("--basket-table FILE is joined by --basket COL; state that too.")
    return BasketTable(path=table, key=columns.basket)


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
