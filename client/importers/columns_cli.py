"""Options of every command that reads purchases: which column is what, how the file is written."""

from typing import Annotated

import typer

from client.importers.columns import Columns
from client.importers.text_form import TextForm

_COLUMNS, _FILE = "Columns", "How the file is written"


def columns_of(
    shopper: Annotated[
        str, typer.Option(metavar="COL", help="Who bought.", rich_help_panel=_COLUMNS)
    ],
    item: Annotated[
        str, typer.Option(metavar="COL", help="What was bought.", rich_help_panel=_COLUMNS)
    ],
    time: Annotated[
        str | None,
        typer.Option(
            metavar="COL",
            help="When, by the shop's clock (ISO 8601 or Unix seconds).",
            rich_help_panel=_COLUMNS,
        ),
    ] = None,
    basket: Annotated[
        str | None,
        typer.Option(metavar="COL", help="The visit; else one a day.", rich_help_panel=_COLUMNS),
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option(metavar="COL", help="How many; else one a line.", rich_help_panel=_COLUMNS),
    ] = None,
    price: Annotated[
        str | None,
        typer.Option(metavar="COL", help="Paid for the line.", rich_help_panel=_COLUMNS),
    ] = None,
    store: Annotated[
        str | None, typer.Option(metavar="COL", help="Where.", rich_help_panel=_COLUMNS)
    ] = None,
    category: Annotated[
        str | None,
        typer.Option(metavar="COL", help="What kind of item.", rich_help_panel=_COLUMNS),
    ] = None,
    rating: Annotated[
        str | None,
        typer.Option(metavar="COL", help="What she thought of it.", rich_help_panel=_COLUMNS),
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
    time_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help='Of the time where it is neither: such as "%m/%d/%Y", "ms" for Unix milliseconds, '
            '"day" for a day number, or "number" for a visit number, of which only the order '
            "counts.",
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
) -> Columns:
    """Which column plays which part, as stated.

    Raises:
        InvalidInputError: two options contradict each other.
    """
    return Columns(
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


def form_of(
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
) -> TextForm:
    """How a text file is written, as stated.

    Raises:
        InvalidInputError: a delimiter or an encoding that can't be.
    """
    return TextForm(delimiter=delimiter, encoding=encoding, header=not no_header)


# Options that a client, which keeps dated lines of listed items, has no use for.
ONLY_OF_DATA_SETS = ("category", "rating", "least", "item_separator")
