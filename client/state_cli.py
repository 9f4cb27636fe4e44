"""The command ``fedcart device state``: what a shopper states of herself."""

import json
from typing import TYPE_CHECKING

import typer

from client.options_cli import AnswersArgument, HomeOption, JsonOption, SchemaOption

if TYPE_CHECKING:
    from collections.abc import Mapping

    from consent.tasks.groups import GroupSchema


def state(
    home: HomeOption,
    answers: AnswersArgument = None,
    schema: SchemaOption = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """State a group of yours, if you like, so that audits can see whether it is served worse.

    It stays on this device. It is read only while you agree to fairness audits with demographics
    (device choose fairness-audit demographics given), and leaves only inside a noisy sum.
    """
    from client.home import ClientHome
    from client.statements import load_schema, stated_by
    from client.statements import state as take
    from consent.tasks.groups import DEFAULT_SCHEMA

    loaded = ClientHome.load(home)
    known = DEFAULT_SCHEMA if schema is None else load_schema(schema)
    if answers:
        take(loaded, pairs_of(answers), schema=known)
    show(known, stated_by(loaded, loaded.shopper, known), as_json=as_json)


def show(schema: "GroupSchema", groups: "Mapping[str, str]", *, as_json: bool) -> None:
    """Print what was stated, and what there is to state."""
    if as_json:
        typer.echo(json.dumps({"schema": schema.name, "groups": dict(groups)}))
        return
    for attribute, choices in schema.attributes.items():
        typer.echo(
            f"{attribute}: {groups.get(attribute, 'not stated')} (one of {', '.join(choices)})"
        )


def pairs_of(answers: list[str]) -> dict[str, str]:
    """Answers as they are typed, such as age=35-44.

    Raises:
        InvalidInputError: one that is none, or an attribute twice.
    """
    from crypto.errors import InvalidInputError

    pairs = {}
    for answer in answers:
        attribute, mark, group = (word.strip() for word in answer.partition("="))
        if not (attribute and mark and group) or attribute in pairs:
            raise InvalidInputError(f"{answer!r}: expected each attribute once, as in age=35-44.")
        pairs[attribute] = group
    return pairs
