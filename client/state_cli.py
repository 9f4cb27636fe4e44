"""The command ``fedcart device state``: what a shopper states of herself."""

import json
from pathlib import Path
from typing import Annotated

import typer

from client.options_cli import HomeOption, JsonOption


def state(
    home: HomeOption,
    answers: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ATTRIBUTE=GROUP]...",
            help='As in age=35-44; "age=nothing" takes it back. Without any, shows them.',
        ),
    ] = None,
    schema: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", exists=True, dir_okay=False, help="The operator's list of groups."
        ),
    ] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """State a group of yours, if you like, so that audits can see whether it is served worse.

    It stays on this device. It is read only while you agree to fairness audits with demographics
    (device choose fairness-audit demographics given), and leaves only inside a noisy sum.
    """
    from client.home import ClientHome
    from client.statements import load_schema, read_statements
    from client.statements import state as take
    from consent.tasks.groups import DEFAULT_SCHEMA

    loaded = ClientHome.load(home)
    known = DEFAULT_SCHEMA if schema is None else load_schema(schema)
    if answers:
        take(loaded, _pairs(answers), schema=known)
    found = read_statements(loaded, loaded.shoppers[loaded.shopper])
    groups = dict(found.groups) if found is not None and found.schema == known.name else {}
    if as_json:
        typer.echo(json.dumps({"schema": known.name, "groups": groups}))
        return
    for attribute, choices in known.attributes.items():
        typer.echo(
            f"{attribute}: {groups.get(attribute, 'not stated')} (one of {', '.join(choices)})"
        )


def _pairs(answers: list[str]) -> dict[str, str]:
    from crypto.errors import InvalidInputError

    pairs = {}
    for answer in answers:
        attribute, mark, group = (word.strip() for word in answer.partition("="))
        if not (attribute and mark and group) or attribute in pairs:
            raise InvalidInputError(f"{answer!r}: expected each attribute once, as in age=35-44.")
        pairs[attribute] = group
    return pairs
