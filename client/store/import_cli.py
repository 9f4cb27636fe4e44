"""The command ``fedcart store import``: purchases out of the till's database, or out of a file."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.options_cli import JsonOption

if TYPE_CHECKING:
    from client.importers.columns import Columns
    from client.store.intake import Opener

_COLUMNS, _SOURCE = "Columns", "Where lines come from"
_SETTLE_S = 3_600


def import_(
    home: Annotated[Path, typer.Option(metavar="DIR", help="The store's folder.")],
    shopper: Annotated[
        str, typer.Option(metavar="COL", help="Who bought.", rich_help_panel=_COLUMNS)
    ],
    item: Annotated[
        str, typer.Option(metavar="COL", help="What was bought.", rich_help_panel=_COLUMNS)
    ],
    time: Annotated[
        str,
        typer.Option(
            metavar="COL",
            help="When, by the shop's clock (a date and time, or Unix seconds).",
            rich_help_panel=_COLUMNS,
        ),
    ],
    file: Annotated[
        Path | None, typer.Argument(help="Text, JSON or Parquet; or name a database.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            envvar="FEDCART_STORE_DATABASE",
            help="postgresql://USER@HOST/DATABASE or sqlite:////PATH; only read.",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    query: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="One SELECT with a row a purchase line.",
            rich_help_panel=_SOURCE,
        ),
    ] = None,
    table: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Instead: all of a table.", rich_help_panel=_SOURCE),
    ] = None,
    delimiter: Annotated[
        str | None,
        typer.Option(
            metavar="CHAR", help="Of a text file; else by its suffix.", rich_help_panel=_SOURCE
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
    time_format: Annotated[
        str | None,
        typer.Option(
            help="ms for milliseconds, or a pattern such as %d.%m.%Y.", rich_help_panel=_COLUMNS
        ),
    ] = None,
    settle: Annotated[
        int,
        typer.Option(
            min=0, metavar="SECONDS", help="Lines this young wait, for tills that post late."
        ),
    ] = _SETTLE_S,
    *,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave bad lines out and count them.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and count; keep nothing.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Take in what is new of the shoppers that the store stands for. Repeating it adds nothing.

    Lines of everybody else, and of whoever told the store to stop, are not kept. The address may
    stand in FEDCART_STORE_DATABASE, so that no list of processes shows its password.
    """
    from client.importers.columns import Columns
    from client.store.display import arrived_lines
    from client.store.intake import take_in
    from client.store.setup import load_store

    loaded = load_store(home)
    columns = Columns(
        shopper=shopper,
        item=item,
        time=time,
        basket=basket,
        quantity=quantity,
        price=price,
        store=store,
        time_format=time_format,
    )
    if file is not None:
        source, name = _of_file(file, columns, delimiter), file.name
    else:
        source, name = _of_database(database, query, table, columns)
    done = take_in(
        loaded, source, columns, name=name, settle=settle, skip_bad=skip_bad, dry_run=dry_run
    )
    for problem in done.problems:
        typer.echo(f"Left out {problem.strip()}", err=True)
    typer.echo(json.dumps(done.to_json()) if as_json else "\n".join(arrived_lines(done)))


def _of_file(file: Path, columns: "Columns", delimiter: str | None) -> "Opener":
    from client.importers.tables import open_table
    from client.importers.text_form import TextForm

    form = TextForm(delimiter=delimiter)
    wanted = columns.named().values()
    return lambda _window: nullcontext(open_table(file, wanted, form=form, progress=_silent))


def _of_database(
    url: str | None, query: Path | None, table: str | None, columns: "Columns"
) -> "tuple[Opener, str]":
    from client.store.till import NAME, Till, whole_table
    from crypto.errors import InvalidInputError

    if not url or (query is None) == (table is None):
        raise InvalidInputError(
            "Name a file, or a database by --database and what to read of it by either --query "
            "FILE or --table NAME."
        )
    text = query.read_text() if query is not None else whole_table(url, table or "")
    till = Till.of(url, text)
    return lambda window: till.table(columns, window, progress=_silent), NAME


def _silent(_done: int, _total: int) -> None:
    """A till's rows are counted at the end."""
