"""The commands ``fedcart consent audit|deliver|retain|repeat-erasures|export``: operators' jobs.

Whoever can run them owns the service's home folder.
"""

import json
from pathlib import Path
from typing import Annotated

import typer

audit = typer.Typer(no_args_is_help=True, help="The chained trail of what operators did.")
HomeOption = Annotated[Path, typer.Option(help="Folder with the service's key and database.")]


@audit.command("verify")
def verify_audit(
    home: HomeOption,
    expect: Annotated[
        str | None, typer.Option(metavar="HASH", help="A hash that you kept from an earlier check.")
    ] = None,
) -> None:
    """Check the chain. Prints its head: keep it elsewhere and pass it the next time.

    Exit code 0: the chain holds; 1: an entry does not fit, or the expected hash is gone.
    """
    from consent.service.audit.reading import verify
    from consent.service.context import opened
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        check = verify(context, expect)
    line = {
        "entries": check.entries,
        "head": check.head,
        "first_fault": check.fault,
        "expected_found": check.expected_found,
        "holds": check.holds,
    }
    typer.echo(json.dumps(line))
    raise typer.Exit(0 if check.holds else 1)


def deliver(home: HomeOption) -> None:
    """Try every webhook delivery that is due, once. A serving process does it by itself."""
    from consent.service.context import opened
    from consent.service.settings import Settings
    from consent.service.webhooks.delivery import deliver as run

    with opened(Settings.load(home)) as context:
        done = run(context)
    typer.echo(json.dumps({"delivered": done.delivered, "failed": done.failed}))


def retain(
    home: HomeOption,
    dry_run: Annotated[
        bool, typer.Option(help="Only count what would go, up to 2000 a class.")
    ] = False,
) -> None:
    """Remove what the retention schedule ends. A serving process does it by itself, every hour.

    Exit code 1: a class failed, or another process runs the job just now.
    """
    from consent.service.context import opened
    from consent.service.retention.service import rehearse
    from consent.service.retention.service import retain as run
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        ran = rehearse(context) if dry_run else run(context)
    if ran is None:
        typer.echo("error: another process runs the retention job now; try again later.", err=True)
        raise typer.Exit(1)
    line = {"dry_run": dry_run, "removed": dict(ran.counts), "failed": list(ran.failed)}
    typer.echo(json.dumps(line))
    raise typer.Exit(1 if ran.failed else 0)


def repeat_erasures(home: HomeOption) -> None:
    """Erase again, after a backup was restored, whoever had been erased since it was made.

    Prints how many are on the list of the erased and how many had to be erased again. A service
    does not start as long as there is anybody; run again, this finds nobody.
    """
    from consent.service.context import opened
    from consent.service.rights import returned
    from consent.service.settings import Settings

    with opened(Settings.load(home)) as context:
        done = returned.erase_again(context)
    typer.echo(json.dumps({"listed": done.listed, "erased_again": done.erased}))


def export(
    kind: Annotated[str, typer.Argument(metavar="ropa|dpia", help="Which record.")],
    home: HomeOption,
    how: Annotated[str, typer.Option("--format", help="json, html or csv.")] = "json",
    language: Annotated[str, typer.Option(help="en or zh, for html and csv.")] = "en",
) -> None:
    """Print the record of processing activities or the impact assessment of this service."""
    from consent.notice import Language
    from consent.service.context import opened
    from consent.service.inventory.schemas import Format
    from consent.service.inventory.service import Kind, write
    from consent.service.settings import Settings
    from crypto.errors import InvalidInputError

    try:
        wanted = Kind(kind), Format(how), Language(language)
    except ValueError as error:
        raise InvalidInputError(
            "Expected ropa or dpia, a format json, html or csv, and a language en or zh."
        ) from error
    with opened(Settings.load(home)) as context:
        typer.echo(write(context, *wanted))
