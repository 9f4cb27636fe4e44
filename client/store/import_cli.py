"""The command ``fedcart store import``: purchases out of the till's database, or out of a file."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client.importers.columns import Columns
from client.importers.columns_cli import ONLY_OF_DATA_SETS, columns_of, form_of
from client.importers.text_form import TextForm
from client.options_cli import JsonOption, gathered

if TYPE_CHECKING:
    from client.importers.tables import Progress
    from client.store.intake import Opener

_SOURCE = "Where lines come from"
_SETTLE_S = 3_600


@gathered(columns_of, into="columns", without=ONLY_OF_DATA_SETS, needed={"time"})
@gathered(form_of, into="form")
def import_(
    home: Annotated[Path, typer.Option(metavar="DIR", help="The store's folder.")],
    columns: Columns,
    form: TextForm,
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
    from client.store.display import arrived_lines
    from client.store.intake import take_in
    from client.store.progress import bar
    from client.store.setup import load_store

    loaded = load_store(home)
    _check_one(file, database, query, table, form)
    with bar("Reading") as progress:
        if file is not None:
            source, name = _of_file(file, columns, form, progress), file.name
        else:
            source, name = _of_database(database or "", query, table, columns, progress)
        done = take_in(
            loaded, source, columns, name=name, settle=settle, skip_bad=skip_bad, dry_run=dry_run
        )
    for problem in done.problems:
        typer.echo(f"Left out {problem.strip()}", err=True)
    if as_json:
        typer.echo(json.dumps(done.to_json()))
        return
    typer.echo("\n".join(arrived_lines(done)))
    if dry_run:
        typer.echo("This was a trial: nothing was kept.")


def _check_one(
    file: Path | None, database: str | None, query: Path | None, table: str | None, form: TextForm
) -> None:
    """Refuse two sources, or none. An address in the environment names none by itself.

    Raises:
        InvalidInputError: the message says what to name.
    """
    from crypto.errors import InvalidInputError

    if file is not None and (query is not None or table is not None):
        raise InvalidInputError(
            f"{file} and --query or --table: name a file or a database, not both."
        )
    if file is None and (not database or (query is None) == (table is None)):
        raise InvalidInputError(
            "Name a file, or a database by --database and what to read of it by either --query "
            "FILE or --table NAME."
        )
    if file is None and form != TextForm():
        raise InvalidInputError(
            "--delimiter, --encoding and --no-header say how a file is written; a database has "
            "columns with names."
        )


def _of_file(file: Path, columns: Columns, form: TextForm, progress: "Progress") -> "Opener":
    from client.importers.tables import open_table

    wanted = columns.named().values()
    return lambda _window: nullcontext(open_table(file, wanted, form=form, progress=progress))


def _of_database(
    url: str, query: Path | None, table: str | None, columns: Columns, progress: "Progress"
) -> "tuple[Opener, str]":
    from client.store.till import NAME, Till, read_query

    till = Till.of_table(url, table or "") if query is None else Till.of(url, read_query(query))
    return lambda window: till.table(columns, window, progress=progress), NAME
