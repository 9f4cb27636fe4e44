"""The commands ``fedcart store enrol``, ``link`` and ``state``: whom a store stands for."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from client import notice
from client.importers.columns_cli import form_of
from client.importers.text_form import TextForm
from client.options_cli import AnswersArgument, JsonOption, SchemaOption, gathered
from consent.ages import AgeBand

if TYPE_CHECKING:
    from collections.abc import Sequence

    from client.store.lists import Refused

HomeOption = Annotated[Path, typer.Option(metavar="DIR", help="The store's folder.")]
NameArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="What the till calls her: her card's number, say.")
]
_LIST = "Many at once"
FileOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Instead: a list with a row a shopper (text, JSON or Parquet).",
        rich_help_panel=_LIST,
    ),
]
SkipOption = Annotated[
    bool,
    typer.Option(
        "--skip-bad",
        help="Take the other rows where some are refused; else nothing is changed.",
        rich_help_panel=_LIST,
    ),
]
RefusedOption = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Write the refused rows there, each with its reason.",
        rich_help_panel=_LIST,
    ),
]


def enrol(
    name: NameArgument,
    home: HomeOption,
    *,
    personalise: Annotated[
        bool, typer.Option("--personalise/--no-personalise", help=notice.PERSONALISE)
    ],
    train: Annotated[bool, typer.Option("--train/--no-train", help=notice.TRAIN)],
    age_band: Annotated[AgeBand, typer.Option(help=notice.AGE_BAND)],
) -> None:
    """Register a shopper at the counter, by her own answers; the store stands for her from then on.

    Prints one JSON line with her id and her token. Hand her both: the token steers her consent,
    the store does not keep it, and there is no other copy.
    """
    from client.connection import connect
    from client.enrol import first_decisions
    from client.store.members import register_shopper
    from client.store.setup import load_store

    loaded = load_store(home)
    decisions = first_decisions(personalise=personalise, train=train)
    http = connect(loaded.trust.consent_url)
    done = register_shopper(loaded, http, name, decisions, age_band=age_band)
    typer.echo(json.dumps({"name": name, "shopper": done.shopper, "token": done.token}))


@gathered(form_of, into="form", without={"no_header"})
def link(
    home: HomeOption,
    form: TextForm,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="What the till calls her: her card's number, say."),
    ] = None,
    shopper: Annotated[
        str | None, typer.Argument(metavar="ID", help="Her id at the consent service.")
    ] = None,
    file: FileOption = None,
    refused: RefusedOption = None,
    *,
    skip_bad: SkipOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take note of shoppers who chose this store themselves: one, or a list with name and id.

    Nobody agrees to anything by this. In every round the consent service says of each whether she
    chose this store, and whether she agrees. Repeating a list adds nothing.
    """
    from client.store.display import linked_lines
    from client.store.lists import read_list
    from client.store.members import ID, name_shopper, name_shoppers
    from client.store.setup import load_store
    from crypto.errors import InvalidInputError

    loaded = load_store(home)
    if file is None:
        if name is None or shopper is None:
            raise InvalidInputError("State NAME and ID, or a list of them: --file FILE.")
        made = name_shopper(loaded, name, shopper)
        typer.echo(
            json.dumps({"linked": 1, "known": 0, "refused": 0, "shoppers": len(made.shoppers)})
            if as_json
            else f"This store stands for {len(made.shoppers):,} shoppers."
        )
        return
    _check_list(name, refused)
    found = read_list(file, needed=(ID,), form=form)
    done = name_shoppers(loaded, found, skip_bad=skip_bad)
    _tell_refused(done.refused, found.rows, file, refused, skip_bad=skip_bad)
    counts = {"linked": done.added, "known": done.known, "refused": len(done.refused)}
    told = {**counts, "shoppers": len(done.home.shoppers)}
    typer.echo(json.dumps(told) if as_json else "\n".join(linked_lines(done)))


@gathered(form_of, into="form", without={"no_header"})
def state(
    home: HomeOption,
    form: TextForm,
    name: Annotated[
        str | None,
        typer.Argument(metavar="[NAME]", help="What the till calls her."),
    ] = None,
    answers: AnswersArgument = None,
    schema: SchemaOption = None,
    file: FileOption = None,
    refused: RefusedOption = None,
    *,
    skip_bad: SkipOption = False,
    as_json: JsonOption = False,
) -> None:
    """Take down groups that shoppers state, so that audits can see whether one is served worse.

    A list has a column name and one for each attribute. It holds what she said for this, never
    what the store thinks it knows. It is read only while she agrees to fairness audits with
    demographics, and leaves only inside a noisy sum.
    """
    from client.state_cli import pairs_of, show
    from client.statements import load_schema, stated_by
    from client.store.lists import read_list
    from client.store.progress import bar
    from client.store.setup import load_store
    from client.store.stated import check_member, take_down, take_down_all
    from consent.tasks.groups import DEFAULT_SCHEMA
    from crypto.errors import InvalidInputError

    loaded = load_store(home)
    known = DEFAULT_SCHEMA if schema is None else load_schema(schema)
    if file is None:
        if name is None:
            raise InvalidInputError("State NAME, or a list of shoppers: --file FILE.")
        check_member(loaded, name)
        if answers:
            take_down(loaded, name, pairs_of(answers), schema=known)
        show(known, stated_by(loaded, name, known), as_json=as_json)
        return
    _check_list(name, refused)
    found = read_list(file, needed=(), also=tuple(known.attributes), form=form)
    with bar("Taking down") as progress:
        done = take_down_all(loaded, found, schema=known, skip_bad=skip_bad, progress=progress)
    _tell_refused(done.refused, found.rows, file, refused, skip_bad=skip_bad)
    told = {"stated": done.shoppers, "refused": len(done.refused)}
    said = f"What {done.shoppers:,} shoppers state is taken down."
    typer.echo(json.dumps(told) if as_json else said)


def _check_list(name: str | None, refused: Path | None) -> None:
    from client.store.lists import check_new
    from crypto.errors import InvalidInputError

    if name is not None:
        raise InvalidInputError(f"--file names its shoppers itself; leave {name!r} out.")
    if refused is not None:
        check_new(refused)


def _tell_refused(
    refused: "Sequence[Refused]", rows: int, file: Path, to: Path | None, *, skip_bad: bool
) -> None:
    """Write the refused rows where that was asked for, and name the first of them.

    Raises:
        InvalidInputError: there are some, and they may not be skipped.
    """
    from client.importers.problems import MAX_SHOWN
    from client.store.lists import refusal, write_refused

    if refused and to is not None:
        write_refused(to, refused)
    if refused and not skip_bad:
        raise refusal(refused, rows=rows, file=file.name)
    for each in refused[:MAX_SHOWN]:
        typer.echo(f"Left out {each}", err=True)
